//! The gate of an analysis: joins thoughts that come one after another into one event, and keeps the progress.
//!
//! Only plain thoughts are joined. One with a key, tags or an idempotency key of its own is an event of its own, because these
//! could not be kept; and so is one whose data says more than thoughts.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::admit::THINKING;
use super::progress::Progress;
use crate::engine::{Body, Gate, Now, Parts};
use crate::json::text::write_u64;
use crate::limits::{ANALYSIS_THOUGHT_BYTES_MAX, ANALYSIS_THOUGHTS_MAX};

/// See the module.
pub(super) struct AnalysisGate {
    window_micros: u64,
    held: Held,
    progress: Progress,
}

/// Thoughts that wait for others.
#[derive(Default)]
struct Held {
    /// As JSON, with commas between.
    thoughts: Vec<u8>,
    count: usize,
    /// The id that the first of them was published with.
    id: String,
    due_micros: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow)]
    thoughts: Vec<&'a RawValue>,
    #[serde(default, rename = "batch_size")]
    _batch_size: Option<IgnoredAny>,
}

/// The thoughts of an event that may be joined with others.
fn joinable(body: &Body) -> Option<Vec<&RawValue>> {
    let plain = body.key().is_empty() && body.idempotency_key().is_empty() && body.tags().next().is_none();
    let batch = (plain && body.event() == THINKING).then(|| serde_json::from_slice::<Batch<'_>>(body.data()));
    batch?.ok().map(|batch| batch.thoughts)
}

impl AnalysisGate {
    /// The gate of analysis `id`, which collects thoughts for `window_ms`.
    pub(super) fn new(id: &str, window_ms: u64) -> Self {
        Self { window_micros: window_ms * 1000, held: Held::default(), progress: Progress::new(id) }
    }
}

impl Gate for AnalysisGate {
    fn offer(&mut self, body: Body, now: Now, out: &mut Vec<Body>) -> bool {
        self.progress.observe(&body, now);
        if self.held.due_micros.is_some_and(|due| due <= now.micros) {
            self.held.flush(out);
        }
        if self.window_micros > 0
            && let Some(thoughts) = joinable(&body)
        {
            return self.held.add(&thoughts, body.id(), now.micros + self.window_micros, out);
        }
        self.held.flush(out);
        out.push(body);
        true
    }

    fn due_micros(&self) -> Option<u64> {
        self.held.due_micros
    }

    fn flush(&mut self, _now: Now, out: &mut Vec<Body>) {
        self.held.flush(out);
    }

    fn summary(&self, now: Now) -> Option<Vec<u8>> {
        self.progress.summary(now)
    }
}

impl Held {
    /// Adds thoughts; whether they have gone out, because no more may wait.
    fn add(&mut self, thoughts: &[&RawValue], id: &str, due_micros: u64, out: &mut Vec<Body>) -> bool {
        let bytes: usize = thoughts.iter().map(|thought| thought.get().len() + 1).sum();
        if !self.has_room(thoughts.len(), bytes) {
            self.flush(out);
        }
        if self.count == 0 {
            self.id = id.into();
            self.due_micros = Some(due_micros);
        }
        for thought in thoughts {
            self.thoughts.extend_from_slice(if self.count == 0 { b"" } else { b"," });
            self.thoughts.extend_from_slice(thought.get().as_bytes());
            self.count += 1;
        }
        let full = !self.has_room(1, 1);
        if full {
            self.flush(out);
        }
        full
    }

    fn has_room(&self, thoughts: usize, bytes: usize) -> bool {
        self.count + thoughts <= ANALYSIS_THOUGHTS_MAX
            && self.thoughts.len() + bytes <= ANALYSIS_THOUGHT_BYTES_MAX
    }

    /// Gives the thoughts as one event, if there are any.
    fn flush(&mut self, out: &mut Vec<Body>) {
        let held = std::mem::take(self);
        if held.count == 0 {
            return;
        }
        let mut data = b"{\"thoughts\":[".to_vec();
        data.extend_from_slice(&held.thoughts);
        data.extend_from_slice(b"],\"batch_size\":");
        write_u64(&mut data, held.count as u64);
        data.push(b'}');
        out.push(Body::new(&Parts { event: THINKING, id: &held.id, data: &data, ..Parts::default() }));
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
