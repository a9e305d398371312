//! The gates of topics whose protocol joins events or derives something from them. The lock of a gate is held until what
//! it let through is appended, so that its topic has the order in which the gate saw them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::dialect::protocol::Gate;
use crate::engine::{Body, Now, Placed, Published, TopicError};
use crate::sync::{Mutex, lock};

type Shared = Arc<Mutex<Box<dyn Gate>>>;

/// Gates by topic.
#[derive(Default)]
pub struct Gates(Mutex<HashMap<Box<str>, Shared>>);

impl Gates {
    fn of(&self, name: &str, fresh: Box<dyn Gate>) -> Shared {
        Arc::clone(lock(&self.0).entry(name.into()).or_insert_with(|| Arc::new(Mutex::new(fresh))))
    }

    /// Shows `bodies` to the gate of topic `name`, which is `fresh` if it has none, and appends what comes out.
    ///
    /// # Errors
    /// Those of `append`; what was held back stays so.
    pub fn pass(
        &self,
        name: &str,
        fresh: Box<dyn Gate>,
        bodies: Vec<Body>,
        now: Now,
        append: impl FnOnce(Vec<Body>) -> Result<Placed, TopicError>,
    ) -> Result<Placed, TopicError> {
        let gate = self.of(name, fresh);
        let mut gate = lock(&gate);
        let (mut out, mut indexes) = (Vec::new(), Vec::with_capacity(bodies.len()));
        for body in bodies {
            let before = gate.due_micros().is_some();
            let from = out.len();
            gate.offer(body, now, &mut out);
            // The event itself comes last; what it made due comes before it.
            indexes
                .push((out.len() > from && !(before && gate.due_micros().is_some())).then(|| out.len() - 1));
        }
        let placed = append(out)?;
        let held = Published { offset: 0, duplicate: false };
        let place = |index: Option<usize>| index.map_or(Ok(held), |index| placed.places[index].clone());
        let places = indexes.into_iter().map(place).collect();
        Ok(Placed { topic: placed.topic, places })
    }

    /// What the gate of topic `name` has derived.
    pub fn summary(&self, name: &str, now: Now) -> Option<Vec<u8>> {
        let gate = lock(&self.0).get(name).map(Arc::clone)?;
        let summary = lock(&gate).summary(now);
        Some(summary)
    }

    /// Appends what is due; when something is due next.
    pub fn flush_due(
        &self,
        now: Now,
        append: impl Fn(&str, Vec<Body>) -> Result<(), TopicError>,
    ) -> Option<u64> {
        let gates: Vec<_> =
            lock(&self.0).iter().map(|(name, gate)| (name.clone(), Arc::clone(gate))).collect();
        let mut next = None;
        for (name, gate) in gates {
            let mut gate = lock(&gate);
            if gate.due_micros().is_some_and(|due| due <= now.micros) {
                let mut out = Vec::new();
                gate.flush(now, &mut out);
                if let Err(error) = append(&name, out) {
                    tracing::error!(topic = %name, %error, "events that were held back are lost");
                }
            }
            next = [next, gate.due_micros()].into_iter().flatten().min();
        }
        next
    }
}
