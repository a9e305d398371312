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
                format!("\"{}\"", value.word())
            }
        }

        impl $name {
            /// The word for it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
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
    /// How a token is signed (RFC 7518 section 3.1, RFC 8037).
    Algorithm {
        /// HMAC with SHA-256.
        Hs256 = "HS256",
        /// HMAC with SHA-384.
        Hs384 = "HS384",
        /// HMAC with SHA-512.
        Hs512 = "HS512",
        /// RSA PKCS #1 with SHA-256.
        Rs256 = "RS256",
        /// RSA PKCS #1 with SHA-384.
        Rs384 = "RS384",
        /// RSA PKCS #1 with SHA-512.
        Rs512 = "RS512",
        /// RSA PSS with SHA-256.
        Ps256 = "PS256",
        /// RSA PSS with SHA-384.
        Ps384 = "PS384",
        /// RSA PSS with SHA-512.
        Ps512 = "PS512",
        /// ECDSA over P-256.
        Es256 = "ES256",
        /// ECDSA over P-384.
        Es384 = "ES384",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

choice! {
    /// What a webhook is asked about.
    Asked {
        /// Streams that begin.
        Connect = "connect",
        /// Topics that are to be read.
        Subscribe = "subscribe",
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

choice! {
    /// Who answers questions.
    Responder {
        /// The server itself, from documents.
        Embedded = "embedded",
        /// A model behind an HTTP endpoint.
        Openai = "openai",
        /// A process that takes jobs.
        Worker = "worker",
        /// Nobody.
        None = "none",
    }
}

/// Who answers, or whoever does by default.
pub struct MaybeResponder;

impl Kind for MaybeResponder {
    type Value = Option<Responder>;
    const NAME: &'static str = "`embedded` `openai` `worker` `none` `default`";

    fn read(word: &Word) -> Result<Option<Responder>, String> {
        match word {
            Word::Text(text) if text == "default" => Ok(None),
            word => Responder::read(word).map(Some).map_err(|hint| hint + " \"default\""),
        }
    }

    fn show(value: &Option<Responder>) -> String {
        value.as_ref().map_or_else(|| "\"default\"".into(), Responder::show)
    }
}

choice! {
    /// What becomes of a job whose worker is lost.
    OnLost {
        /// Another worker answers, from the beginning.
        Retry = "retry",
        /// Nobody answers.
        Fail = "fail",
    }
}

/// A role, or none.
pub struct MaybeRole;

impl Kind for MaybeRole {
    type Value = Option<Role>;
    const NAME: &'static str = "`observer` `admin` `authority` `root` `none`";

    fn read(word: &Word) -> Result<Option<Role>, String> {
        match word {
            Word::Text(text) if text == "none" => Ok(None),
            word => Role::read(word).map(Some).map_err(|hint| hint + " \"none\""),
        }
    }

    fn show(value: &Option<Role>) -> String {
        value.as_ref().map_or_else(|| "\"none\"".into(), Role::show)
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
    fn a_role_may_be_none() {
        assert_eq!(MaybeRole::read(&Word::Text("none".into())), Ok(None));
        assert_eq!(MaybeRole::read(&Word::Text("root".into())), Ok(Some(Role::Root)));
        assert!(MaybeRole::read(&Word::Text("god".into())).unwrap_err().ends_with("\"root\" \"none\""));
        assert_eq!(MaybeRole::show(&None), "\"none\"");
    }

    #[test]
    fn the_hint_for_a_hash_says_how_to_make_one() {
        assert!(KeyHash::read(&Word::Text("secret".into())).unwrap_err().contains("sha256sum"));
    }
}
