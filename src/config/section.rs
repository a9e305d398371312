//! How a section of the configuration is declared: its plain struct, its defaults and its lines of the table at once.

/// One line of the table.
pub struct Setting {
    /// Table of the file it stands in; empty at the top.
    pub section: &'static str,
    /// Name within the section.
    pub name: &'static str,
    /// Name of its kind.
    pub kind: &'static str,
    /// Writes the default as TOML.
    pub default: fn() -> String,
    /// What it does, and what a larger value costs.
    pub effect: &'static str,
}

impl Setting {
    /// The dotted key, as `--set` and messages name it.
    pub fn key(&self) -> String {
        if self.section.is_empty() { self.name.into() } else { format!("{}.{}", self.section, self.name) }
    }

    /// The environment variable that sets it. `None` for what only the file can say: of which there can be several.
    pub fn env(&self) -> Option<String> {
        let said = format!("MILLRACE_{}", self.key().replace('.', "_").to_uppercase());
        (!["keys", "agents", "tools"].contains(&self.section)).then_some(said)
    }

    /// Its own flag of `serve`; the others are set by `--set`.
    pub fn flag(&self) -> Option<String> {
        self.section.is_empty().then(|| self.name.replace('_', "-"))
    }
}

/// Makes a section of the configuration: the plain struct, its defaults, and its lines of the table.
macro_rules! section {
    ($(#[doc = $about:literal])+ $struct:ident = $section:literal {
        $($(#[doc = $effect:literal])+ $field:ident: $kind:ty = $default:expr;)+
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $struct {
            $($(#[doc = $effect])+ pub $field: <$kind as $crate::config::kind::Kind>::Value,)+
        }

        impl Default for $struct {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $struct {
            /// The lines of the table.
            pub const SETTINGS: &'static [$crate::config::section::Setting] = &[$($crate::config::section::Setting {
                section: $section,
                name: stringify!($field),
                kind: <$kind as $crate::config::kind::Kind>::NAME,
                default: || <$kind as $crate::config::kind::Kind>::show(&$default),
                effect: concat!($($effect),+),
            },)+];

            /// What was said, and `base` for what was not.
            pub(super) fn resolve(said: &mut $crate::config::raw::Reader<'_>, base: &Self) -> Self {
                Self {
                    $($field: said.take::<$kind>(stringify!($field)).unwrap_or_else(|| base.$field.clone()),)+
                }
            }

            /// Every value as TOML, in the order of the table.
            pub fn show(&self) -> Vec<String> {
                vec![$(<$kind as $crate::config::kind::Kind>::show(&self.$field),)+]
            }
        }
    };
}

pub(super) use section;
