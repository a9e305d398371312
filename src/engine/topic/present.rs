//! Who is present on a topic.

use super::{PresenceRefused, Topic};
use crate::engine::presence::{Join, Leave, Member, Presence};
use crate::sync::lock;

impl Topic {
    /// Counts in a connection of `user`; what everybody is to be told, if anything.
    ///
    /// # Errors
    /// A limit is reached, or the namespace has no presence.
    pub fn enter(&self, user: &str, info: Option<&[u8]>) -> Result<Option<Member>, PresenceRefused> {
        if !self.namespace.presence {
            return Err(PresenceRefused::Disabled);
        }
        let mut presence = lock(self.presence.get_or_init(Box::default));
        let joined = presence.join(user, info)? == Join::Joined;
        Ok(presence.get(user).filter(|_| joined).cloned())
    }

    /// Counts out a connection of `user`; what everybody is to be told, if anything.
    pub fn exit(&self, user: &str) -> Option<Member> {
        match lock(self.presence.get()?).leave(user) {
            Leave::Left(member) => Some(member),
            Leave::Still | Leave::Unknown => None,
        }
    }

    /// Who is present, by name.
    ///
    /// # Errors
    /// The namespace has no presence.
    pub fn members(&self) -> Result<Vec<(String, Member)>, PresenceRefused> {
        if !self.namespace.presence {
            return Err(PresenceRefused::Disabled);
        }
        let presence = self.presence.get().map(|presence| lock(presence));
        let list = |presence: &Presence| {
            presence.list().map(|(user, member)| (user.into(), member.clone())).collect()
        };
        Ok(presence.as_deref().map(list).unwrap_or_default())
    }
}
