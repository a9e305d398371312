//! How far an analysis is, derived from its events.
//!
//! | event | what it tells |
//! |---|---|
//! | `pipeline_started` | everything begins anew; `agents` says how many there will be |
//! | `stage_changed` | a stage begins, and the debate that was on is over |
//! | `agent_started`, `agent_completed` | how many there are and have finished, and how long one takes |
//! | `debate_started` | one more debate is on, and the one before is over |
//! | `debate_convergence` with `threshold_met`, `consensus_reached` | the debate is over |
//! | `analysis_complete` | nothing remains |
//! | `progress_update` | what its publisher knows better |

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::agents::Agents;
use super::debates::Debates;
use super::messages::{put, put_number, put_string};
use crate::engine::{Body, Now};
use crate::json::time;

/// The stage before any was announced.
pub(super) const FIRST_STAGE: &str = "initialized";
/// The stage of an analysis that is over.
const LAST_STAGE: &str = "complete";

/// See the module.
pub(super) struct Progress {
    id: Box<str>,
    /// Whether any event has told anything.
    known: bool,
    bill_id: Option<Box<str>>,
    stage: Box<str>,
    stage_progress: f64,
    agents: Agents,
    debates: Debates,
    /// When it began: Unix milliseconds, and monotonic microseconds.
    began: Option<Now>,
    /// When it was over, monotonic microseconds.
    over_micros: Option<u64>,
    /// What its publisher has estimated, and when.
    told: Option<(f64, u64)>,
}

/// What events tell that matters here. A member that is of another type in some event tells nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Facts {
    #[serde(deserialize_with = "lenient")]
    agent_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    agents: Option<Vec<IgnoredAny>>,
    #[serde(deserialize_with = "lenient")]
    bill_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    stage: Option<String>,
    #[serde(deserialize_with = "lenient")]
    stage_progress: Option<f64>,
    #[serde(deserialize_with = "lenient")]
    threshold_met: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    agents_complete: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    agents_total: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    debates_complete: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    debates_expected: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    estimated_time_remaining_seconds: Option<f64>,
}

fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let raw = <&RawValue>::deserialize(from)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

impl Progress {
    /// Of analysis `id`, of which nothing is known.
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            known: false,
            bill_id: None,
            stage: FIRST_STAGE.into(),
            stage_progress: 0.0,
            agents: Agents::default(),
            debates: Debates::default(),
            began: None,
            over_micros: None,
            told: None,
        }
    }

    /// Takes note of an event.
    pub(super) fn observe(&mut self, body: &Body, now: Now) {
        let facts = || serde_json::from_slice::<Facts>(body.data()).unwrap_or_default();
        match body.event() {
            "pipeline_started" => self.started(facts(), now),
            "stage_changed" => self.stage_changed(facts(), now),
            "agent_started" => self.agent_started(&facts(), now),
            "agent_completed" => self.agent_completed(&facts(), now),
            "debate_started" => self.debate_started(now),
            "debate_convergence" => self.debate_converged(&facts(), now),
            "consensus_reached" => self.consensus_reached(now),
            "analysis_complete" => self.completed(now),
            "progress_update" => self.told(facts(), now),
            _ => return,
        }
        self.known = true;
        self.began.get_or_insert(now);
    }

    fn started(&mut self, facts: Facts, now: Now) {
        let id = std::mem::take(&mut self.id);
        *self = Self::new(&id);
        self.bill_id = facts.bill_id.map(Into::into);
        self.agents.expect(facts.agents.map_or(0, |agents| agents.len() as u64));
        self.debates.expect(1);
        self.began = Some(now);
    }

    fn stage_changed(&mut self, facts: Facts, now: Now) {
        self.debates.end(now.micros);
        if let Some(stage) = facts.stage {
            self.stage = stage.into();
            self.stage_progress = if self.over_micros.is_some() { 1.0 } else { 0.0 };
        }
    }

    fn agent_started(&mut self, facts: &Facts, now: Now) {
        self.over_micros = None;
        self.agents.started(facts.agent_id.as_deref().unwrap_or_default(), now.micros);
        self.stage_progress = self.agents.fraction();
    }

    fn agent_completed(&mut self, facts: &Facts, now: Now) {
        self.agents.completed(facts.agent_id.as_deref(), now.micros);
        self.stage_progress = self.agents.fraction();
    }

    fn debate_started(&mut self, now: Now) {
        self.over_micros = None;
        self.debates.begin(now.micros);
        self.stage_progress = self.debates.fraction();
    }

    fn debate_converged(&mut self, facts: &Facts, now: Now) {
        if facts.threshold_met == Some(true) {
            self.debates.end(now.micros);
            self.stage_progress = self.debates.fraction();
        }
    }

    fn consensus_reached(&mut self, now: Now) {
        self.debates.end(now.micros);
        self.stage_progress = 1.0;
    }

    fn completed(&mut self, now: Now) {
        self.debates.end(now.micros);
        self.debates.expect_no_more();
        self.stage = LAST_STAGE.into();
        self.stage_progress = 1.0;
        self.over_micros.get_or_insert(now.micros);
    }

    fn told(&mut self, facts: Facts, now: Now) {
        self.bill_id = facts.bill_id.map(Into::into).or(self.bill_id.take());
        self.stage = facts.stage.map_or_else(|| std::mem::take(&mut self.stage), Into::into);
        self.stage_progress = facts.stage_progress.unwrap_or(self.stage_progress);
        self.agents.told(facts.agents_complete, facts.agents_total);
        self.debates.told(facts.debates_complete, facts.debates_expected);
        self.told = facts.estimated_time_remaining_seconds.map(|seconds| (seconds, now.micros)).or(self.told);
    }

    /// Seconds that remain, rounded up; `None` while nothing has finished from which they could be told.
    fn remaining_seconds(&self, now: Now) -> Option<u64> {
        if self.over_micros.is_some() {
            return Some(0);
        }
        let mean = self.agents.mean_micros().or(self.debates.mean_micros());
        let Some(mean) = mean else {
            let (seconds, at) = self.told?;
            return Some((seconds - (now.micros - at) as f64 / 1e6).max(0.0).ceil() as u64);
        };
        let agents = self.agents.remaining_micros(mean, now.micros);
        let debates = self.debates.remaining_micros(mean, now.micros);
        let unfinished = self.agents.unfinished() || self.debates.unfinished();
        Some(((agents + debates) / 1e6).ceil().max(if unfinished { 1.0 } else { 0.0 }) as u64)
    }

    fn elapsed_seconds(&self, now: Now) -> f64 {
        let until = self.over_micros.unwrap_or(now.micros);
        let micros = self.began.map_or(0, |began| until.saturating_sub(began.micros));
        (micros / 1000) as f64 / 1000.0
    }

    /// All of it as JSON; `None` while nothing is known.
    pub(super) fn summary(&self, now: Now) -> Option<Vec<u8>> {
        self.known.then(|| self.write(now))
    }

    /// All of it as JSON, known or not.
    pub(super) fn write(&self, now: Now) -> Vec<u8> {
        let mut out = Vec::with_capacity(384);
        put_string(&mut out, "{\"analysis_id\":", &self.id);
        match &self.bill_id {
            Some(bill_id) => put_string(&mut out, ",\"bill_id\":", bill_id),
            None => put(&mut out, ",\"bill_id\":null"),
        }
        put_string(&mut out, ",\"stage\":", &self.stage);
        put(&mut out, &format!(",\"stage_progress\":{:?}", rounded(self.stage_progress)));
        put_number(&mut out, ",\"agents_complete\":", self.agents.complete());
        put_number(&mut out, ",\"agents_total\":", self.agents.total());
        put_number(&mut out, ",\"debates_complete\":", self.debates.complete());
        put_number(&mut out, ",\"debates_expected\":", self.debates.expected());
        match self.remaining_seconds(now) {
            Some(seconds) => put_number(&mut out, ",\"estimated_time_remaining_seconds\":", seconds),
            None => put(&mut out, ",\"estimated_time_remaining_seconds\":null"),
        }
        put(&mut out, &format!(",\"elapsed_seconds\":{:?}", self.elapsed_seconds(now)));
        self.write_start(&mut out);
        out
    }

    fn write_start(&self, out: &mut Vec<u8>) {
        put(out, ",\"start_time\":");
        match self.began {
            Some(began) => {
                out.push(b'"');
                time::write(out, began.unix_ms);
                put(out, "\"}");
            }
            None => put(out, "null}"),
        }
    }
}

/// To three digits; what is no fraction is none.
fn rounded(fraction: f64) -> f64 {
    (fraction.clamp(0.0, 1.0) * 1000.0).round() / 1000.0
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
