//! Who a client is and what it may do, whatever kind of credential said so.

use sha2::{Digest, Sha256};

use super::grants::{Action, Grants};
use crate::config::Role;
use crate::limits::OWN_SEGMENT_BYTES_MAX;

impl Role {
    /// All, from the least to the most trusted.
    pub const ALL: [Self; 4] = [Self::Observer, Self::Admin, Self::Authority, Self::Root];

    /// The word for it on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Observer => "OBSERVER",
            Self::Admin => "ADMIN",
            Self::Authority => "AUTHORITY",
            Self::Root => "ROOT",
        }
    }

    /// The role of a word, without regard to case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(word))
    }
}

/// What the topics of all sessions begin with.
const SESSIONS: &str = "sessions.";

/// What kind of credential says who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// None.
    None,
    /// An API key of the configuration.
    Key,
    /// A signed token.
    Token,
}

/// Who is there and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name of the key or subject of the token; stands in logs, counts connections per user, and is the `user` of presence.
    /// Empty for nobody in particular.
    pub name: String,
    /// What says so.
    pub credential: Credential,
    /// How far it is trusted.
    pub role: Role,
    /// What it may do.
    pub grants: Grants,
    /// When its credential ends, Unix milliseconds.
    pub expires_ms: Option<u64>,
    /// The token's own id (`jti`), by which it can be revoked.
    pub token_id: Option<String>,
    /// What the credential says about the person, for protocols that show it.
    pub profile: Profile,
}

/// What a token says about a person; absent claims are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Claim `email`.
    pub email: String,
    /// Claim `name`.
    pub name: String,
}

impl Identity {
    /// Somebody with a name and grants, whose credential does not end.
    pub fn new(name: &str, role: Role, grants: Grants) -> Self {
        Self {
            name: name.into(),
            credential: Credential::None,
            role,
            grants,
            expires_ms: None,
            token_id: None,
            profile: Profile::default(),
        }
    }

    /// Nobody in particular, who may do everything: everybody, where no credentials are configured.
    pub fn anonymous() -> Self {
        Self::new("", Role::Root, Grants::everything())
    }

    /// Nobody, who may do nothing: a client that has yet to say who it is.
    pub fn nobody() -> Self {
        Self::new("", Role::Observer, Grants::default())
    }

    /// Whether it may do `action` on a topic, or on every topic a pattern can select. `$presence.a` counts as the
    /// presence of `a`, and nobody may publish to it. Everybody may read their own sessions.
    pub fn may(&self, action: Action, topic_or_pattern: &str) -> bool {
        self.grants.allow(action, topic_or_pattern)
            || (matches!(action, Action::Subscribe | Action::History) && self.owns(topic_or_pattern))
    }

    /// Whether `topic` is one of its own sessions.
    fn owns(&self, topic: &str) -> bool {
        topic.starts_with(SESSIONS) && !self.name.is_empty() && topic.starts_with(&self.own_sessions())
    }

    /// What the topics of its own sessions begin with: `sessions.<name>.`. Bytes that a segment of a topic cannot have are
    /// written `:XX`, and long names as a hash, so that no two names share a beginning.
    pub fn own_sessions(&self) -> String {
        let mut segment = String::with_capacity(self.name.len() + 2);
        for byte in self.name.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'@' | b'-' => segment.push(byte.into()),
                other => segment.push_str(&format!(":{other:02X}")),
            }
        }
        if segment.len() > OWN_SEGMENT_BYTES_MAX {
            let hash = Sha256::digest(self.name.as_bytes());
            segment = hash.iter().fold("::".into(), |text, byte| format!("{text}{byte:02x}"));
        }
        let segment = if segment.is_empty() { ":" } else { &segment };
        format!("{SESSIONS}{segment}.")
    }

    /// Whether its credential has ended at `unix_ms`.
    pub fn has_expired(&self, unix_ms: u64) -> bool {
        self.expires_ms.is_some_and(|end| end <= unix_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_read_in_any_case() {
        assert!(Role::Observer < Role::Admin && Role::Authority < Role::Root);
        assert_eq!(Role::parse("admin"), Some(Role::Admin));
        assert_eq!(Role::parse("god"), None);
    }

    fn named(name: &str) -> Identity {
        Identity::new(name, Role::Observer, Grants::default())
    }

    #[test]
    fn no_two_users_share_their_sessions() {
        let long = |last: &str| format!("{}{last}", "ä".repeat(40));
        let names = ["", "a", "a.b", "a:2Eb", ":", "_", "a b", &long("1"), &long("2")];
        let mut all: Vec<_> = names.iter().map(|name| named(name).own_sessions()).collect();
        assert_eq!((&*all[1], &*all[2]), ("sessions.a.", "sessions.a:2Eb."));
        assert!(all.iter().all(|topic| crate::config::Pattern::new(&format!("{topic}x")).is_ok()), "{all:?}");
        all.sort();
        all.dedup();
        assert_eq!(all.len(), names.len());
    }

    #[test]
    fn everybody_reads_their_own_sessions_and_no_others() {
        let ann = named("ann");
        for action in [Action::Subscribe, Action::History] {
            assert!(ann.may(action, "sessions.ann.1") && !ann.may(action, "sessions.anna.1"));
            assert!(!named("").may(action, "sessions.:.1") && !ann.may(action, "sessions.**"));
        }
        assert!(!ann.may(Action::Publish, "sessions.ann.1"));
    }

    #[test]
    fn a_credential_ends_at_its_time() {
        let mut identity = Identity::nobody();
        assert!(!identity.has_expired(u64::MAX) && !identity.may(Action::Subscribe, "a"));
        identity.expires_ms = Some(1000);
        assert!(identity.has_expired(1000) && !identity.has_expired(999));
    }
}
