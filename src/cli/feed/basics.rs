//! Agents at work, tokens of an answer, metrics that wander, logs: topics of the native protocol.

use serde_json::{Value, json};

use super::{Random, pick, rounded, wander};

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

pub(super) const TOPICS: [&str; 6] = [
    "agents.planner.trace",
    "agents.researcher.trace",
    "tokens.session-42",
    "metrics.host-1",
    "metrics.host-2",
    "logs.api",
];

/// Their state.
pub(super) struct Basics {
    words: std::iter::Cycle<std::str::SplitWhitespace<'static>>,
    token: u64,
    step: u64,
    hosts: [(f64, f64); 2],
}

impl Default for Basics {
    fn default() -> Self {
        let words = ANSWER.split_whitespace().cycle();
        Self { words, token: 0, step: 0, hosts: [(35.0, 48.0), (62.0, 71.0)] }
    }
}

impl Basics {
    /// Tokens are half of all, as they are where models talk.
    pub(super) fn next(&mut self, random: &mut Random) -> Value {
        match random.below(10) {
            0..5 => self.token(),
            5 | 6 => self.agent(random),
            7 => self.metric(random),
            _ => log(random),
        }
    }

    fn token(&mut self) -> Value {
        let word = self.words.next().unwrap_or_default();
        self.token += 1;
        let data = json!({"index": self.token, "text": format!("{word} ")});
        json!({"topic": "tokens.session-42", "type": "token", "data": data})
    }

    fn agent(&mut self, random: &mut Random) -> Value {
        let agent = pick(random, &["planner", "researcher"]);
        self.step += 1;
        let (kind, data) = match random.below(3) {
            0 => ("step", json!({"step": self.step, "thought": pick(random, &STEPS)})),
            1 => ("tool.call", json!({"step": self.step, "tool": pick(random, &TOOLS), "attempt": 1})),
            _ => ("tool.result", self.tool_result(random)),
        };
        json!({"topic": format!("agents.{agent}.trace"), "type": kind, "key": agent, "data": data})
    }

    fn tool_result(&mut self, random: &mut Random) -> Value {
        let millis = 20 + random.below(1800);
        json!({"step": self.step, "tool": pick(random, &TOOLS), "ok": random.below(12) > 0, "ms": millis})
    }

    fn metric(&mut self, random: &mut Random) -> Value {
        let host = random.below(self.hosts.len());
        let (cpu, memory) = self.hosts[host];
        let cpu = wander(random, cpu, 6.0);
        let memory = wander(random, memory, 1.0);
        self.hosts[host] = (cpu, memory);
        let data = json!({"cpu_percent": rounded(cpu, 10.0), "memory_percent": rounded(memory, 10.0)});
        json!({"topic": format!("metrics.host-{}", host + 1), "type": "sample", "key": "load", "data": data})
    }
}

fn log(random: &mut Random) -> Value {
    let status = pick(random, &[200, 200, 200, 200, 201, 304, 404, 500]);
    let data = json!({
        "method": pick(random, &METHODS), "path": pick(random, &PATHS), "status": status, "ms": 1 + random.below(240),
    });
    let tag = if status >= 500 { "error" } else { "access" };
    json!({"topic": "logs.api", "type": "request", "tags": [tag], "data": data})
}
