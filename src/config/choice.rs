//! Settings that are one of a few words. Each is an enum whose words are named once.

use super::key::KeyHash;
use super::kind::{Kind, Word};

/// Declares an enum and how its words are read and written.
macro_rules! choice {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $effect:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[doc = $effect])+ $variant,)+ }

        impl Kind for $name {
            type Value = Self;
            const NAME: &'static str = concat!($("`", $word, "` "),+);

            fn read(word: &Word) -> Result<Self, String> {
                match word {
                    $(Word::Text(text) if text == $word => Ok(Self::$variant),)+
                    _ => Err(concat!("write one of", $(" \"", $word, "\""),+).into()),
                }
            }

            fn show(value: &Self) -> String {
                match value { $(Self::$variant => concat!("\"", $word, "\"").into(),)+ }
            }
        }
    };
}

choice! {
    /// How log lines look.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

choice! {
    /// How far somebody is trusted; each level includes those before it.
    Role {
        /// Reads.
        Observer = "observer",
        /// Reads logs too.
        Admin = "admin",
        /// As `admin`, as far as streams go.
        Authority = "authority",
        /// Everything.
        Root = "root",
    }
}

choice! {
    /// How clients of the protocols other than the native one are refused.
    Refuse {
        /// The handshake succeeds, then the connection is closed with a code and a reason, which browsers can read.
        Close = "close",
        /// By HTTP status, before the handshake.
        Http = "http",
    }
}

choice! {
    /// How proxies begin a connection.
    ProxyProtocol {
        /// With the request.
        None = "none",
        /// With a PROXY protocol header of version 1 or 2.
        V1V2 = "v1v2",
    }
}

choice! {
    /// The header in which proxies name the client.
    ForwardedHeader {
        /// What most of them add.
        XForwardedFor = "x-forwarded-for",
        /// That of RFC 7239.
        Forwarded = "forwarded",
        /// None.
        None = "none",
    }
}

choice! {
    /// What happens to a reader that is too far behind.
    SlowPolicy {
        /// It is closed with 1013 and resumes by its position.
        Disconnect = "disconnect",
        /// It is moved forward and told about the gap.
        Skip = "skip",
        /// It gets only the newest event of each key while it is behind.
        Conflate = "conflate",
    }
}

choice! {
    /// Where a reader that is skipped goes on.
    SkipTo {
        /// At the oldest event kept: least lost, soon behind again.
        Oldest = "oldest",
        /// At the newest: most lost, caught up.
        Newest = "newest",
    }
}

impl Kind for KeyHash {
    type Value = Self;
    const NAME: &'static str = "`sha256:` and 64 hex digits";

    fn read(word: &Word) -> Result<Self, String> {
        let hash = if let Word::Text(text) = word { Self::parse(text) } else { None };
        hash.ok_or_else(|| {
            "write \"sha256:\" and 64 hex digits; `printf %s YOUR-KEY | sha256sum` makes them".into()
        })
    }

    fn show(value: &Self) -> String {
        format!("\"{value}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written() {
        assert_eq!(SlowPolicy::read(&Word::Text("skip".into())), Ok(SlowPolicy::Skip));
        assert_eq!(SlowPolicy::show(&SlowPolicy::Conflate), "\"conflate\"");
        let error = SlowPolicy::read(&Word::Text("drop".into())).unwrap_err();
        assert_eq!(error, r#"write one of "disconnect" "skip" "conflate""#);
    }

    #[test]
    fn the_hint_for_a_hash_says_how_to_make_one() {
        assert!(KeyHash::read(&Word::Text("secret".into())).unwrap_err().contains("sha256sum"));
    }
}
