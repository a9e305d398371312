//! Who is present on a topic: users, each with something to show to others and a number of connections.
//!
//! A user is present as long as one of their connections is. Joins and leaves are reported as changes; what is published about
//! them, and where, is the caller's business. Members are kept in the order of their names, so that lists are the same everywhere.

use crate::limits::{PRESENCE_INFO_BYTES_MAX, PRESENCE_MEMBERS_MAX, PRESENCE_USER_BYTES_MAX};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Why a connection is not counted in. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PresenceError {
    /// There are [`PRESENCE_MEMBERS_MAX`] users already.
    #[error("the topic has {PRESENCE_MEMBERS_MAX} users present already")]
    Full,
    /// The name of the user is longer than [`PRESENCE_USER_BYTES_MAX`].
    #[error("a user has at most {PRESENCE_USER_BYTES_MAX} bytes, this one has {0}")]
    UserTooLong(usize),
    /// What the user shows is longer than [`PRESENCE_INFO_BYTES_MAX`].
    #[error("presence info has at most {PRESENCE_INFO_BYTES_MAX} bytes, this one has {0}")]
    InfoTooLong(usize),
}

/// What a connection that came has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// The user is present now, and was not before.
    Joined,
    /// The user was present already.
    Again,
}

/// What a connection that went has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// The user is not present any more; this is what they were.
    Left(Member),
    /// The user is still there with another connection.
    Still,
    /// No such user was present: a leave without a join.
    Unknown,
}

/// A present user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// JSON, as it was given last; `None` when it never was.
    pub info: Option<Box<[u8]>>,
    /// How many connections the user has here.
    pub connections: u32,
}

/// The users present on one topic.
#[derive(Debug, Default)]
pub struct Presence {
    members: BTreeMap<Box<str>, Member>,
}

impl Presence {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts in a connection of `user`. `info` is JSON, and replaces what the user has shown before; without it, that stays.
    ///
    /// # Errors
    /// When a limit is reached; a user who is present already is never refused for [`PresenceError::Full`].
    pub fn join(&mut self, user: &str, info: Option<&[u8]>) -> Result<Join, PresenceError> {
        check(user, info)?;
        let full = self.members.len() >= PRESENCE_MEMBERS_MAX;
        match self.members.entry(user.into()) {
            Entry::Vacant(_) if full => Err(PresenceError::Full),
            Entry::Vacant(place) => {
                place.insert(Member { info: info.map(Box::from), connections: 1 });
                Ok(Join::Joined)
            }
            Entry::Occupied(mut member) => {
                member.get_mut().again(info);
                Ok(Join::Again)
            }
        }
    }

    /// Counts out a connection of `user`.
    pub fn leave(&mut self, user: &str) -> Leave {
        let Some(member) = self.members.get_mut(user) else { return Leave::Unknown };
        member.connections -= 1;
        match member.connections {
            0 => self.members.remove(user).map_or(Leave::Unknown, Leave::Left),
            _ => Leave::Still,
        }
    }

    /// How many users are present.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is, so that this need not be kept.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// One user.
    pub fn get(&self, user: &str) -> Option<&Member> {
        self.members.get(user)
    }

    /// Everybody, in the order of their names.
    pub fn list(&self) -> impl Iterator<Item = (&str, &Member)> {
        self.members.iter().map(|(user, member)| (&**user, member))
    }
}

impl Member {
    fn again(&mut self, info: Option<&[u8]>) {
        self.connections = self.connections.saturating_add(1);
        if let Some(info) = info {
            self.info = Some(info.into());
        }
    }
}

fn check(user: &str, info: Option<&[u8]>) -> Result<(), PresenceError> {
    match (user.len(), info.map_or(0, <[u8]>::len)) {
        (bytes, _) if bytes > PRESENCE_USER_BYTES_MAX => Err(PresenceError::UserTooLong(bytes)),
        (_, bytes) if bytes > PRESENCE_INFO_BYTES_MAX => Err(PresenceError::InfoTooLong(bytes)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(presence: &Presence) -> Vec<(&str, &str, u32)> {
        let text =
            |m: &Member| m.info.as_deref().map_or("-", |i| str::from_utf8(i).expect("text")).to_owned();
        presence.list().map(|(user, m)| (user, &*text(m).leak(), m.connections)).collect()
    }

    #[test]
    fn comes_and_goes() {
        let mut p = Presence::new();
        assert_eq!(p.join("bob", Some(b"1")), Ok(Join::Joined));
        assert_eq!(p.join("ann", None), Ok(Join::Joined));
        assert_eq!(p.join("bob", Some(b"2")), Ok(Join::Again));
        assert_eq!(p.join("bob", None), Ok(Join::Again));
        assert_eq!(shown(&p), [("ann", "-", 1), ("bob", "2", 3)]);
        assert_eq!((p.count(), p.get("bob").map(|m| m.connections)), (2, Some(3)));
        assert_eq!((p.leave("bob"), p.leave("bob")), (Leave::Still, Leave::Still));
        assert_eq!(p.leave("bob"), Leave::Left(Member { info: Some((*b"2").into()), connections: 0 }));
        assert_eq!((p.leave("bob"), p.leave("eve")), (Leave::Unknown, Leave::Unknown));
        assert_eq!(shown(&p), [("ann", "-", 1)]);
        assert!(!p.is_empty());
    }

    #[test]
    fn is_bounded() {
        let mut p = Presence::new();
        for i in 0..PRESENCE_MEMBERS_MAX {
            assert_eq!(p.join(&i.to_string(), None), Ok(Join::Joined));
        }
        assert_eq!(p.join("more", None), Err(PresenceError::Full));
        assert_eq!(p.join("0", None), Ok(Join::Again));
        assert_eq!(p.leave("1"), Leave::Left(Member { info: None, connections: 0 }));
        assert_eq!(p.join("more", None), Ok(Join::Joined));
        assert_eq!(p.join(&"u".repeat(129), None), Err(PresenceError::UserTooLong(129)));
        assert_eq!(p.join("0", Some(&[b'1'; 1025])), Err(PresenceError::InfoTooLong(1025)));
    }
}
