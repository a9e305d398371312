//! What a responder speaks through.

use std::sync::Arc;
use std::time::Duration;

use super::Failure;
use super::desk::Core;
use super::talk::{Current, Talk};
use crate::dialect::sessions::Step;
use crate::dialect::sessions::step::Code;
use crate::engine::{Body, Now};
use crate::json::text::write_string;
use crate::sync::lock;

/// Why a step was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// The topic takes no more now: the same again, after so many milliseconds.
    Wait(u64),
    /// The turn is over, or cancelled; nothing more is wanted.
    Over,
    /// The answer is longer than it may be, or cannot be published.
    Failed(Failure),
}

/// One turn's way to its readers. Cheap to clone; may be used from any thread.
#[derive(Clone)]
pub struct Sink {
    pub(super) core: Arc<Core>,
    pub(super) talk: Arc<Talk>,
    pub(super) turn: u64,
}

impl Sink {
    /// Publishes a step at once, behind all that were taken before.
    ///
    /// # Errors
    /// Why not; nothing was published.
    pub fn put(&self, step: &Step) -> Result<(), Held> {
        self.take(
            |current| {
                let written = self.fits(current, step).map_err(Held::Failed)?;
                Ok((step.body(current.written), written))
            },
            |current, written| {
                if let Step::Text(content) = step {
                    current.answer.push_str(content);
                    current.written += written;
                    current.tokens += 1;
                    self.core.metrics.tokens.add(1);
                }
            },
        )
    }

    /// Publishes a step as soon as the topic takes it.
    ///
    /// # Errors
    /// The answer is too long, or the turn is over.
    pub async fn say(&self, step: Step) -> Result<(), Failure> {
        self.until_taken(|| self.put(&step)).await
    }

    /// Publishes `step` and begins the answer anew: what was said before is none of it.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn restart(&self, step: &Step) -> Result<(), Held> {
        self.take(
            |_| Ok((step.body(0), 0)),
            |current, _| {
                (current.written, current.tokens) = (0, 0);
                current.answer.clear();
            },
        )
    }

    /// Publishes `step` as soon as the topic takes it, and begins the answer anew.
    ///
    /// # Errors
    /// The turn is over.
    pub async fn begin_anew(&self, step: Step) -> Result<(), Failure> {
        self.until_taken(|| self.restart(&step)).await
    }

    /// Pieces of the answer so far.
    pub fn tokens(&self) -> usize {
        lock(&self.talk.state).live(self.turn).map_or(0, |current| current.tokens)
    }

    /// Whether nothing more is wanted.
    pub fn is_over(&self) -> bool {
        lock(&self.talk.state).live(self.turn).is_none()
    }

    /// The time; [`super::Job::deadline_ms`] is told by the same clock.
    pub fn now(&self) -> Now {
        self.core.now()
    }

    /// Publishes the first event of the turn.
    pub(super) async fn begin(&self, body: &Body) -> Result<(), Failure> {
        self.until_taken(|| self.take(|_| Ok((body.clone(), 0)), |_, _| {})).await
    }

    async fn until_taken(&self, attempt: impl Fn() -> Result<(), Held>) -> Result<(), Failure> {
        loop {
            match attempt() {
                Ok(()) => return Ok(()),
                Err(Held::Wait(millis)) => tokio::time::sleep(Duration::from_millis(millis)).await,
                Err(Held::Over) => return Err(Failure::new(Code::ConnectionLost, "the turn is over")),
                Err(Held::Failed(failure)) => return Err(failure),
            }
        }
    }

    /// Publishes what `make` makes of the turn as it is, and then changes it.
    fn take(
        &self,
        make: impl FnOnce(&Current) -> Result<(Body, usize), Held>,
        change: impl FnOnce(&mut Current, usize),
    ) -> Result<(), Held> {
        let now = self.core.now();
        let mut state = lock(&self.talk.state);
        let current = state.live(self.turn).ok_or(Held::Over)?;
        let (body, written) = make(current)?;
        self.core.publish(&self.talk.topic, body, now)?;
        change(current, written);
        state.touched_ms = now.millis();
        Ok(())
    }

    /// The bytes of a piece of the answer as JSON, if there is room for it.
    fn fits(&self, current: &Current, step: &Step) -> Result<usize, Failure> {
        let Step::Text(content) = step else { return Ok(0) };
        let (tokens, bytes) = (self.core.settings.answer_tokens, self.core.settings.answer_bytes);
        if current.tokens >= tokens || current.answer.len() + content.len() > bytes {
            let message = format!("the answer is longer than {tokens} pieces or {bytes} bytes");
            return Err(Failure::new(Code::Failed, message));
        }
        let mut json = Vec::with_capacity(content.len() + 2);
        write_string(&mut json, content);
        Ok(json.len() - 2)
    }
}
