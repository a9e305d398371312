//! Settings of sessions: questions that are answered token by token.

use std::time::Duration;

use super::kind::{Bytes, Count, Seconds};
use super::pattern::Pattern;
use super::section::section;
use super::table::Namespace;
use crate::limits;

section! {
    /// Sessions.
    Sessions = "sessions" {
        /// Sessions that are remembered; another is refused with 429. About 1 KiB each, and `history_bytes`.
        max: Count<1> = limits::SESSIONS_MAX;
        /// Sessions of one user that are remembered; another is refused with 429.
        per_user: Count<1> = limits::SESSIONS_PER_USER;
        /// Questions of one user that are answered or wait to be; another is refused with 429. 0 means no bound.
        running_per_user: Count<0> = limits::SESSIONS_RUNNING_PER_USER;
        /// Longest question; a longer one is refused with 413.
        question_bytes: Bytes<1> = limits::QUESTION_BYTES_MAX;
        /// Largest context that a client may give.
        context_bytes: Bytes<1> = limits::SESSION_CONTEXT_BYTES;
        /// Pieces of an answer; one that goes on ends with an error.
        answer_tokens: Count<1> = limits::ANSWER_TOKENS_MAX;
        /// Bytes of an answer; one that goes on ends with an error.
        answer_bytes: Bytes<1> = limits::ANSWER_BYTES_MAX;
        /// Time for an answer; one that takes longer ends with an error.
        answer_seconds: Seconds<1> = Duration::from_secs(limits::ANSWER_SECONDS);
        /// Time for which an answer goes on that nobody reads.
        unwatched_seconds: Seconds<1> = Duration::from_secs(limits::UNWATCHED_SECONDS);
        /// Time for which a session that is not used is remembered, with all it has said, unless a namespace for it (`sessions.**`, `rooms.**`) says otherwise.
        idle_seconds: Seconds<1> = Duration::from_secs(limits::SESSION_IDLE_SECONDS);
        /// Earlier questions and answers that feed the next answer.
        history_turns: Count<0> = limits::HISTORY_TURNS;
        /// Their bytes.
        history_bytes: Bytes<0> = limits::HISTORY_BYTES;
    }
}

impl Sessions {
    /// The topics of sessions and rooms.
    const TOPICS: [&'static str; 2] = ["sessions.**", "rooms.**"];

    /// The patterns of their topics.
    pub fn topics() -> impl Iterator<Item = Pattern> {
        Self::TOPICS.into_iter().filter_map(|topics| Pattern::new(topics).ok())
    }

    /// Whether a namespace is one of their topics alone.
    pub fn covers(pattern: &Pattern) -> bool {
        Self::topics().any(|topics| topics.covers(pattern.as_str()))
    }

    /// What their topics have where no namespace says otherwise, and `base` has the rest. A whole answer is kept, whatever
    /// other topics keep.
    pub fn namespace(&self, base: &Namespace) -> Namespace {
        let retain_events = limits::SESSION_RETAIN_EVENTS.max(2 * self.answer_tokens);
        Namespace {
            retain_events,
            retain_bytes: base.retain_bytes.max(16 * self.answer_bytes),
            retain_seconds: self.idle_seconds,
            slow_events: retain_events,
            ..base.clone()
        }
    }
}
