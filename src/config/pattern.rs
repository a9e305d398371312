//! Patterns over topic names: `*` is exactly one segment, `**` as the last segment one or more. They stand here, not in
//! the engine, because namespaces and grants need them and neither may know the engine; the engine indexes its own.
//! Never allocates when matching; topics that begin with `$` are matched by no wildcard in the first segment.

use std::fmt;

use crate::limits::{PATTERN_SEGMENTS_MAX, TOPIC_NAME_BYTES_MAX};

/// A checked pattern.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Checks `text`.
    ///
    /// # Errors
    /// What is wrong with it, in words for whoever wrote it.
    pub fn new(text: &str) -> Result<Self, String> {
        check_length(text)?;
        let last = text.split('.').count() - 1;
        let checked =
            text.split('.').enumerate().try_for_each(|(i, segment)| check_segment(segment, i == last));
        checked.map_err(|why| format!("`{text}` is not a pattern: {why}"))?;
        Ok(Self(text.into()))
    }

    /// The pattern that matches every topic: `**`.
    pub fn everything() -> Self {
        Self("**".into())
    }

    /// The text it was made of.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `topic` (a name without wildcards) is selected.
    pub fn matches(&self, topic: &str) -> bool {
        self.covers(topic)
    }

    /// Whether every topic that `other` (a name or a pattern) can select is selected by `self`.
    pub fn covers(&self, other: &str) -> bool {
        if other.starts_with('$') && self.0.starts_with('*') {
            return false;
        }
        covers(self.0.split('.'), other.split('.'))
    }

    /// How specific the pattern is: longer literal beginnings first, then fewer wildcards, then more segments.
    pub fn rank(&self) -> (usize, bool, bool, usize) {
        let literal = self.0.find('*').unwrap_or(self.0.len());
        let open = self.0.ends_with("**");
        (literal, literal == self.0.len(), !open, self.0.split('.').count())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

fn check_length(text: &str) -> Result<(), String> {
    let fits = text.len() <= TOPIC_NAME_BYTES_MAX && text.split('.').count() <= PATTERN_SEGMENTS_MAX;
    if fits { Ok(()) } else { Err(format!("a pattern has at most {TOPIC_NAME_BYTES_MAX} bytes")) }
}

fn check_segment(segment: &str, last: bool) -> Result<(), &'static str> {
    match segment {
        "" => Err("it has an empty segment; write `a.b`, not `a..b`"),
        "*" => Ok(()),
        "**" if last => Ok(()),
        "**" => Err("`**` may only be the last segment"),
        name if name.contains('*') => Err("`*` stands for a whole segment; write `logs.*`, not `logs*`"),
        name if name.bytes().all(is_name_byte) => Ok(()),
        _ => Err("only A-Z a-z 0-9 . _ : @ - may be used, and `*` or `**` as segments"),
    }
}

/// Bytes a segment may consist of; `$` begins the names of the server's own topics.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_:@-$".contains(&byte)
}

/// Segment by segment: a `**` covers what is left if anything is, a `*` covers one segment that is not `**`.
fn covers<'a>(mut ours: impl Iterator<Item = &'a str>, mut theirs: impl Iterator<Item = &'a str>) -> bool {
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some("**"), Some(_)) => return true,
            (Some("*"), Some("**")) => return false,
            (Some("*"), Some(_)) => {}
            (Some(our), Some(their)) if our == their => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, other: &str) -> bool {
        Pattern::new(pattern).unwrap().covers(other)
    }

    #[test]
    fn wildcards_match_whole_segments() {
        assert!(covers("logs.*", "logs.api"));
        assert!(!covers("logs.*", "logs.api.errors"));
        assert!(!covers("logs.*", "logs"));
        assert!(covers("logs.**", "logs.api.errors"));
        assert!(!covers("logs.**", "logs"));
        assert!(covers("*.trace", "planner.trace"));
        assert!(covers("a.b", "a.b"));
        assert!(!covers("a.b", "a.bc"));
    }

    #[test]
    fn a_pattern_covers_a_pattern_only_when_it_selects_everything_the_other_can() {
        assert!(covers("**", "logs.**"));
        assert!(covers("logs.**", "logs.*"));
        assert!(covers("logs.**", "logs.**"));
        assert!(covers("logs.**", "logs.*.errors"));
        assert!(!covers("logs.*", "logs.**"));
        assert!(!covers("*", "**"));
        assert!(!covers("logs.api", "logs.*"));
        assert!(!covers("logs.**", "**"));
    }

    #[test]
    fn wildcards_do_not_reach_the_topics_of_the_server() {
        assert!(!covers("**", "$presence.a"));
        assert!(!covers("*.a", "$presence.a"));
        assert!(covers("$presence.**", "$presence.a"));
    }

    #[test]
    fn bad_patterns_are_refused_with_the_reason() {
        for (text, why) in
            [("a..b", "empty"), ("**.a", "last"), ("logs*", "whole"), ("a b", "only"), ("", "empty")]
        {
            let error = Pattern::new(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(Pattern::new(&"a".repeat(256)).is_err());
    }

    #[test]
    fn longer_literals_rank_higher() {
        let rank = |text| Pattern::new(text).unwrap().rank();
        assert!(rank("logs.*") > rank("**"));
        assert!(rank("logs.api.*") > rank("logs.**"));
        assert!(rank("logs.*") > rank("logs.**"));
        assert!(rank("logs.api") > rank("logs.*"));
        assert!(rank("logs.*.x") > rank("logs.*"));
    }
}
