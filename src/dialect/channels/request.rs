//! What clients say as JSON: messages over a WebSocket, and the body of a replay.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json};

use super::channel::NAMES;
use super::select::{Select, value_of_json};
use crate::dialect::Start;
use crate::json::time;

type Texts<'a> = Option<Vec<Cow<'a, str>>>;

/// A message of a client.
#[derive(Deserialize)]
pub struct Request<'a> {
    /// What it wants.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// A credential.
    #[serde(borrow, default)]
    pub token: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    channels: Texts<'a>,
    #[serde(borrow, default)]
    events: Texts<'a>,
    #[serde(default)]
    filters: Option<Map<String, Json>>,
    #[serde(borrow, default)]
    since: Option<&'a RawValue>,
}

/// The body of a replay.
#[derive(Deserialize)]
pub struct Replay<'a> {
    /// Those of these channels; of all that may be read without it.
    #[serde(borrow, default)]
    pub channels: Texts<'a>,
    #[serde(borrow, default)]
    events: Texts<'a>,
    #[serde(default)]
    filters: Option<Map<String, Json>>,
    #[serde(borrow, default)]
    since: Option<&'a RawValue>,
    #[serde(borrow, default)]
    until: Option<&'a RawValue>,
    /// Where the last answer ended.
    #[serde(borrow, default)]
    pub after: Option<Cow<'a, str>>,
    /// Most events of the answer.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// Reads a message, or a body.
///
/// # Errors
/// A sentence for the client.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

fn moment(name: &str, value: Option<&RawValue>) -> Result<Option<u64>, String> {
    let text = value.map(|value| value.get().trim_matches('"')).filter(|text| *text != "null");
    text.map(time::parse).transpose().map_err(|error| format!("{name}: {error}"))
}

fn select<'s>(events: &'s Texts<'_>, filters: &'s Option<Map<String, Json>>) -> Result<Select<'s>, String> {
    let events = events.iter().flatten().map(|glob| Cow::Borrowed(&**glob)).collect();
    let value = |(name, json): (&'s String, &Json)| {
        Ok((Cow::Borrowed(name.as_str()), vec![value_of_json(name, json)?]))
    };
    let fields = filters.iter().flatten().map(value).collect::<Result<_, String>>()?;
    Ok(Select { events, fields })
}

impl Request<'_> {
    /// The channels it names, each once, in their order.
    ///
    /// # Errors
    /// A sentence for the client.
    pub fn names(&self) -> Result<Vec<&str>, String> {
        let channels = self.channels.as_ref();
        let channels = channels.ok_or_else(|| format!("{} needs channels: a list of {NAMES}", self.kind))?;
        let mut seen = HashSet::new();
        Ok(channels.iter().map(|name| &**name).filter(|name| seen.insert(*name)).collect())
    }

    /// What it selects.
    ///
    /// # Errors
    /// A sentence for the client.
    pub fn select(&self) -> Result<Select<'_>, String> {
        select(&self.events, &self.filters)
    }

    /// Where it wants to start.
    ///
    /// # Errors
    /// A sentence for the client.
    pub fn start(&self) -> Result<Start, String> {
        Ok(moment("since", self.since)?.map_or(Start::Now, Start::Since))
    }
}

impl Replay<'_> {
    /// What it selects.
    ///
    /// # Errors
    /// A sentence for the client.
    pub fn select(&self) -> Result<Select<'_>, String> {
        select(&self.events, &self.filters)
    }

    /// From when, and until when, Unix milliseconds.
    ///
    /// # Errors
    /// A sentence for the client.
    pub fn times(&self) -> Result<(Option<u64>, Option<u64>), String> {
        Ok((moment("since", self.since)?, moment("until", self.until)?))
    }
}
