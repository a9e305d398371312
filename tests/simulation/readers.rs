//! Clients of sessions and analyses, and what each may and must be told.

use std::collections::BTreeMap;

use millrace::json::time;
use serde_json::Value;

use super::parse::{Said, Stream};

/// What a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A session in batches of some size and window; all of it, or what failed.
    Session(&'static str, bool),
    /// All sessions.
    Feed,
    /// An analysis.
    Analysis,
}

/// All of them.
pub const KINDS: [Kind; 6] = [
    Kind::Session("batch_size=1", false),
    Kind::Session("batch_size=3&poll_interval=40", false),
    Kind::Session("batch_size=50&poll_interval=300", true),
    Kind::Session("batch_size=50&poll_interval=300", false),
    Kind::Feed,
    Kind::Analysis,
];

impl Kind {
    pub fn topic(self) -> &'static str {
        match self {
            Self::Session(..) => "events.s",
            Self::Feed => "events",
            Self::Analysis => "analysis.a",
        }
    }

    pub fn wants(self, event: &Value) -> bool {
        !matches!(self, Self::Session(_, true)) || event["status"] == "error"
    }
}

/// A client, and what it knows.
pub struct Client {
    pub kind: Kind,
    /// Most bytes that it reads at once.
    pub speed: usize,
    pub link: Option<(i32, Stream)>,
    /// Number and time of the last event it has.
    pub last: (u64, u64),
    /// How many events it was told are missing behind that; `None` for any number.
    pub missing: Option<u64>,
}

/// How often what may happen has happened.
#[derive(Debug, Default)]
pub struct Tally {
    pub events: u64,
    pub batches: u64,
    pub gaps: u64,
    pub cut_off: u64,
}

impl Client {
    pub fn said(&mut self, said: &Said, truth: &BTreeMap<u64, Value>, tally: &mut Tally) {
        let Said::Text { text, .. } = said else { return };
        let message: Value = serde_json::from_str(text).unwrap();
        match message["type"].as_str() {
            Some("gap") => {
                tally.gaps += 1;
                self.gap(&message);
            }
            Some("batch") => {
                let events = message["events"].as_array().unwrap();
                assert_eq!(message["count"], events.len());
                tally.batches += u64::from(events.len() > 1);
                events.iter().for_each(|event| self.event(event, truth, tally));
            }
            Some("event") => self.event(&message, truth, tally),
            None if message["sequence"].is_u64() => self.numbered(&message, truth, tally),
            _ => assert_eq!(message["event_type"], "progress_update", "{text}"),
        }
    }

    fn gap(&mut self, message: &Value) {
        if self.kind != Kind::Analysis {
            self.missing = self.missing.zip(message["missed"].as_u64()).map(|(sum, more)| sum + more);
            return;
        }
        let (requested, oldest) =
            (message["requested"].as_u64().unwrap(), message["oldest"].as_u64().unwrap());
        assert!(requested == self.last.0 && oldest > requested + 1, "{message} behind {:?}", self.last);
        self.last.0 = oldest - 1;
    }

    /// An event of a session, whose id is its number. Those of the last millisecond come again after a return.
    fn event(&mut self, event: &Value, truth: &BTreeMap<u64, Value>, tally: &mut Tally) {
        let number: u64 = event["event_id"].as_str().unwrap().parse().unwrap();
        assert!(self.kind.wants(event) && truth[&number]["status"] == event["status"]);
        if number > self.last.0 {
            self.check_hole(number, truth);
            let at = time::parse(event["timestamp"].as_str().unwrap()).unwrap();
            (self.last, self.missing) = ((number, at), Some(0));
            tally.events += 1;
        }
    }

    fn numbered(&mut self, event: &Value, truth: &BTreeMap<u64, Value>, tally: &mut Tally) {
        let number = event["sequence"].as_u64().unwrap();
        assert_eq!(number, self.last.0 + 1, "a hole that nobody has told of");
        assert_eq!(event["data"], truth[&number]);
        self.last.0 = number;
        tally.events += 1;
    }

    /// What lies between the last event and `next` was not wanted, or announced as missing; no more was announced than can be.
    pub fn check_hole(&self, next: u64, truth: &BTreeMap<u64, Value>) {
        let between = || truth.range(self.last.0 + 1..next);
        let wanted = between().filter(|(_, event)| self.kind.wants(event)).count() as u64;
        let told = self.missing.unwrap_or(u64::MAX);
        assert!(
            wanted <= told,
            "{:?} lacks {wanted} events between {} and {next}, told {told}",
            self.kind,
            self.last.0
        );
        let most = between().count() as u64;
        assert!(self.missing.is_none_or(|told| told <= most), "{told} are missing, and there were {most}");
    }
}
