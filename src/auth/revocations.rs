//! What was taken back: tokens, users, keys. Bounded, and each for a time; kept in memory, so that what must stay refused for
//! ever belongs out of the configuration, or out of what the issuer signs.

use std::collections::HashMap;

use super::{Credential, Identity};
use crate::limits::REVOCATIONS_MAX;
use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

/// What is revoked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The token with this `jti`.
    Token(String),
    /// Everybody of this name, by whatever credential.
    User(String),
    /// The API key of this name.
    Key(String),
}

impl Subject {
    /// The member that names it, and its name.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Token(id) => ("token_id", id),
            Self::User(name) => ("user", name),
            Self::Key(name) => ("key", name),
        }
    }

    /// The subject that a member names; `None` for any other member.
    pub fn named(member: &str, name: &str) -> Option<Self> {
        let makes =
            [("token_id", Self::Token as fn(String) -> Self), ("user", Self::User), ("key", Self::Key)];
        makes.iter().find(|(known, _)| *known == member).map(|(_, make)| make(name.into()))
    }

    /// Whether `identity` is meant.
    pub fn covers(&self, identity: &Identity) -> bool {
        match self {
            Self::Token(id) => identity.token_id.as_ref() == Some(id),
            Self::User(name) => identity.name == *name,
            Self::Key(name) => identity.credential == Credential::Key && identity.name == *name,
        }
    }
}

/// What is revoked now, and until when (Unix milliseconds).
#[derive(Default)]
pub struct Revocations {
    until: Mutex<HashMap<Subject, u64>>,
    /// Nearly always 0, and then nobody looks further.
    count: AtomicUsize,
}

/// There are as many revocations as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{REVOCATIONS_MAX} revocations are in force, and no more can be kept; delete some, or change the keys of tokens"
)]
pub struct Full;

impl Revocations {
    /// Revokes until a time; a revocation that is in force already is prolonged, never shortened.
    ///
    /// # Errors
    /// There are too many.
    pub fn add(&self, subject: Subject, until_ms: u64, unix_ms: u64) -> Result<(), Full> {
        let mut all = lock(&self.until);
        all.retain(|_, until| *until > unix_ms);
        if all.len() >= REVOCATIONS_MAX && !all.contains_key(&subject) {
            return Err(Full);
        }
        let until = all.entry(subject).or_insert(until_ms);
        *until = until_ms.max(*until);
        self.count.store(all.len(), Ordering::Release);
        Ok(())
    }

    /// Ends a revocation; whether it was in force.
    pub fn remove(&self, subject: &Subject) -> bool {
        let mut all = lock(&self.until);
        let removed = all.remove(subject).is_some();
        self.count.store(all.len(), Ordering::Release);
        removed
    }

    /// Those in force, in order.
    pub fn list(&self, unix_ms: u64) -> Vec<(Subject, u64)> {
        let all = lock(&self.until);
        let mut list: Vec<_> =
            all.iter().filter(|(_, until)| **until > unix_ms).map(|(s, u)| (s.clone(), *u)).collect();
        list.sort();
        list
    }

    /// Whether `identity` is revoked.
    pub fn cover(&self, identity: &Identity, unix_ms: u64) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let token = identity.token_id.clone().map(Subject::Token);
        let key = (identity.credential == Credential::Key).then(|| Subject::Key(identity.name.clone()));
        let all = lock(&self.until);
        let mut subjects = [Some(Subject::User(identity.name.clone())), token, key].into_iter().flatten();
        subjects.any(|subject| all.get(&subject).is_some_and(|until| *until > unix_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Identity {
        let token_id = Some("t1".to_owned());
        Identity { name: "ann".into(), credential: Credential::Token, token_id, ..Identity::nobody() }
    }

    #[test]
    fn tokens_users_and_keys_are_revoked_for_a_time() {
        let key = Identity { credential: Credential::Key, token_id: None, ..ann() };
        for (subject, covers_token, covers_key) in [
            (Subject::named("token_id", "t1").unwrap(), true, false),
            (Subject::named("user", "ann").unwrap(), true, true),
            (Subject::named("key", "ann").unwrap(), false, true),
            (Subject::User("bob".into()), false, false),
        ] {
            let revocations = Revocations::default();
            assert!(!revocations.cover(&ann(), 0));
            revocations.add(subject.clone(), 1000, 0).unwrap();
            assert_eq!(
                (revocations.cover(&ann(), 999), revocations.cover(&key, 999)),
                (covers_token, covers_key)
            );
            assert_eq!((subject.covers(&ann()), subject.covers(&key)), (covers_token, covers_key));
            assert!(!revocations.cover(&ann(), 1000) && !revocations.cover(&key, 1000));
        }
        assert_eq!(Subject::named("name", "ann"), None);
    }

    #[test]
    fn a_revocation_is_prolonged_listed_and_removed() {
        let (revocations, subject) = (Revocations::default(), Subject::User("ann".into()));
        revocations.add(subject.clone(), 1000, 0).unwrap();
        revocations.add(subject.clone(), 500, 0).unwrap();
        assert_eq!(revocations.list(0), [(subject.clone(), 1000)]);
        assert_eq!(revocations.list(1000), []);
        assert!(revocations.remove(&subject) && !revocations.remove(&subject));
        assert!(!revocations.cover(&ann(), 0));
    }

    #[test]
    fn their_number_is_bounded() {
        let revocations = Revocations::default();
        (0..REVOCATIONS_MAX).for_each(|i| revocations.add(Subject::User(i.to_string()), 1000, 0).unwrap());
        assert_eq!(revocations.add(Subject::User("one more".into()), 1000, 0), Err(Full));
        assert!(revocations.add(Subject::User("7".into()), 2000, 0).is_ok(), "one that is there already");
        assert!(revocations.add(Subject::User("one more".into()), 3000, 1000).is_ok(), "old ones make room");
    }
}
