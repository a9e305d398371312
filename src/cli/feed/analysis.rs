//! A swarm of agents that analyses one bill after another: the `analysis` protocol. All of them have one id, so that whoever
//! connects sees one that is going on; a backend would give each its own.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{Random, pick, rounded};

/// The id of all analyses.
pub(super) const ID: &str = "demo";
/// Thoughts and findings between the first agent that starts and the first that finishes.
const WORK_STEPS: usize = 24;
/// Rounds of the debate.
const ROUNDS: u64 = 2;

/// Type, label and icon of each agent.
const AGENTS: [(&str, &str, &str); 4] = [
    ("fiscal", "Fiscal Analyst", "💰"),
    ("healthcare", "Healthcare Analyst", "🏥"),
    ("economic", "Economic Analyst", "📈"),
    ("legal", "Legal Analyst", "⚖️"),
];
const THOUGHTS: [(&str, &str, &str); 4] = [
    ("calculation", "Calculating", "Computing the revenue of ten years"),
    ("observation", "Observing", "Section 3 refers to a table that section 7 repeals"),
    ("hypothesis", "Assuming", "Enrolment grows as fast as in the last reform"),
    ("question", "Asking", "Does the cap hold for the states as well?"),
];
const FINDINGS: [(&str, &str, f64); 4] = [
    ("revenue", "The surcharge pays for two thirds of the subsidies", 3.4e10),
    ("spending", "Administration costs rise in the first two years", -1.2e9),
    ("coverage", "Coverage rises by about four points", 0.0),
    ("risk", "The waiver in section 9 can be challenged", -5.0e8),
];
const TURNS: [(&str, &str); 4] = [
    ("claim", "The bill pays for itself within eight years"),
    ("challenge", "Only if wages grow as assumed"),
    ("evidence", "They did in six of the last eight years"),
    ("concession", "Then the lower bound is ten years"),
];

/// Its state.
#[derive(Default)]
pub(super) struct Analysis {
    number: u64,
    /// Events that are still to come, by step.
    steps: VecDeque<Vec<Value>>,
}

fn event(kind: &str, data: Value) -> Value {
    json!({"type": kind, "data": data})
}

fn agent_id(kind: &str) -> String {
    format!("{kind}-agent-1")
}

impl Analysis {
    /// What happens next, all at the same time.
    pub(super) fn step(&mut self, random: &mut Random) -> Vec<Value> {
        if self.steps.is_empty() {
            self.number += 1;
            self.steps = script(random, self.number);
        }
        let topic = format!("analysis.{ID}");
        let mut events = self.steps.pop_front().unwrap_or_default();
        events.iter_mut().for_each(|event| event["topic"] = json!(topic));
        events
    }
}

/// A whole analysis.
fn script(random: &mut Random, number: u64) -> VecDeque<Vec<Value>> {
    let mut steps = VecDeque::from([vec![event(
        "pipeline_started",
        json!({"bill_id": format!("bill-{}", 100 + number), "agents": AGENTS.map(|(kind, ..)| agent_id(kind))}),
    )]]);
    stage(&mut steps, "ingesting");
    stage(&mut steps, "analyzing");
    steps.extend(AGENTS.map(|agent| vec![started(agent)]));
    steps.extend((0..WORK_STEPS).map(|step| if step % 4 == 3 { finding(random) } else { thoughts(random) }));
    steps.extend(AGENTS.map(|(kind, ..)| vec![completed(random, kind)]));
    stage(&mut steps, "debating");
    (1..=ROUNDS).for_each(|round| debate(&mut steps, round));
    let agreed =
        json!({"consensus_level": "strong", "agreed_findings_count": 5, "strong_findings": [FINDINGS[0].1]});
    steps.push_back(vec![event("consensus_reached", agreed)]);
    stage(&mut steps, "synthesizing");
    steps.push_back(vec![event("analysis_complete", json!({"analysis_id": ID}))]);
    steps.push_back(vec![event("analysis_summary", json!({"headline": FINDINGS[0].1, "rounds": ROUNDS}))]);
    steps
}

fn stage(steps: &mut VecDeque<Vec<Value>>, stage: &str) {
    steps.push_back(vec![event("stage_changed", json!({"stage": stage}))]);
}

fn started((kind, label, icon): (&str, &str, &str)) -> Value {
    let data = json!({
        "agent_id": agent_id(kind), "agent_type": kind, "agent_label": label, "agent_icon": icon, "status": "analyzing",
    });
    event("agent_started", data)
}

fn confidence(random: &mut Random) -> f64 {
    rounded(0.5 + random.fraction() / 2.0, 100.0)
}

/// Some thoughts at once, as agents have that think side by side.
fn thoughts(random: &mut Random) -> Vec<Value> {
    let count = 1 + random.below(3);
    let thought = |_| {
        let (kind, label, content) = pick(random, &THOUGHTS);
        let data = json!({
            "agent_id": agent_id(pick(random, &AGENTS).0), "thought_type": kind, "thought_label": label,
            "content": content, "confidence": confidence(random), "related_section": "Section 3",
        });
        event("agent_thinking", json!({"thoughts": [data], "batch_size": 1}))
    };
    (0..count).map(thought).collect()
}

fn finding(random: &mut Random) -> Vec<Value> {
    let (category, description, impact) = pick(random, &FINDINGS);
    let agent = agent_id(pick(random, &AGENTS).0);
    let data = json!({
        "agent_id": agent, "category": category, "description": description, "confidence": confidence(random),
        "fiscal_impact": {"ten_years": impact},
    });
    vec![event("agent_finding", data)]
}

fn completed(random: &mut Random, kind: &str) -> Value {
    let data = json!({
        "agent_id": agent_id(kind), "findings_count": 1 + random.below(4), "overall_confidence": confidence(random),
        "key_takeaways": [FINDINGS[0].1],
    });
    event("agent_completed", data)
}

/// A round in which everybody speaks, and views come closer.
fn debate(steps: &mut VecDeque<Vec<Value>>, round: u64) {
    let participants = AGENTS.map(|(kind, ..)| agent_id(kind));
    let opening =
        json!({"round_number": round, "topic": "Does it pay for itself?", "participants": participants});
    steps.push_back(vec![event("debate_started", opening)]);
    for (i, (turn, content)) in TURNS.into_iter().enumerate() {
        let data = json!({
            "agent_id": participants[i], "turn_type": turn, "content": content,
            "target_agent": participants[(i + 1) % participants.len()],
        });
        steps.push_back(vec![event("debate_turn", data)]);
    }
    let (before, score) = (0.3 * round as f64, 0.3 * (round + 1) as f64);
    let data = json!({
        "round_number": round, "convergence_score": rounded(score, 100.0), "previous_score": rounded(before, 100.0),
        "change": 0.3, "converging": true, "threshold_met": round == ROUNDS,
    });
    steps.push_back(vec![event("debate_convergence", data)]);
}
