//! Sessions that begin and end, agents that fail, notices for everybody: the `channels` protocol.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{Random, pick};

const GOALS: [&str; 3] = ["Write a story", "Summarise the meeting", "Find the cheapest flight"];
const FAILURES: [&str; 3] = ["tool web_search timed out", "context window exceeded", "model overloaded"];
const NOTICES: [&str; 3] =
    ["Maintenance on Sunday at 04:00 UTC", "A new model is available", "Search is slower than usual"];
const AGENTS: [&str; 3] = ["agent_123", "agent_7", "agent_42"];
/// Sessions open at the same time.
const SESSIONS_MAX: usize = 3;

/// Their state.
#[derive(Default)]
pub(super) struct Channels {
    count: u64,
    /// Sessions that are open, with their agents.
    open: VecDeque<(u64, &'static str)>,
}

impl Channels {
    pub(super) fn next(&mut self, random: &mut Random) -> Value {
        let (channel, kind, data) = match random.below(10) {
            0 => (
                "agents",
                "agent.error",
                json!({"agent_id": pick(random, &AGENTS), "error": pick(random, &FAILURES)}),
            ),
            1 => (
                "agents",
                "agent.updated",
                json!({"agent_id": pick(random, &AGENTS), "version": random.below(40)}),
            ),
            2 => ("system", "system.notice", json!({"message": pick(random, &NOTICES)})),
            _ => self.session(random),
        };
        json!({"topic": format!("channels.{channel}"), "type": kind, "data": data})
    }

    fn session(&mut self, random: &mut Random) -> (&'static str, &'static str, Value) {
        if self.open.len() < SESSIONS_MAX {
            self.count += 1;
            let (agent, goal) = (pick(random, &AGENTS), pick(random, &GOALS));
            self.open.push_back((self.count, agent));
            let data = json!({"session_id": format!("sess_{}", self.count), "agent_id": agent, "goal": goal});
            return ("sessions", "session.started", data);
        }
        let (number, agent) = self.open.pop_front().unwrap_or_default();
        let status = if random.below(8) > 0 { "success" } else { "cancelled" };
        let data = json!({"session_id": format!("sess_{number}"), "agent_id": agent, "status": status});
        ("sessions", "session.completed", data)
    }
}
