//! Batches of envelopes: what one request of `millrace publish` carries, and what its answer says about each line. Each
//! event gets an idempotency key of this run and its line, so that a batch can be sent again when its answer was lost.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Most events of a batch.
const EVENTS_MAX: usize = 1_000;
/// Bytes at which a batch is sent.
const BYTES_FULL: usize = 256 << 10;

/// What every event of a run has in common.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Attributes {
    /// The events' type.
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Conflation key.
    #[arg(long)]
    pub key: Option<String>,
    /// Your own id of the event; needs DATA, since ids belong to one event.
    #[arg(long, requires = "data")]
    pub id: Option<String>,
    /// Publish what is given as data even if it looks like an envelope.
    #[arg(long)]
    pub raw: bool,
}

/// An event as it is sent. A line that already is one is taken apart, so that what it says of itself stands.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    data: Box<RawValue>,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
}

impl Envelope {
    /// An envelope, JSON data, or any other text as a JSON string.
    fn read(text: &str, raw: bool) -> Result<Self, serde_json::Error> {
        let whole = if raw { None } else { serde_json::from_str(text).ok() };
        whole.map_or_else(|| Ok(Self::of(data(text)?)), Ok)
    }

    fn of(data: Box<RawValue>) -> Self {
        Self { data, kind: None, id: None, key: None, tags: None, idempotency_key: None }
    }
}

fn data(text: &str) -> Result<Box<RawValue>, serde_json::Error> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(json) => Ok(json.to_owned()),
        Err(_) => serde_json::value::to_raw_value(text),
    }
}

/// Events under way.
#[derive(Default)]
pub struct Batch {
    /// The request's body, NDJSON.
    pub body: Vec<u8>,
    /// For each line of the body, the line of the input.
    pub lines: Vec<u64>,
}

impl Batch {
    /// Adds an event that came on `line` of the input.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn push(&mut self, line: u64, text: &str, attributes: &Attributes, run: &str) -> anyhow::Result<()> {
        let mut envelope = Envelope::read(text, attributes.raw)?;
        envelope.kind = envelope.kind.or_else(|| attributes.kind.clone());
        envelope.key = envelope.key.or_else(|| attributes.key.clone());
        envelope.id = envelope.id.or_else(|| attributes.id.clone());
        envelope.idempotency_key = envelope.idempotency_key.or_else(|| Some(format!("{run}-{line}")));
        let start = self.body.len();
        serde_json::to_writer(&mut self.body, &envelope)?;
        // Data from the command line may span lines; between tokens a break is as good as a space.
        self.body[start..]
            .iter_mut()
            .filter(|byte| matches!(**byte, b'\n' | b'\r'))
            .for_each(|byte| *byte = b' ');
        self.body.push(b'\n');
        self.lines.push(line);
        Ok(())
    }

    /// Whether it is time to send.
    pub fn is_full(&self) -> bool {
        self.lines.len() >= EVENTS_MAX || self.body.len() >= BYTES_FULL
    }
}

/// The answer to a batch.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Answer {
    /// Life of the topic's log.
    #[serde(default)]
    pub epoch: u64,
    /// Events published.
    #[serde(default)]
    pub published: u64,
    /// Offset of the last one.
    #[serde(default)]
    pub last: Option<u64>,
    /// Lines that were not published.
    #[serde(default)]
    pub failed: Vec<Failed>,
}

/// A line that was not published.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Failed {
    /// Line of the body, from 1.
    pub line: usize,
    /// Why.
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str, attributes: &Attributes) -> String {
        let mut batch = Batch::default();
        batch.push(3, text, attributes, "run").unwrap();
        String::from_utf8(batch.body).unwrap()
    }

    #[test]
    fn json_is_sent_as_it_is_and_text_as_a_string() {
        let plain = Attributes::default();
        assert_eq!(body("{\"a\": 1.0}", &plain), "{\"data\":{\"a\": 1.0},\"idempotency_key\":\"run-3\"}\n");
        assert_eq!(body("[1,\n2]", &plain), "{\"data\":[1, 2],\"idempotency_key\":\"run-3\"}\n");
        assert_eq!(
            body("say \"hi\"", &plain),
            "{\"data\":\"say \\\"hi\\\"\",\"idempotency_key\":\"run-3\"}\n"
        );
    }

    #[test]
    fn envelopes_keep_what_they_say() {
        let attributes =
            Attributes { kind: Some("log".into()), key: Some("k".into()), ..Attributes::default() };
        let sent = body("{\"data\":1,\"type\":\"own\",\"tags\":[\"a\"]}", &attributes);
        let expected =
            "{\"data\":1,\"type\":\"own\",\"key\":\"k\",\"tags\":[\"a\"],\"idempotency_key\":\"run-3\"}\n";
        assert_eq!(sent, expected);
    }

    #[test]
    fn raw_data_is_never_taken_apart() {
        let attributes = Attributes { raw: true, ..Attributes::default() };
        assert!(body("{\"data\":1}", &attributes).starts_with("{\"data\":{\"data\":1},"));
        assert!(
            body("{\"data\":1,\"more\":2}", &Attributes::default()).starts_with("{\"data\":{\"data\":1,")
        );
    }

    #[test]
    fn a_batch_is_full_by_events_or_bytes() {
        let mut batch = Batch { lines: vec![0; EVENTS_MAX - 1], ..Batch::default() };
        assert!(!batch.is_full());
        batch.lines.push(1);
        assert!(batch.is_full());
        assert!(Batch { body: vec![0; BYTES_FULL], ..Batch::default() }.is_full());
    }

    #[test]
    fn answers_are_read() {
        let text =
            r#"{"topic":"a","epoch":5,"published":1,"first":7,"last":7,"failed":[{"line":2,"error":"no"}]}"#;
        let answer: Answer = serde_json::from_str(text).unwrap();
        let failed = vec![Failed { line: 2, error: "no".into() }];
        assert_eq!(answer, Answer { epoch: 5, published: 1, last: Some(7), failed });
    }
}
