//! First stage: what was said, by whom, and where. The file is read first, then the environment, then flags; the later
//! word stands. Nothing is judged here but the names; values get their meaning from the table when they are resolved.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kind::{Kind, Word};
use super::problem::{Origin, Problems, nearest};
use super::section::Setting;
use super::table;

/// Settings named at the top, and the sections that hold nothing but settings.
const PLAIN_SECTIONS: [&str; 16] = [
    "limits", "proxy", "timing", "delivery", "stream", "events", "channels", "analysis", "sessions", "blobs",
    "respond", "openai", "worker", "auth", "jwt", "webhook",
];
/// The sections of roles.
const ROLE_SECTIONS: [&str; 4] = ["roles.observer", "roles.admin", "roles.authority", "roles.root"];
const ROLES_HINT: &str = "write tables [roles.observer], [roles.admin], [roles.authority] or [roles.root]";
/// The section every namespace inherits from.
pub const DEFAULT_NAMESPACE: &str = "namespaces.default";
/// Variables of the environment that belong to the client commands or name the file itself.
const OTHER_VARIABLES: [&str; 3] = ["MILLRACE_CONFIG", "MILLRACE_URL", "MILLRACE_TOKEN"];

/// A word and where it was said.
#[derive(Clone, Debug)]
pub struct Spoken {
    /// What was said.
    pub word: Word,
    /// Where.
    pub origin: Origin,
}

/// What was said for one section.
#[derive(Clone, Debug, Default)]
pub struct Section(BTreeMap<String, Spoken>);

impl Section {
    /// Where `name` was said; `None` when it was not.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.0.get(name).map(|spoken| &spoken.origin)
    }
}

/// A section with its own heading: a namespace, an agent, a tool or a key.
#[derive(Clone, Debug)]
pub struct Headed {
    /// The pattern of a namespace, the name of an agent or tool; empty for a key.
    pub heading: String,
    /// Where the heading stands.
    pub origin: Origin,
    /// What was said under it.
    pub section: Section,
}

/// Everything that was said.
#[derive(Debug, Default)]
pub struct Raw {
    sections: BTreeMap<String, Section>,
    /// Namespaces other than the default one.
    pub namespaces: Vec<Headed>,
    /// Agents, in the order of the file.
    pub agents: Vec<Headed>,
    /// Tools, in the order of the file.
    pub tools: Vec<Headed>,
    /// API keys.
    pub keys: Vec<Headed>,
    /// What is wrong so far.
    pub problems: Problems,
    /// What the operator should know, though it is not wrong.
    pub warnings: Vec<String>,
}

impl Raw {
    /// What was said for a section; taken out, since each is resolved once.
    pub fn take(&mut self, section: &str) -> Section {
        self.sections.remove(section).unwrap_or_default()
    }

    fn say(&mut self, section: &str, name: &str, spoken: Spoken) {
        self.sections.entry(section.into()).or_default().0.insert(name.into(), spoken);
    }

    /// Takes in a file. Broken TOML is reported together with what else is wrong in the readable rest.
    pub fn file(&mut self, name: &str, text: &str) {
        let lines = Lines { name, text };
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            self.problems.push(lines.at(error.span().map_or(0, |span| span.start)), error.message());
        }
        for (key, value) in document.get_ref() {
            self.top_level(&lines, key.get_ref(), key.span().start, value);
        }
    }

    fn top_level(&mut self, lines: &Lines<'_>, key: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        match (key, value.get_ref()) {
            ("namespaces", DeValue::Table(table)) => self.namespaces(lines, table),
            ("roles", DeValue::Table(table)) => self.roles(lines, table),
            ("agents" | "tools", DeValue::Table(table)) => self.named(lines, key, table),
            ("keys", DeValue::Array(tables)) => tables.iter().for_each(|table| self.key(lines, table)),
            (_, DeValue::Table(table)) if PLAIN_SECTIONS.contains(&key) => self.plain(lines, key, table),
            ("namespaces", _) => self.problems.push(lines.at(at), "write [namespaces.\"pattern\"] tables"),
            ("agents" | "tools", _) => {
                self.problems.push(lines.at(at), format!("write [{key}.\"name\"] tables"));
            }
            ("roles", _) => self.problems.push(lines.at(at), ROLES_HINT),
            ("keys", _) => self.problems.push(lines.at(at), "write [[keys]] tables, with double brackets"),
            _ if PLAIN_SECTIONS.contains(&key) => {
                self.problems.push(lines.at(at), format!("write a table: [{key}]"))
            }
            _ if known("", key) => self.say("", key, lines.spoken(value)),
            _ => self.problems.push(lines.at(at), unknown("", key)),
        }
    }

    fn plain(&mut self, lines: &Lines<'_>, section: &str, table: &DeTable<'_>) {
        let read = read_section(lines, section, table, &mut self.problems);
        self.sections.entry(section.into()).or_default().0.extend(read.0);
    }

    fn roles(&mut self, lines: &Lines<'_>, table: &DeTable<'_>) {
        for (role, value) in table {
            let section = format!("roles.{}", role.get_ref());
            match value.get_ref() {
                DeValue::Table(settings) if ROLE_SECTIONS.contains(&section.as_str()) => {
                    self.plain(lines, &section, settings);
                }
                _ => self.problems.push(lines.at(role.span().start), ROLES_HINT),
            }
        }
    }

    fn namespaces(&mut self, lines: &Lines<'_>, table: &DeTable<'_>) {
        for (pattern, value) in table {
            let origin = lines.at(pattern.span().start);
            let DeValue::Table(settings) = value.get_ref() else {
                self.problems.push(origin, format!("write a table: [namespaces.\"{}\"]", pattern.get_ref()));
                continue;
            };
            let section = read_section(lines, DEFAULT_NAMESPACE, settings, &mut self.problems);
            self.namespace(pattern.get_ref(), origin, section);
        }
    }

    /// `*` and `default` both name what every namespace inherits from.
    fn namespace(&mut self, pattern: &str, origin: Origin, section: Section) {
        let catch_all = ["*", "**", "default"].contains(&pattern);
        if catch_all && self.sections.contains_key(DEFAULT_NAMESPACE) {
            self.problems
                .push(origin, "\"*\", \"**\" and \"default\" name the same namespace; keep one of them");
        } else if catch_all {
            self.sections.insert(DEFAULT_NAMESPACE.into(), section);
        } else {
            self.namespaces.push(Headed { heading: pattern.into(), origin, section });
        }
    }

    /// The order of the file counts, and the table does not have it.
    fn named(&mut self, lines: &Lines<'_>, heading: &str, table: &DeTable<'_>) {
        let mut tables: Vec<_> = table.iter().collect();
        tables.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in tables {
            let origin = lines.at(name.span().start);
            let DeValue::Table(settings) = value.get_ref() else {
                self.problems.push(origin, format!("write a table: [{heading}.\"{}\"]", name.get_ref()));
                continue;
            };
            let section = read_section(lines, heading, settings, &mut self.problems);
            let headed = Headed { heading: name.get_ref().to_string(), origin, section };
            if heading == "tools" { &mut self.tools } else { &mut self.agents }.push(headed);
        }
    }

    fn key(&mut self, lines: &Lines<'_>, value: &Spanned<DeValue<'_>>) {
        let origin = lines.at(value.span().start);
        match value.get_ref() {
            DeValue::Table(settings) => {
                let section = read_section(lines, "keys", settings, &mut self.problems);
                self.keys.push(Headed { heading: String::new(), origin, section });
            }
            _ => self.problems.push(origin, "write [[keys]] tables, with double brackets"),
        }
    }

    /// Takes in the environment. Names that are no setting's only warn, since orchestrators put names of their own there
    /// (`MILLRACE_SERVICE_HOST`).
    pub fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (variable, value) in variables.into_iter().filter(|(name, _)| name.starts_with("MILLRACE_")) {
            let setting = table::settings().find(|setting| setting.env().as_deref() == Some(&variable));
            match setting {
                Some(setting) => {
                    let origin = Origin::Environment(variable);
                    self.say(setting.section, setting.name, Spoken { word: Word::Text(value), origin });
                }
                None if OTHER_VARIABLES.contains(&variable.as_str()) => {}
                None => self.warnings.push(format!("environment {variable} names no setting and is ignored")),
            }
        }
    }

    /// Takes in flags, as dotted keys; a key that comes again overwrites, as the last word of a command line should.
    pub fn flags(&mut self, flags: impl IntoIterator<Item = (String, String)>) {
        for (key, value) in flags {
            let setting = table::settings().find(|setting| setting.env().is_some() && setting.key() == key);
            match setting {
                Some(setting) => {
                    let origin = Origin::Flag(flag_name(setting));
                    self.say(setting.section, setting.name, Spoken { word: Word::Text(value), origin });
                }
                None => self.problems.push(Origin::Flag("--set".into()), unknown_key(&key)),
            }
        }
    }
}

fn flag_name(setting: &Setting) -> String {
    setting.flag().map_or_else(|| format!("--set {}", setting.key()), |flag| format!("--{flag}"))
}

/// Reads the settings of one table of the file; names it does not know are problems.
fn read_section(lines: &Lines<'_>, section: &str, table: &DeTable<'_>, problems: &mut Problems) -> Section {
    let mut read = Section::default();
    for (key, value) in table {
        if known(section, key.get_ref()) {
            read.0.insert(key.get_ref().to_string(), lines.spoken(value));
        } else {
            problems.push(lines.at(key.span().start), unknown(section, key.get_ref()));
        }
    }
    read
}

fn known(section: &str, name: &str) -> bool {
    table::section(section).any(|setting| setting.name == name)
}

/// Says that a name is unknown, and which one was probably meant.
fn unknown(section: &str, name: &str) -> String {
    let headings = PLAIN_SECTIONS
        .iter()
        .chain(&["namespaces", "roles", "agents", "tools", "keys"])
        .filter(|_| section.is_empty());
    let names = table::section(section).map(|setting| setting.name).chain(headings.copied());
    let place = if section.is_empty() { String::new() } else { format!(" in [{section}]") };
    format!("unknown setting `{name}`{place}{}", meant(nearest(name, names)))
}

fn unknown_key(key: &str) -> String {
    let keys: Vec<String> = table::settings().filter(|s| s.env().is_some()).map(Setting::key).collect();
    format!("unknown setting `{key}`{}", meant(nearest(key, keys.iter().map(String::as_str))))
}

fn meant(nearest: Option<&str>) -> String {
    nearest
        .map_or_else(|| "; docs/OPERATING.md lists them".into(), |name| format!("; did you mean `{name}`?"))
}

/// A file, for finding the line of a byte.
struct Lines<'a> {
    name: &'a str,
    text: &'a str,
}

impl Lines<'_> {
    fn at(&self, byte: usize) -> Origin {
        let before = &self.text.as_bytes()[..byte.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Origin::File { name: self.name.into(), line }
    }

    fn spoken(&self, value: &Spanned<DeValue<'_>>) -> Spoken {
        Spoken { word: word(value.get_ref()), origin: self.at(value.span().start) }
    }
}

fn word(value: &DeValue<'_>) -> Word {
    match value {
        DeValue::String(text) => Word::Text(text.to_string()),
        DeValue::Integer(number) => whole(number.as_str(), number.radix()),
        DeValue::Float(number) => Word::Decimal(number.as_str().into()),
        DeValue::Boolean(switch) => Word::Switch(*switch),
        DeValue::Array(items) => Word::List(items.iter().map(|item| word(item.get_ref())).collect()),
        other => Word::Other(other.type_str()),
    }
}

fn whole(digits: &str, radix: u32) -> Word {
    i64::from_str_radix(digits, radix).map_or(Word::Other("number that is too large"), Word::Number)
}

/// Gives the words of one section their kinds, and collects what does not fit.
pub struct Reader<'a> {
    /// What was said.
    pub section: &'a Section,
    /// Where complaints go.
    pub problems: &'a mut Problems,
}

impl Reader<'_> {
    /// The value of a setting; `None` when it was not said or not understood (which is then a problem).
    pub fn take<K: Kind>(&mut self, name: &str) -> Option<K::Value> {
        let spoken = self.section.0.get(name)?;
        let value = K::read(&spoken.word).map_err(|hint| complain(name, &spoken.word, &hint));
        value.map_err(|message| self.problems.push(spoken.origin.clone(), message)).ok()
    }
}

fn complain(name: &str, word: &Word, hint: &str) -> String {
    match word {
        Word::Other(kind) => format!("{name}: {hint}, not a {kind}"),
        Word::Decimal(_) => format!("{name}: {hint}, not a float"),
        _ => format!("{name}: {hint}"),
    }
}
