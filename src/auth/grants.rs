//! What an identity may do to which topics. A grant is a list of patterns for each action; a request for a pattern is
//! allowed only when one grant covers all of it, so that a subscription can never select a topic its owner may not read.

use crate::config::{KeyConfig, Pattern};

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

    /// Everything.
    pub fn everything() -> Self {
        let all = || vec![Pattern::everything()];
        Self { publish: all(), subscribe: all(), history: all(), presence: all() }
    }

    /// Whether `action` is allowed on every topic `wanted`, a name or a pattern, can select.
    pub fn allow(&self, action: Action, wanted: &str) -> bool {
        let patterns = match (action, wanted.strip_prefix(PRESENCE_PREFIX)) {
            (Action::Publish, Some(_)) => return false,
            (_, Some(topic)) => return covered(&self.presence, topic),
            (Action::Publish, None) => &self.publish,
            (Action::Subscribe, None) => &self.subscribe,
            (Action::History, None) => &self.history,
            (Action::Presence, None) => &self.presence,
        };
        covered(patterns, wanted)
    }
}

fn covered(patterns: &[Pattern], wanted: &str) -> bool {
    patterns.iter().any(|pattern| pattern.covers(wanted))
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
