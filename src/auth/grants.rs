//! What an identity may do to which topics. A grant is a list of patterns for each action; a request for a pattern is
//! allowed only when one grant covers all of it, so that a subscription can never select a topic its owner may not read.

use crate::config::{KeyConfig, Pattern, RoleGrants};

/// Beginning of the names of presence topics.
const PRESENCE_PREFIX: &str = "$presence.";

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Publish events.
    Publish,
    /// Read events as they come.
    Subscribe,
    /// Read events of the past.
    History,
    /// See who reads.
    Presence,
}

impl Action {
    /// All.
    pub const ALL: [Self; 4] = [Self::Publish, Self::Subscribe, Self::History, Self::Presence];

    /// The word for it, in the configuration and in refusals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::History => "history",
            Self::Presence => "presence",
        }
    }
}

/// Patterns by action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    publish: Vec<Pattern>,
    subscribe: Vec<Pattern>,
    history: Vec<Pattern>,
    presence: Vec<Pattern>,
}

impl Grants {
    /// What a key of the configuration may do.
    pub fn of(key: &KeyConfig) -> Self {
        let KeyConfig { publish, subscribe, history, presence, .. } = key.clone();
        Self { publish, subscribe, history, presence }
    }

    /// What a role may do.
    pub fn of_role(role: RoleGrants<'_>) -> Self {
        let RoleGrants { publish, subscribe, history, presence } = role;
        Self::new(publish.into(), subscribe.into(), history.into(), presence.into())
    }

    /// These.
    pub fn new(
        publish: Vec<Pattern>,
        subscribe: Vec<Pattern>,
        history: Vec<Pattern>,
        presence: Vec<Pattern>,
    ) -> Self {
        Self { publish, subscribe, history, presence }
    }

    /// Whether it allows nothing.
    pub fn is_empty(&self) -> bool {
        [&self.publish, &self.subscribe, &self.history, &self.presence].iter().all(|list| list.is_empty())
    }

    /// Everything.
    pub fn everything() -> Self {
        let all = || vec![Pattern::everything()];
        Self { publish: all(), subscribe: all(), history: all(), presence: all() }
    }

    /// Whether `action` is allowed on every topic `wanted`, a name or a pattern, can select.
    pub fn allow(&self, action: Action, wanted: &str) -> bool {
        self.allowing(action, wanted).is_some()
    }

    /// The pattern by which `action` is allowed on `wanted`.
    pub fn allowing(&self, action: Action, wanted: &str) -> Option<&Pattern> {
        match (action, wanted.strip_prefix(PRESENCE_PREFIX)) {
            (Action::Publish, Some(_)) => None,
            (_, Some(topic)) => covering(&self.presence, topic),
            (action, None) => covering(self.patterns(action), wanted),
        }
    }

    /// The patterns for `action`.
    pub fn patterns(&self, action: Action) -> &[Pattern] {
        match action {
            Action::Publish => &self.publish,
            Action::Subscribe => &self.subscribe,
            Action::History => &self.history,
            Action::Presence => &self.presence,
        }
    }
}

fn covering<'p>(patterns: &'p [Pattern], wanted: &str) -> Option<&'p Pattern> {
    patterns.iter().find(|pattern| pattern.covers(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(publish: &[&str], subscribe: &[&str], presence: &[&str]) -> Grants {
        let patterns = |texts: &[&str]| texts.iter().map(|text| Pattern::new(text).unwrap()).collect();
        let (publish, subscribe, presence) = (patterns(publish), patterns(subscribe), patterns(presence));
        Grants { publish, history: subscribe.clone(), subscribe, presence }
    }

    #[test]
    fn an_action_needs_its_own_grant() {
        let grants = grants(&["logs.api"], &["logs.*"], &[]);
        assert!(grants.allow(Action::Publish, "logs.api"));
        assert!(!grants.allow(Action::Publish, "logs.db"));
        assert!(grants.allow(Action::Subscribe, "logs.db"));
        assert!(!grants.allow(Action::Presence, "logs.db"));
    }

    #[test]
    fn a_pattern_must_be_covered_as_a_whole() {
        let grants = grants(&[], &["logs.*", "agents.**"], &[]);
        assert!(grants.allow(Action::Subscribe, "logs.*"));
        assert!(!grants.allow(Action::Subscribe, "logs.**"));
        assert!(!grants.allow(Action::Subscribe, "**"));
        assert!(grants.allow(Action::Subscribe, "agents.*.trace"));
    }

    #[test]
    fn presence_topics_go_by_the_presence_grant() {
        let grants = grants(&["**"], &["**"], &["rooms.*"]);
        assert!(grants.allow(Action::Subscribe, "$presence.rooms.a"));
        assert!(!grants.allow(Action::Subscribe, "$presence.logs.a"));
        assert!(!grants.allow(Action::Publish, "$presence.rooms.a"));
        assert!(!Grants::everything().allow(Action::Publish, "$presence.rooms.a"));
        assert!(Grants::everything().allow(Action::Subscribe, "$presence.**"));
    }
}
