//! Names of topics, and the patterns that select them.
//!
//! A name is checked once, where it enters; behind that the engine takes it for granted. Matching a pattern happens for
//! every new topic and every pattern subscription, so it walks both texts side by side and never allocates.
//! A pattern never selects a `$presence.` topic: who is present is read by asking for it.

use crate::limits::TOPIC_NAME_BYTES_MAX;

/// What the topic of joins and leaves is called before the name of the topic itself.
const PRESENCE: &str = "$presence.";

/// The topic of those who join and leave `topic`.
pub fn presence_topic(topic: &str) -> String {
    format!("{PRESENCE}{topic}")
}

/// Why a text names no topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No bytes at all.
    #[error("a topic name must not be empty")]
    Empty,
    /// Longer than [`TOPIC_NAME_BYTES_MAX`].
    #[error("a topic name has at most {TOPIC_NAME_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// A byte outside of `A-Za-z0-9._:@-`.
    #[error("byte {byte:?} at {at} is not one of A-Z a-z 0-9 . _ : @ -", byte = *.byte as char)]
    Byte {
        /// The byte.
        byte: u8,
        /// Where it stands, from 0.
        at: usize,
    },
    /// Two dots in a row, or one at either end.
    #[error("the segment at byte {at} is empty")]
    EmptySegment {
        /// Where the segment would begin, from 0.
        at: usize,
    },
    /// `**` with segments behind it.
    #[error("`**` at byte {at} is not the last segment")]
    NotLast {
        /// Where it stands, from 0.
        at: usize,
    },
}

/// Whether `name` may be published to: 1 to [`TOPIC_NAME_BYTES_MAX`] bytes of `A-Za-z0-9._:@-`, no empty segment.
///
/// # Errors
/// The first rule that is broken, and where.
pub fn validate(name: &str) -> Result<(), NameError> {
    check_length(name)?;
    let mut previous = b'.';
    for (at, &byte) in name.as_bytes().iter().enumerate() {
        check_byte(previous, byte, at)?;
        previous = byte;
    }
    if previous == b'.' { Err(NameError::EmptySegment { at: name.len() }) } else { Ok(()) }
}

/// Whether `name` may be read: a name as for [`validate`], or one behind `$presence.`.
///
/// # Errors
/// As [`validate`]; positions count from behind `$presence.`.
pub fn validate_readable(name: &str) -> Result<(), NameError> {
    validate(presence_of(name).unwrap_or(name))
}

/// The topic whose joins and leaves are published on `name`, when that is what it is for.
pub fn presence_of(name: &str) -> Option<&str> {
    name.strip_prefix(PRESENCE)
}

fn check_length(text: &str) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty),
        1..=TOPIC_NAME_BYTES_MAX => Ok(()),
        bytes => Err(NameError::TooLong(bytes)),
    }
}

fn check_byte(previous: u8, byte: u8, at: usize) -> Result<(), NameError> {
    match byte {
        b'.' if previous == b'.' => Err(NameError::EmptySegment { at }),
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'@' | b'-' => Ok(()),
        _ => Err(NameError::Byte { byte, at }),
    }
}

/// A selection of topics: `*` stands for exactly one segment, `**` as the last segment for one or more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern {
    text: Box<str>,
    /// Bytes in front of the first wildcard; all of them when there is none.
    literal: usize,
}

impl Pattern {
    /// Reads a pattern. A name without a wildcard is one too, and matches itself.
    ///
    /// # Errors
    /// As [`validate`]; a `*` that is not a whole segment is [`NameError::Byte`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_length(text)?;
        let mut at = 0;
        let mut literal = text.len();
        for segment in text.split('.') {
            if check_segment(text, segment, at)? {
                literal = literal.min(at);
            }
            at += segment.len() + 1;
        }
        Ok(Self { text: text.into(), literal })
    }

    /// Whether the topic `name` is selected. Never true for a `$presence.` topic.
    pub fn matches(&self, name: &str) -> bool {
        if self.is_literal() {
            return name == &*self.text;
        }
        match name.strip_prefix(self.literal_prefix()) {
            Some(rest) => !name.starts_with('$') && segments_match(&self.text[self.literal..], rest),
            None => false,
        }
    }

    /// Whether there is no wildcard, so that it selects at most one topic.
    pub fn is_literal(&self) -> bool {
        self.literal == self.text.len()
    }

    /// What every selected name begins with: the text in front of the first wildcard, its dot included.
    pub fn literal_prefix(&self) -> &str {
        &self.text[..self.literal]
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Checks one segment of a pattern that begins at `start`, and says whether it is a wildcard.
fn check_segment(text: &str, segment: &str, start: usize) -> Result<bool, NameError> {
    match segment {
        "" => Err(NameError::EmptySegment { at: start }),
        "*" => Ok(true),
        "**" if start + 2 == text.len() => Ok(true),
        "**" => Err(NameError::NotLast { at: start }),
        _ => segment
            .bytes()
            .enumerate()
            .try_for_each(|(i, byte)| check_byte(0, byte, start + i))
            .map(|()| false),
    }
}

fn segments_match(mut pattern: &str, mut name: &str) -> bool {
    loop {
        if pattern == "**" {
            return !name.is_empty();
        }
        let (want, pattern_rest) = cut(pattern);
        let (have, name_rest) = cut(name);
        if have.is_empty() || (want != "*" && want != have) {
            return false;
        }
        match (pattern_rest, name_rest) {
            (Some(p), Some(n)) => (pattern, name) = (p, n),
            (p, n) => return p.is_none() && n.is_none(),
        }
    }
}

/// The first segment, and what follows its dot.
fn cut(text: &str) -> (&str, Option<&str>) {
    match text.bytes().position(|b| b == b'.') {
        Some(dot) => (&text[..dot], Some(&text[dot + 1..])),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        let long = "a".repeat(255);
        let longer = "a".repeat(256);
        let cases: &[(&str, Result<(), NameError>)] = &[
            ("a", Ok(())),
            ("Analysis.job:7@x_-.Z", Ok(())),
            (&long, Ok(())),
            ("", Err(NameError::Empty)),
            (&longer, Err(NameError::TooLong(256))),
            (".a", Err(NameError::EmptySegment { at: 0 })),
            ("a..b", Err(NameError::EmptySegment { at: 2 })),
            ("a.", Err(NameError::EmptySegment { at: 2 })),
            ("a b", Err(NameError::Byte { byte: b' ', at: 1 })),
            ("a.*", Err(NameError::Byte { byte: b'*', at: 2 })),
            ("ä", Err(NameError::Byte { byte: 0xc3, at: 0 })),
            ("$presence.a", Err(NameError::Byte { byte: b'$', at: 0 })),
        ];
        for (name, expected) in cases {
            assert_eq!(validate(name), *expected, "{name}");
        }
        assert_eq!(
            validate("a b").expect_err("invalid").to_string(),
            "byte ' ' at 1 is not one of A-Z a-z 0-9 . _ : @ -"
        );
    }

    #[test]
    fn presence() {
        assert_eq!(presence_of("$presence.a.b"), Some("a.b"));
        assert_eq!(presence_of("presence.a"), None);
        for (name, ok) in [("a", true), ("$presence.a", true), ("$presence.", false), ("$other.a", false)] {
            assert_eq!(validate_readable(name).is_ok(), ok, "{name}");
        }
        assert!(validate_readable("$presence.$presence.a").is_err());
    }

    #[test]
    fn patterns_that_are_wrong() {
        let cases = [
            ("", NameError::Empty),
            ("a*", NameError::Byte { byte: b'*', at: 1 }),
            ("a.***", NameError::Byte { byte: b'*', at: 2 }),
            ("a..*", NameError::EmptySegment { at: 2 }),
            ("**.a", NameError::NotLast { at: 0 }),
            ("$presence.*", NameError::Byte { byte: b'$', at: 0 }),
        ];
        for (text, expected) in cases {
            assert_eq!(Pattern::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn patterns() {
        let cases = [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("a.*", "ab.c", false),
            ("a.*.c", "a.b.c", true),
            ("a.*.c", "a.b.d", false),
            ("*.b", "a.b", true),
            ("a.**", "a.b", true),
            ("a.**", "a.b.c", true),
            ("a.**", "a", false),
            ("*.**", "a.b.c", true),
            ("*.**", "a", false),
            ("**", "a", true),
            ("**", "$presence.a", false),
            ("*.*", "$presence.a", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(Pattern::parse(pattern).expect("valid").matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn literal_parts() {
        for (text, literal, prefix) in
            [("a.b", true, "a.b"), ("a.*", false, "a."), ("**", false, ""), ("a.b.*.c", false, "a.b.")]
        {
            let pattern = Pattern::parse(text).expect("valid");
            assert_eq!((pattern.is_literal(), pattern.literal_prefix()), (literal, prefix), "{text}");
        }
    }

    fn naive(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern, name) {
            (["**"], [_, ..]) => true,
            (["*", p @ ..], [_, n @ ..]) => naive(p, n),
            ([a, p @ ..], [b, n @ ..]) => a == b && naive(p, n),
            ([], []) => true,
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matches_as_the_naive_matcher(
            pattern in r"(a|b|aa|\*)(\.(a|b|aa|\*)){0,3}(\.\*\*)?",
            name in r"(a|b|aa)(\.(a|b|aa)){0,4}",
        ) {
            let (p, n): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), name.split('.').collect());
            prop_assert_eq!(Pattern::parse(&pattern).expect("valid").matches(&name), naive(&p, &n));
        }
    }
}
