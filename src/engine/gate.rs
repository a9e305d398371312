//! What sees the events of a topic before they are appended: joins some of them into one, and derives something from all. A
//! topic has its gate for as long as it lives itself, so that there are never more gates than topics.

use std::fmt;

use super::entry::Body;
use super::now::Now;

/// Sees the events of one topic, one after another. Pure; implemented by protocols, and asked under the lock that keeps the
/// order of the topic, so what it does must be quick.
pub trait Gate: Send {
    /// Takes an event; what is to be appended now goes to `out`. Whether the event is in the last one of `out`; otherwise it is
    /// held back.
    fn offer(&mut self, body: Body, now: Now, out: &mut Vec<Body>) -> bool;

    /// When what is held back is due, monotonic microseconds; `None` when nothing is held back.
    fn due_micros(&self) -> Option<u64>;

    /// Gives what is held back, due or not.
    fn flush(&mut self, now: Now, out: &mut Vec<Body>);

    /// What it has derived, as JSON; `None` when no event has told anything yet.
    fn summary(&self, now: Now) -> Option<Vec<u8>>;
}

/// The gate of a topic, behind the topic's lock.
pub struct Gated {
    /// The gate.
    pub gate: Box<dyn Gate>,
    /// Whether somebody will look at it when what it holds back is due.
    pub listed: bool,
}

impl fmt::Debug for Gated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let due_micros = self.gate.due_micros();
        f.debug_struct("Gated").field("due_micros", &due_micros).finish_non_exhaustive()
    }
}
