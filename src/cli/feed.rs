//! The demo's feed: made-up agents at work, tokens of an answer, metrics that wander, logs. Pure: random numbers in, NDJSON
//! envelopes out, so that it can be tested and replayed. Publishes to a handful of topics only.

use serde_json::{Value, json};

use super::backoff::Random;

/// What the demo's language model says, over and over.
const ANSWER: &str = "Backpressure is what keeps a fast producer from drowning a slow consumer. In a fan-out server \
    there is one producer and a crowd of consumers, so slowing the producer would punish everybody for the slowest \
    reader. Instead each reader keeps a cursor into a shared log; whoever falls too far behind is told exactly what was \
    missed and goes on from there.";

const TOOLS: [&str; 5] = ["search", "read_file", "run_tests", "query_db", "summarize"];
const STEPS: [&str; 5] = [
    "The logs show a spike at 09:14; compare it with the deploys",
    "Two sources disagree, look for a third",
    "The test passes alone and fails together: shared state",
    "Split the question: what changed, and when",
    "Enough evidence, write it up",
];
const PATHS: [&str; 5] = ["/v1/orders", "/v1/users/me", "/health", "/v1/search", "/v1/cart"];
const METHODS: [&str; 4] = ["GET", "GET", "GET", "POST"];

/// Topics of the feed, for people to try.
pub const TOPICS: [&str; 6] = [
    "agents.planner.trace",
    "agents.researcher.trace",
    "tokens.session-42",
    "metrics.host-1",
    "metrics.host-2",
    "logs.api",
];

/// The state of the made-up world.
pub struct Feed {
    random: Random,
    words: std::iter::Cycle<std::str::SplitWhitespace<'static>>,
    token: u64,
    step: u64,
    hosts: [(f64, f64); 2],
}

impl Feed {
    /// Begins a feed.
    pub fn new(random: Random) -> Self {
        let words = ANSWER.split_whitespace().cycle();
        Self { random, words, token: 0, step: 0, hosts: [(35.0, 48.0), (62.0, 71.0)] }
    }

    /// The next event, as an envelope with its topic. Tokens are half of them, as they are where models talk.
    pub fn next(&mut self) -> Value {
        match self.random.below(10) {
            0..5 => self.token(),
            5 | 6 => self.agent(),
            7 => self.metric(),
            _ => self.log(),
        }
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.random.below(choices.len())]
    }

    fn token(&mut self) -> Value {
        let word = self.words.next().unwrap_or_default();
        self.token += 1;
        let data = json!({"index": self.token, "text": format!("{word} ")});
        json!({"topic": "tokens.session-42", "type": "token", "data": data})
    }

    fn agent(&mut self) -> Value {
        let agent = self.pick(&["planner", "researcher"]);
        self.step += 1;
        let (kind, data) = match self.random.below(3) {
            0 => ("step", json!({"step": self.step, "thought": self.pick(&STEPS)})),
            1 => ("tool.call", json!({"step": self.step, "tool": self.pick(&TOOLS), "attempt": 1})),
            _ => ("tool.result", self.tool_result()),
        };
        json!({"topic": format!("agents.{agent}.trace"), "type": kind, "key": agent, "data": data})
    }

    fn tool_result(&mut self) -> Value {
        let millis = 20 + self.random.below(1800);
        json!({"step": self.step, "tool": self.pick(&TOOLS), "ok": self.random.below(12) > 0, "ms": millis})
    }

    fn metric(&mut self) -> Value {
        let host = self.random.below(self.hosts.len());
        let (cpu, memory) = self.hosts[host];
        let cpu = wander(&mut self.random, cpu, 6.0);
        let memory = wander(&mut self.random, memory, 1.0);
        self.hosts[host] = (cpu, memory);
        let data = json!({"cpu_percent": round(cpu), "memory_percent": round(memory)});
        json!({"topic": format!("metrics.host-{}", host + 1), "type": "sample", "key": "load", "data": data})
    }

    fn log(&mut self) -> Value {
        let status = self.pick(&[200, 200, 200, 200, 201, 304, 404, 500]);
        let data = json!({
            "method": self.pick(&METHODS), "path": self.pick(&PATHS), "status": status, "ms": 1 + self.random.below(240),
        });
        let tag = if status >= 500 { "error" } else { "access" };
        json!({"topic": "logs.api", "type": "request", "tags": [tag], "data": data})
    }
}

/// A step of a random walk between 0 and 100.
fn wander(random: &mut Random, value: f64, stride: f64) -> f64 {
    (value + (random.fraction() - 0.5) * stride).clamp(0.0, 100.0)
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feed_is_lively_and_keeps_to_its_topics() {
        let mut feed = Feed::new(Random::seeded(1));
        let events: Vec<Value> = (0..500).map(|_| feed.next()).collect();
        let topic = |event: &Value| event["topic"].as_str().unwrap().to_owned();
        assert!(
            events.iter().all(|event| TOPICS.contains(&topic(event).as_str()) && !event["data"].is_null())
        );
        assert!(TOPICS.iter().all(|name| events.iter().any(|event| topic(event) == *name)));
    }

    #[test]
    fn walks_stay_in_range() {
        let mut random = Random::seeded(2);
        let last = (0..10_000).fold(50.0, |value, _| wander(&mut random, value, 20.0));
        assert!((0.0..=100.0).contains(&last));
    }
}
