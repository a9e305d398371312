//! What clients say.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::{Start, position};
use super::model::Stream;
use crate::json::time;

/// A message of a client.
#[derive(Deserialize)]
pub struct Request<'a> {
    /// What it wants.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    #[serde(borrow, default)]
    streams: Option<Vec<Cow<'a, str>>>,
    /// A credential.
    #[serde(borrow, default)]
    pub token: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    since: Option<&'a RawValue>,
    #[serde(borrow, default)]
    last_sequence: HashMap<Cow<'a, str>, &'a RawValue>,
}

/// Reads a message.
///
/// # Errors
/// A sentence for the client.
pub fn parse(text: &str) -> Result<Request<'_>, String> {
    serde_json::from_str(text).map_err(|error| format!("Invalid message: {error}"))
}

fn unquoted(value: &RawValue) -> &str {
    value.get().trim_matches('"')
}

impl<'a> Request<'a> {
    /// The names it gives, each once, in their order.
    ///
    /// # Errors
    /// A sentence for the client.
    pub fn names(&self) -> Result<Vec<&str>, String> {
        let streams = self.streams.as_ref().ok_or_else(|| {
            format!("A {} message needs streams: a list of message, telemetry, reasoning, log", self.kind)
        })?;
        let mut seen = HashSet::new();
        Ok(streams.iter().map(|name| &**name).filter(|name| seen.insert(*name)).collect())
    }

    /// Where reading `stream` starts, if it says so.
    ///
    /// # Errors
    /// A sentence for the client.
    pub fn start(&self, stream: Stream) -> Result<Option<Start>, String> {
        if let Some(value) = self.last_sequence.get(stream.name()) {
            let start = position::parse(unquoted(value));
            return start.map(Some).ok_or_else(|| {
                "Invalid last_sequence: the sequence of the last event of each stream, or epoch:sequence"
                    .into()
            });
        }
        let since = self.since.map(|value| time::parse(unquoted(value)).map(Start::Since)).transpose();
        since.map_err(|error| format!("Invalid since: {error}"))
    }
}
