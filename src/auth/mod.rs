//! Credentials and what they allow: pure verification, no I/O. An API key is known by its SHA-256 only; what a client presents is
//! hashed and compared with every configured hash in constant time, so that neither time nor logs tell anything about it.
//! Never keeps, prints or logs a token.

mod credentials;
mod grants;
mod identity;
pub mod jwt;
mod origins;
mod remembered;
mod revocations;
mod tickets;
mod token;
mod verdict;

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

pub use crate::config::Role;
pub use credentials::{Credentials, Time};
pub use grants::{Action, Grants};
pub use identity::{Credential, Identity, Profile};
pub use origins::Origins;
pub use remembered::{Hash, Remembered};
pub use revocations::{Full, Revocations, Subject};
pub use tickets::{Tickets, TooMany};
pub use token::{Places, Presented, presented, subprotocol};
pub use verdict::{AuthError, Authenticate, Caller, Later, Permits, Verdict};

use crate::config::{KeyConfig, Roles};
use crate::limits::TOKEN_BYTES_MAX;

/// The configured keys. About 300 B each.
pub struct Keys(Vec<([u8; 32], Arc<Identity>)>);

impl Keys {
    /// Takes over the keys of the configuration.
    pub fn new(keys: &[KeyConfig], roles: &Roles) -> Self {
        Self(keys.iter().map(|key| (key.hash.0, Arc::new(identity(key, roles)))).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who presents `token`; `None` when no key is this one. Takes the same time for every token of a length, about
    /// 0.2 µs and 10 ns for each key.
    pub fn authenticate(&self, token: &str) -> Option<Arc<Identity>> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let place = self.place(&hash)?;
        self.0.get(place).map(|(_, identity)| Arc::clone(identity))
    }

    /// Compares with every hash, whether or not one has matched.
    fn place(&self, hash: &[u8; 32]) -> Option<usize> {
        let mut place = u64::MAX;
        for (i, (known, _)) in self.0.iter().enumerate() {
            let same: Choice = known.ct_eq(hash);
            place.conditional_assign(&(i as u64), same);
        }
        usize::try_from(place).ok().filter(|place| *place < self.0.len())
    }
}

/// A key with no lists of its own may do what its role may; the configuration has none with neither.
fn identity(key: &KeyConfig, roles: &Roles) -> Identity {
    let (own, role) = (Grants::of(key), key.role.unwrap_or(Role::Observer));
    let grants = if own.is_empty() && key.role.is_some() { Grants::of_role(roles.of(role)) } else { own };
    Identity { credential: Credential::Key, ..Identity::new(&key.name, role, grants) }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(_, identity)| identity.name.as_str());
        f.debug_set().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KeyHash, Pattern};

    fn key(name: &str, token: &str, subscribe: &str) -> KeyConfig {
        let hash = KeyHash(Sha256::digest(token.as_bytes()).into());
        let subscribe = vec![Pattern::new(subscribe).unwrap()];
        KeyConfig { name: name.into(), hash, subscribe, ..KeyConfig::default() }
    }

    #[test]
    fn a_token_finds_its_key_and_no_other() {
        let keys = Keys::new(&[key("a", "first", "a.**"), key("b", "second", "b.**")], &Roles::default());
        assert_eq!(keys.authenticate("first").unwrap().name, "a");
        assert_eq!(keys.authenticate("second").unwrap().name, "b");
        assert!(keys.authenticate("third").is_none());
        assert!(keys.authenticate("").is_none());
        assert!(keys.authenticate(&"x".repeat(TOKEN_BYTES_MAX + 1)).is_none());
    }

    #[test]
    fn a_key_with_a_role_alone_may_what_the_role_may() {
        let bare = KeyConfig { subscribe: Vec::new(), role: Some(Role::Observer), ..key("a", "first", "**") };
        let keys = Keys::new(&[bare, key("b", "second", "b")], &Roles::default());
        let observer = keys.authenticate("first").unwrap();
        assert!(
            observer.may(Action::Subscribe, "events.s1") && observer.may(Action::History, "stream.message")
        );
        assert!(
            !observer.may(Action::Subscribe, "stream.log") && !observer.may(Action::Publish, "events.s1")
        );
        assert!(!keys.authenticate("second").unwrap().may(Action::Subscribe, "events.s1"));
    }

    #[test]
    fn the_hash_is_that_of_sha256sum() {
        let hash = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let config = KeyConfig { hash: KeyHash::parse(hash).unwrap(), ..key("a", "", "**") };
        assert!(Keys::new(&[config], &Roles::default()).authenticate("abc").is_some());
    }

    #[test]
    fn debug_shows_names_only() {
        assert_eq!(format!("{:?}", Keys::new(&[key("a", "first", "**")], &Roles::default())), "{\"a\"}");
    }
}
