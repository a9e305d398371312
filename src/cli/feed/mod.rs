//! The demo's feed: a made-up world that publishes to the topics of every protocol. Pure: random numbers in, NDJSON envelopes
//! out, so that it can be tested and replayed. Publishes to a handful of topics only.

mod analysis;
mod basics;
mod channels;
mod events;
mod stream;

use std::collections::VecDeque;

use serde_json::Value;

use super::backoff::Random;

/// Topics of the feed that belong to no protocol but the native one, for people to try.
pub const TOPICS: [&str; 6] = basics::TOPICS;
/// A session of the `events` protocol that is always busy.
pub const SESSION: &str = events::SESSION;
/// The analysis of the `analysis` protocol that is always going on.
pub const ANALYSIS: &str = analysis::ID;

/// Steps of the analysis in a second: slow enough to be watched, and far below what an analysis takes.
const ANALYSIS_STEPS_PER_SECOND: f64 = 2.0;
/// Most of all events that an analysis may be.
const ANALYSIS_SHARE_MAX: f64 = 0.3;

/// What happens in the world.
pub struct Feed {
    random: Random,
    basics: basics::Basics,
    stream: stream::Stream,
    events: events::Events,
    channels: channels::Channels,
    analysis: analysis::Analysis,
    /// Which part of what happens is a step of the analysis.
    analysis_share: f64,
    /// What has happened together and is not told yet.
    ready: VecDeque<Value>,
}

impl Feed {
    /// A world in which `per_second` events happen.
    pub fn new(random: Random, per_second: u32) -> Self {
        let analysis_share = (ANALYSIS_STEPS_PER_SECOND / f64::from(per_second)).min(ANALYSIS_SHARE_MAX);
        Self {
            random,
            basics: basics::Basics::default(),
            stream: stream::Stream::default(),
            events: events::Events::default(),
            channels: channels::Channels::default(),
            analysis: analysis::Analysis::default(),
            analysis_share,
            ready: VecDeque::new(),
        }
    }

    /// The next event, as an envelope with its topic.
    pub fn next(&mut self) -> Value {
        if let Some(event) = self.ready.pop_front() {
            return event;
        }
        if self.random.fraction() < self.analysis_share {
            self.ready = self.analysis.step(&mut self.random).into();
        }
        self.ready.pop_front().unwrap_or_else(|| self.other())
    }

    fn other(&mut self) -> Value {
        match self.random.below(20) {
            0..9 => self.basics.next(&mut self.random),
            9..13 => self.stream.next(&mut self.random),
            13..17 => self.events.next(&mut self.random),
            _ => self.channels.next(&mut self.random),
        }
    }
}

fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.below(choices.len())]
}

/// A step of a random walk between 0 and 100.
fn wander(random: &mut Random, value: f64, stride: f64) -> f64 {
    (value + (random.fraction() - 0.5) * stride).clamp(0.0, 100.0)
}

/// To one digit, or to as many as `scale` has zeros.
fn rounded(value: f64, scale: f64) -> f64 {
    (value * scale).round() / scale
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
