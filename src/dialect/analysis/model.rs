//! The data model: which fields the data of an event has. Types that are not listed, and fields that are not, pass as they are.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::engine::Misfit;
use crate::json;
use crate::json::members::is_number;
use crate::limits::ATTRIBUTE_BYTES_MAX;

/// What a field may be. All but required ones may be `null` or absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A string.
    Text,
    /// A short string, since the server keeps it.
    Name,
    /// A number.
    Number,
    /// A whole number, not negative.
    Count,
    /// `true` or `false`.
    Flag,
    /// A list of anything.
    List,
    /// A list of strings.
    Texts,
    /// A string or a number.
    Level,
    /// A list, or how long it would be.
    Tally,
    /// A list of thoughts.
    Thoughts,
}

/// A field of the data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

use Kind::{Count, Flag, Level, List, Name, Number, Tally, Text, Texts, Thoughts};

/// The fields of each type of event that has some.
const MODELS: [(&str, &[Field]); 13] = [
    ("pipeline_started", &[must("bill_id", Name), may("agents", List)]),
    ("stage_changed", &[must("stage", Name)]),
    (
        "agent_started",
        &[
            must("agent_id", Name),
            may("agent_type", Text),
            may("agent_label", Text),
            may("agent_icon", Text),
            may("status", Text),
        ],
    ),
    ("agent_thinking", &[must("thoughts", Thoughts), may("batch_size", Count)]),
    (
        "agent_finding",
        &[must("description", Text), may("agent_id", Name), may("category", Text), may("confidence", Number)],
    ),
    (
        "agent_completed",
        &[
            may("agent_id", Name),
            may("findings_count", Count),
            may("overall_confidence", Number),
            may("key_takeaways", Texts),
        ],
    ),
    ("debate_started", &[must("round_number", Count), may("topic", Text), may("participants", List)]),
    (
        "debate_turn",
        &[must("agent_id", Name), must("content", Text), may("turn_type", Text), may("target_agent", Text)],
    ),
    (
        "debate_convergence",
        &[
            must("convergence_score", Number),
            may("round_number", Count),
            may("previous_score", Number),
            may("change", Number),
            may("converging", Flag),
            may("threshold_met", Flag),
        ],
    ),
    (
        "consensus_reached",
        &[must("consensus_level", Level), may("agreed_findings_count", Count), may("strong_findings", Tally)],
    ),
    ("analysis_complete", &[may("analysis_id", Name)]),
    (
        "progress_update",
        &[
            may("analysis_id", Name),
            may("bill_id", Name),
            may("stage", Name),
            may("stage_progress", Number),
            may("agents_complete", Count),
            may("agents_total", Count),
            may("debates_complete", Count),
            may("debates_expected", Count),
            may("estimated_time_remaining_seconds", Number),
            may("elapsed_seconds", Number),
            may("start_time", Text),
        ],
    ),
    ("error", &[must("error", Text)]),
];

/// A thought.
const THOUGHT: &[Field] = &[
    must("content", Text),
    may("thought_id", Text),
    may("agent_id", Name),
    may("thought_type", Text),
    may("thought_label", Text),
    may("confidence", Number),
    may("related_section", Text),
];

/// The fields of an event, if it is one of the protocol's.
pub(super) fn of(event: &str) -> Option<&'static [Field]> {
    MODELS.iter().find(|(name, _)| *name == event).map(|(_, fields)| *fields)
}

/// The members of an object, as they stand; of those with the same name, the last one.
pub(super) type Members<'a> = HashMap<Cow<'a, str>, &'a str>;

/// What is wrong with a field, and what would be right.
pub(super) fn misfit(field: impl Into<String>, problem: impl Into<String>) -> Misfit {
    Misfit { field: field.into(), problem: problem.into() }
}

/// The members of `json`, which is to be an object called `name`.
///
/// # Errors
/// It is none.
pub(super) fn members<'a>(name: &str, json: &'a str) -> Result<Members<'a>, Misfit> {
    let members = json::members::members(json).ok_or_else(|| misfit(name, "must be an object"))?;
    Ok(members.map(|member| (member.name, member.value)).collect())
}

/// Checks the members of an object; `path` stands before the names of its fields.
///
/// # Errors
/// The first field that is wrong.
pub(super) fn check(fields: &[Field], path: &str, members: &Members<'_>) -> Result<(), Misfit> {
    fields.iter().try_for_each(|field| {
        let name = || format!("{path}{}", field.name);
        match members.get(field.name) {
            None | Some(&"null") if field.required => Err(misfit(name(), problem(field.kind))),
            None | Some(&"null") => Ok(()),
            Some(list) if field.kind == Thoughts => thoughts(&name(), list),
            Some(value) if field.kind.fits(value) => Ok(()),
            Some(_) => Err(misfit(name(), problem(field.kind))),
        }
    })
}

fn thoughts(name: &str, list: &str) -> Result<(), Misfit> {
    let list: Vec<&RawValue> = serde_json::from_str(list).map_err(|_| misfit(name, problem(Thoughts)))?;
    if list.is_empty() {
        return Err(misfit(name, problem(Thoughts)));
    }
    list.iter().enumerate().try_for_each(|(i, thought)| {
        let place = format!("{name}[{i}]");
        check(THOUGHT, &format!("{place}."), &members(&place, thought.get())?)
    })
}

impl Kind {
    /// Whether `value`, which is valid JSON without white space around it, is of this kind.
    fn fits(self, value: &str) -> bool {
        let begins = |with: &[char]| value.starts_with(with);
        match self {
            Text => begins(&['"']),
            Name => text(value).is_some_and(|text| text.len() <= ATTRIBUTE_BYTES_MAX),
            Number => is_number(value),
            Count => value.parse::<u64>().is_ok(),
            Flag => begins(&['t', 'f']),
            List => begins(&['[']),
            Texts => serde_json::from_str::<Vec<Cow<'_, str>>>(value).is_ok(),
            Level => begins(&['"']) || is_number(value),
            Tally => begins(&['[']) || value.parse::<u64>().is_ok(),
            Thoughts => false,
        }
    }
}

/// The text of a JSON string.
pub(super) fn text(value: &str) -> Option<String> {
    serde_json::from_str(value).ok()
}

fn problem(kind: Kind) -> String {
    match kind {
        Text => "must be a string".into(),
        Name => format!("must be a string of at most {ATTRIBUTE_BYTES_MAX} bytes"),
        Number => "must be a number".into(),
        Count => "must be a whole number, not negative".into(),
        Flag => "must be true or false".into(),
        List => "must be a list".into(),
        Texts => "must be a list of strings".into(),
        Level => "must be a string or a number".into(),
        Tally => "must be a list or a whole number".into(),
        Thoughts => "must be a list of at least one thought".into(),
    }
}
