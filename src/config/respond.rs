//! Settings of those who answer questions: the responder, and the agents among whom questions are divided.

use std::path::PathBuf;

use super::choice::{MaybeResponder, Responder};
use super::kind::{Count, File, Text};
use super::lists::{MaybeText, Texts};
use super::problem::{Origin, Problems};
use super::raw::{Headed, Reader, Section};
use super::section::section;
use crate::limits::{AGENT_NAME_BYTES_MAX, AGENTS_MAX, WORDS_PER_SECOND_MAX};

section! {
    /// Who answers questions.
    Respond = "respond" {
        /// Who answers: `embedded` quotes documents, `openai` asks the model of `[openai]`, `worker` gives the question to a process that takes jobs, `none` answers nobody.
        responder: Responder = Responder::Embedded;
        /// Name under which questions are answered that are for none of the agents.
        agent: Text = "assistant".into();
        /// Folder with the documents that answers rest on: Markdown and text in UTF-8, below it to any of 8 levels. They are read when the server starts and held in memory, about three times their bytes. When empty, those of the demo: the manual of a car.
        documents: File = PathBuf::new();
        /// Words that the embedded responder says in a second; 0 means as fast as the session takes them.
        words_per_second: Count<0> = 0;
    }
}

section! {
    /// Somebody who can be asked.
    Agent = "agents" {
        /// What it knows about, in a sentence: for people, for models, and where keywords do not decide.
        description: MaybeText = String::new();
        /// Words, or words in a row, of questions that are for it. Case and plural do not count.
        keywords: Texts = Vec::<String>::new();
        /// Who answers for it; `default` means `respond.responder`.
        responder: MaybeResponder = Option::<Responder>::None;
        /// Queue from which workers take its jobs; that of its name when empty.
        queue: MaybeText = String::new();
        /// Model that answers for it; that of `[openai]` when empty.
        model: MaybeText = String::new();
    }
}

impl Respond {
    pub(super) fn read(said: &Section, problems: &mut Problems) -> Self {
        let respond = Self::resolve(&mut Reader { section: said, problems }, &Self::default());
        if respond.words_per_second > WORDS_PER_SECOND_MAX {
            let origin = said.origin("words_per_second").cloned().unwrap_or(Origin::Nowhere);
            let rule = format!("words_per_second: at most {WORDS_PER_SECOND_MAX}, or 0 for no pace");
            problems.push(origin, rule);
        }
        respond
    }
}

/// All agents by name, in the order of the file: of two that a question is for equally, it is for the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agents(pub Vec<(String, Agent)>);

/// Specialists of a car, who stand in for agents until others are named: name, description and keywords.
const DEFAULTS: [[&str; 3]; 3] = [
    [
        "specs",
        "Technical questions: engine, power, consumption, dimensions, weights, tyres",
        "engine, motor, power, horsepower, hp, kw, torque, speed, acceleration, displacement, \
         consumption, emission, fuel tank, capacity, size, dimension, length, width, height, weight, \
         payload, towing, boot, range, tyre pressure, tire pressure, specification, spec, technical",
    ],
    [
        "maintenance",
        "Appointments, service, inspections and what is to be replaced when",
        "appointment, book, booking, reschedule, service, servicing, maintenance, inspection, \
         interval, schedule, workshop, oil change, change the oil, replace, replacement, how often, \
         warranty, filter, brake pad, brake fluid, wiper blade",
    ],
    [
        "troubleshooting",
        "Diagnostics: faults, warning lights, noises, and a car that does not start",
        "problem, fault, broken, breakdown, error, warning, warning light, lamp, flashing, blinking, \
         noise, smoke, smell, leak, won't start, not start, not starting, overheating, overheat, \
         stall, vibration, vibrate, diagnose, diagnostic, dead, flat battery, flat tyre, flat tire, \
         puncture, jump start, wrong",
    ],
];

impl Default for Agents {
    fn default() -> Self {
        let agent = |&[name, description, keywords]: &[&str; 3]| {
            let keywords = keywords.split(", ").map(str::to_owned).collect();
            (name.into(), Agent { description: description.into(), keywords, ..Agent::default() })
        };
        Self(DEFAULTS.iter().map(agent).collect())
    }
}

impl Agents {
    /// Those of the file; the defaults where it names none.
    pub(super) fn read(said: &[Headed], problems: &mut Problems) -> Self {
        if said.is_empty() {
            return Self::default();
        }
        if said.len() > AGENTS_MAX {
            problems.push(Origin::Nowhere, format!("agents: at most {AGENTS_MAX}"));
        }
        Self(said.iter().map(|headed| (headed.heading.clone(), agent(headed, problems))).collect())
    }
}

fn agent(said: &Headed, problems: &mut Problems) -> Agent {
    let name = &said.heading;
    if name.trim().is_empty() || name.len() > AGENT_NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let rule = format!("1 to {AGENT_NAME_BYTES_MAX} bytes without control characters");
        problems.push(said.origin.clone(), format!("agents: {name:?} is no name: {rule}"));
    }
    Agent::resolve(&mut Reader { section: &said.section, problems }, &Agent::default())
}
