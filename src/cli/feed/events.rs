//! Two coding agents at work: the `events` protocol.

use serde_json::{Value, json};

use super::{Random, pick, rounded};

/// The session in which most happens.
pub(super) const SESSION: &str = "session-123";
const OTHER_SESSION: &str = "session-7";

const CALLS: [(&str, &str, &str); 4] = [
    ("Edit", "Edit: src/main.py:45-52", "File edited"),
    ("Read", "Read: src/config.py", "212 lines"),
    ("Bash", "Bash: pytest -q", "34 passed"),
    ("Grep", "Grep: def handle_", "7 matches in 3 files"),
];
const FEATURES: [&str; 2] = ["feat-456", "feat-457"];

/// Their state.
#[derive(Default)]
pub(super) struct Events {
    count: u64,
}

impl Events {
    pub(super) fn next(&mut self, random: &mut Random) -> Value {
        self.count += 1;
        let session = if random.below(4) > 0 { SESSION } else { OTHER_SESSION };
        let (kind, status) = match random.below(12) {
            0 => ("error", "error"),
            1 => ("completion", "completed"),
            _ => ("tool_call", "completed"),
        };
        let (tool, input, output) = pick(random, &CALLS);
        let output = if kind == "error" { "Timed out" } else { output };
        let data = json!({
            "event_id": format!("evt-{}", self.count), "agent_id": "coder-1", "event_type": kind,
            "tool_name": tool, "input_summary": input, "output_summary": output, "session_id": session,
            "status": status, "model": "large-1", "parent_event_id": null,
            "execution_duration_seconds": rounded(random.fraction() * 3.0, 1000.0),
            "cost_tokens": 20 + random.below(1500), "feature_id": pick(random, &FEATURES),
        });
        json!({"topic": format!("events.{session}"), "type": kind, "data": data})
    }
}
