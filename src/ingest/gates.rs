//! Offering events to the gate of their topic. Its lock is held until what it let through is appended, so that the topic has the
//! order in which the gate saw them; publishers of other topics are not kept waiting.

use std::collections::HashSet;

use crate::engine::{Body, Gate, Now, Placed, Published, Topic};

/// What a gate let through of a batch.
#[derive(Default)]
pub struct Passed {
    /// To be appended.
    pub out: Vec<Body>,
    /// For each event offered, which of `out` it is in; `None` while it is held back.
    indexes: Vec<Option<usize>>,
}

impl Passed {
    /// Offers `bodies` to the gate of `topic`. What the log knows by its idempotency key is not appended again, so the gate does
    /// not see it again either.
    pub fn through(gate: &mut dyn Gate, topic: &Topic, bodies: Vec<Body>, now: Now) -> Self {
        let mut passed = Self { indexes: Vec::with_capacity(bodies.len()), ..Self::default() };
        let mut keys = HashSet::new();
        for body in bodies {
            let repeated = is_repeated(topic, &body, &mut keys, now);
            let is_out = match repeated {
                true => {
                    passed.out.push(body);
                    true
                }
                false => gate.offer(body, now, &mut passed.out),
            };
            passed.indexes.push(is_out.then(|| passed.out.len() - 1));
        }
        passed
    }

    /// From the places of `out` to those of the events offered.
    pub fn places(&self, placed: Placed) -> Placed {
        let held = Published { offset: 0, duplicate: false };
        let place = |index: &Option<usize>| index.map_or(Ok(held), |index| placed.places[index].clone());
        Placed { places: self.indexes.iter().map(place).collect(), ..placed }
    }
}

/// Whether an event with the same idempotency key was published, or stands earlier in the batch.
fn is_repeated(topic: &Topic, body: &Body, keys: &mut HashSet<Box<str>>, now: Now) -> bool {
    let key = body.idempotency_key();
    let counts = !key.is_empty() && topic.namespace().idempotency_ms > 0;
    counts && (topic.has_published(key, now) || !keys.insert(key.into()))
}
