//! Sessions and their topics: session `s` is the topic `events.s`.
//!
//! Ids of sessions may contain anything, names of topics may not. A byte that cannot stand there is written `@` and two hex digits in
//! lower case, and so is an `@` that would be taken for one of these: every id has one topic, and every such topic one id.

use std::borrow::Cow;

use crate::engine::name::{NameError, validate};
use crate::wire::percent::hex;

/// The topic of all sessions.
pub const FEED: &str = "events";
/// What topics of sessions begin with.
pub const PREFIX: &str = "events.";

/// The topic of a session.
///
/// # Errors
/// The id is empty, or the topic's name would be too long.
pub fn topic_of(session: &str) -> Result<String, NameError> {
    let mut topic = String::with_capacity(PREFIX.len() + session.len());
    topic.push_str(PREFIX);
    let bytes = session.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        if stands_for_itself(bytes, at) {
            topic.push(char::from(byte));
        } else {
            topic.push_str(&format!("@{byte:02x}"));
        }
    }
    validate(&topic).map(|()| topic)
}

/// The session of a topic; `None` when it is the topic of none.
pub fn session_of(topic: &str) -> Option<Cow<'_, str>> {
    let encoded = topic.strip_prefix(PREFIX)?;
    if !encoded.contains('@') {
        return Some(Cow::Borrowed(encoded));
    }
    let session = decoded(encoded)?;
    (topic_of(&session).ok()? == topic).then_some(Cow::Owned(session))
}

fn stands_for_itself(bytes: &[u8], at: usize) -> bool {
    match bytes[at] {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b':' | b'-' => true,
        b'.' => at > 0 && bytes[at - 1] != b'.' && at + 1 < bytes.len(),
        b'@' => escaped(&bytes[at..]).is_none(),
        _ => false,
    }
}

/// The byte that `@2e` at the beginning of `bytes` stands for.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let digits = bytes.get(1..3).filter(|digits| !digits.iter().any(u8::is_ascii_uppercase))?;
    hex(digits)
}

fn decoded(encoded: &str) -> Option<String> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, tail @ ..] = rest {
        let byte = if *first == b'@' { escaped(rest) } else { None };
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &rest[3..] } else { tail };
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn topics_of_sessions() {
        let cases = [
            ("session-123", "events.session-123"),
            ("a.b", "events.a.b"),
            (".a..b.", "events.@2ea.@2eb@2e"),
            ("a b/ä", "events.a@20b@2f@c3@a4"),
            ("me@host", "events.me@host"),
            ("me@beef", "events.me@40beef"),
            ("me@BEef", "events.me@BEef"),
        ];
        for (session, topic) in cases {
            assert_eq!(topic_of(session).as_deref(), Ok(topic));
            assert_eq!(session_of(topic).as_deref(), Some(session));
        }
        assert!(topic_of("").is_err() && topic_of(&"x".repeat(249)).is_err());
    }

    #[test]
    fn topics_of_none() {
        for topic in ["events", "events.a@2eb", "events.a@ff", "other.a"] {
            assert_eq!(session_of(topic), None, "{topic}");
        }
    }

    proptest! {
        #[test]
        fn every_session_comes_back(session in "[a@2e. ä]{1,12}") {
            let topic = topic_of(&session).expect("short enough");
            prop_assert_eq!(session_of(&topic), Some(Cow::from(session)));
        }
    }
}
