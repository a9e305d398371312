//! What each role may do, for keys and tokens that name a role and no topics. The four tables differ in their defaults alone.

use super::choice::Role;
use super::kind::Patterns;
use super::pattern::Pattern;
use super::problem::Problems;
use super::raw::{Raw, Reader};
use super::section::section;

/// Topics that observers read: the public streams, and those of the other protocols.
const OBSERVED: [&str; 7] = [
    "stream.message",
    "stream.telemetry",
    "stream.reasoning",
    "events",
    "events.**",
    "channels.**",
    "analysis.**",
];

fn observed() -> Vec<Pattern> {
    // Each is a valid pattern, as a test shows.
    OBSERVED.iter().filter_map(|text| Pattern::new(text).ok()).collect()
}

fn all() -> Vec<Pattern> {
    vec![Pattern::everything()]
}

fn none() -> Vec<Pattern> {
    Vec::new()
}

/// The table of one role.
macro_rules! role {
    ($(#[doc = $about:literal])+ $struct:ident = $section:literal, publish $publish:ident, subscribe $subscribe:ident) => {
        section! {
            $(#[doc = $about])+
            $struct = $section {
                /// Topics that keys and tokens of the role may publish to, unless they have lists of their own.
                publish: Patterns = $publish();
                /// Topics they may stream.
                subscribe: Patterns = $subscribe();
                /// Topics whose history they may read. What `subscribe` says, when left out.
                history: Patterns = $subscribe();
                /// Topics whose presence they may read. What `subscribe` says, when left out.
                presence: Patterns = $subscribe();
            }
        }

        impl $struct {
            fn read(raw: &mut Raw, problems: &mut Problems) -> Self {
                let said = raw.take($section);
                let mut grants = Self::resolve(&mut Reader { section: &said, problems }, &Self::default());
                if said.origin("subscribe").is_some() {
                    let read = || grants.subscribe.clone();
                    let history = said.origin("history").map_or_else(read, |_| grants.history.clone());
                    let presence = said.origin("presence").map_or_else(read, |_| grants.presence.clone());
                    (grants.history, grants.presence) = (history, presence);
                }
                grants
            }

            fn lists(&self) -> RoleGrants<'_> {
                let Self { publish, subscribe, history, presence } = self;
                RoleGrants { publish, subscribe, history, presence }
            }
        }
    };
}

role! {
    /// What observers may do.
    ObserverGrants = "roles.observer", publish none, subscribe observed
}
role! {
    /// What admins may do.
    AdminGrants = "roles.admin", publish none, subscribe all
}
role! {
    /// What authorities may do.
    AuthorityGrants = "roles.authority", publish none, subscribe all
}
role! {
    /// What root may do.
    RootGrants = "roles.root", publish all, subscribe all
}

/// The lists of one role.
#[derive(Clone, Copy, Debug)]
pub struct RoleGrants<'a> {
    /// Topics to publish to.
    pub publish: &'a [Pattern],
    /// Topics to stream.
    pub subscribe: &'a [Pattern],
    /// Topics whose history may be read.
    pub history: &'a [Pattern],
    /// Topics whose presence may be read.
    pub presence: &'a [Pattern],
}

/// What every role may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// Of observers.
    pub observer: ObserverGrants,
    /// Of admins.
    pub admin: AdminGrants,
    /// Of authorities.
    pub authority: AuthorityGrants,
    /// Of root.
    pub root: RootGrants,
}

impl Roles {
    /// Reads the four tables.
    pub(super) fn read(raw: &mut Raw, problems: &mut Problems) -> Self {
        Self {
            observer: ObserverGrants::read(raw, problems),
            admin: AdminGrants::read(raw, problems),
            authority: AuthorityGrants::read(raw, problems),
            root: RootGrants::read(raw, problems),
        }
    }

    /// What `role` may do.
    pub fn of(&self, role: Role) -> RoleGrants<'_> {
        match role {
            Role::Observer => self.observer.lists(),
            Role::Admin => self.admin.lists(),
            Role::Authority => self.authority.lists(),
            Role::Root => self.root.lists(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_observers_read_is_written_right() {
        assert_eq!(observed().len(), OBSERVED.len());
    }
}
