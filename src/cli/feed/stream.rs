//! What an agent hears, measures, thinks and logs: the `stream` protocol.

use serde_json::{Value, json};

use super::{Random, pick, rounded, wander};

const QUESTIONS: [&str; 4] = [
    "Is the nightly export done?",
    "Why did the build take twice as long today?",
    "Please book the small room for Thursday",
    "Which customers were hit by the outage?",
];
const REPLIES: [&str; 4] = [
    "Yes, at 02:41, with 1,204 rows",
    "The cache was cold; the next one should be as fast as usual",
    "Booked from 10 to 11",
    "Seven; I have put the list into the report",
];
const THOUGHTS: [(&str, &str); 4] = [
    ("perceive", "Somebody asks for a state, not for an action"),
    ("plan", "Look it up first, answer second"),
    ("ponder", "The number differs from yesterday's; mention it"),
    ("decide", "Good enough to answer"),
];
const LINES: [(&str, &str, &str); 4] = [
    ("INFO", "agent.loop", "Turn finished"),
    ("DEBUG", "agent.memory", "Recalled 3 episodes"),
    ("WARNING", "agent.tools", "Search was slow, result taken from the cache"),
    ("ERROR", "agent.tools", "Calendar refused the request, trying again"),
];

/// Its state.
pub(super) struct Stream {
    messages: u64,
    thoughts: u64,
    load: f64,
}

impl Default for Stream {
    fn default() -> Self {
        Self { messages: 0, thoughts: 0, load: 40.0 }
    }
}

impl Stream {
    pub(super) fn next(&mut self, random: &mut Random) -> Value {
        let (stream, data) = match random.below(4) {
            0 => ("message", self.message(random)),
            1 => ("telemetry", self.telemetry(random)),
            2 => ("reasoning", self.reasoning(random)),
            _ => ("log", log(random)),
        };
        json!({"topic": format!("stream.{stream}"), "type": stream, "data": data})
    }

    /// Questions and replies in turn.
    fn message(&mut self, random: &mut Random) -> Value {
        self.messages += 1;
        let (author, direction, content) = match self.messages % 2 {
            1 => ("ann", "incoming", pick(random, &QUESTIONS)),
            _ => ("agent", "outgoing", pick(random, &REPLIES)),
        };
        json!({
            "message_id": format!("msg-{}", self.messages), "channel_id": "general", "author_id": author,
            "content": content, "direction": direction,
        })
    }

    fn telemetry(&mut self, random: &mut Random) -> Value {
        self.load = wander(random, self.load, 8.0);
        let value = rounded(self.load, 10.0);
        json!({"metric_name": "cpu_percent", "value": value, "unit": "%", "tags": {"host": "agent-1"}})
    }

    fn reasoning(&mut self, random: &mut Random) -> Value {
        self.thoughts += 1;
        let (step, thought) = pick(random, &THOUGHTS);
        json!({
            "reasoning_id": format!("thought-{}", self.thoughts), "step": step, "thought": thought,
            "depth": random.below(4), "handler": null,
        })
    }
}

fn log(random: &mut Random) -> Value {
    let (level, logger, message) = pick(random, &LINES);
    let context = json!({"turn": random.below(1000)});
    json!({"level": level, "logger_name": logger, "message": message, "context": context})
}
