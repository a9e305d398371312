//! What `millrace subscribe` understands of a stream and what it prints of it.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A message of the stream, as far as this command needs it.
#[derive(Debug)]
pub enum Message<'a> {
    /// An event.
    Event(Event<'a>),
    /// Reading begins.
    Subscribed(Subscribed),
    /// Events are gone.
    Gap(Gap),
    /// The stream ends.
    Close(Close),
    /// Anything a newer server says.
    Other,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

impl<'a> Message<'a> {
    /// Reads the type first, then the rest: raw data cannot be had from a tagged enum.
    ///
    /// # Errors
    /// When it is no message.
    pub fn read(text: &'a str) -> serde_json::Result<Self> {
        Ok(match serde_json::from_str::<Tag<'a>>(text)?.kind {
            "event" => Self::Event(serde_json::from_str(text)?),
            "subscribed" => Self::Subscribed(serde_json::from_str(text)?),
            "gap" => Self::Gap(serde_json::from_str(text)?),
            "close" => Self::Close(serde_json::from_str(text)?),
            _ => Self::Other,
        })
    }
}

/// An event.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    /// Its topic.
    pub topic: String,
    /// Its place.
    pub offset: u64,
    /// When it was published.
    pub time: String,
    /// Its type.
    pub event: String,
    /// Its data; absent when binary.
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
    /// Its data when binary.
    #[serde(default)]
    pub data_base64: Option<String>,
}

/// Reading begins after `offset`. Without a topic it is about a pattern.
#[derive(Debug, Deserialize)]
pub struct Subscribed {
    /// The topic.
    #[serde(default)]
    pub topic: Option<String>,
    /// Life of its log.
    #[serde(default)]
    pub epoch: u64,
    /// What reading begins after.
    #[serde(default)]
    pub offset: u64,
    /// Whether nothing was lost.
    #[serde(default = "yes")]
    pub recovered: bool,
    /// How much was; unknown when the log has begun anew.
    #[serde(default)]
    pub missed: Option<u64>,
}

fn yes() -> bool {
    true
}

/// Events that are gone.
#[derive(Debug, Deserialize)]
pub struct Gap {
    /// The topic.
    pub topic: String,
    /// Life of its log.
    pub epoch: u64,
    /// The first that is gone.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// How many.
    pub missed: u64,
}

/// The end of a stream.
#[derive(Debug, Deserialize)]
pub struct Close {
    /// Code, as WebSocket has them.
    pub code: u16,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

impl Close {
    /// Whether coming back helps (the table of docs/PROTOCOL.md).
    pub fn is_temporary(&self) -> bool {
        matches!(self.code, 1001 | 1011 | 1012 | 1013)
    }
}

impl Subscribed {
    /// What was lost before reading could begin, in words.
    pub fn loss(&self) -> Option<String> {
        let topic = self.topic.as_deref().unwrap_or("?");
        match (self.recovered, self.missed) {
            (true, _) => None,
            (false, Some(missed)) => Some(format!("{topic}: {missed} events are no longer kept")),
            (false, None) => {
                Some(format!("{topic}: the log has begun anew; nobody can know what was missed"))
            }
        }
    }
}

impl Event<'_> {
    /// For people: time of day, topic, type, data.
    pub fn pretty(&self) -> String {
        let clock = self.time.split_once('T').map_or(self.time.as_str(), |(_, clock)| clock);
        let binary = self.data_base64.as_deref().unwrap_or_default();
        let data = self.data.map_or(binary, RawValue::get);
        format!("{} {} {} {data}\n", clock.trim_end_matches('Z'), self.topic, self.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Message<'_> {
        Message::read(text).unwrap()
    }

    #[test]
    fn events_are_printed_for_people() {
        let Message::Event(event) = read(
            r#"{"type":"event","topic":"a","offset":7,"id":"x","time":"2026-11-20T09:30:00.123Z","event":"log","data":{"n": 1}}"#,
        ) else {
            panic!("an event")
        };
        assert_eq!(event.pretty(), "09:30:00.123 a log {\"n\": 1}\n");
    }

    #[test]
    fn losses_are_told() {
        let loss = |text| match read(text) {
            Message::Subscribed(subscribed) => subscribed.loss(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            loss(r#"{"type":"subscribed","topic":"a","epoch":1,"offset":0,"recovered":true,"missed":0}"#),
            None
        );
        assert_eq!(loss(r#"{"type":"subscribed","pattern":"a.*","topics":2}"#), None);
        let lost =
            loss(r#"{"type":"subscribed","topic":"a","epoch":1,"offset":4,"recovered":false,"missed":3}"#);
        assert_eq!(lost.unwrap(), "a: 3 events are no longer kept");
        let unknown =
            loss(r#"{"type":"subscribed","topic":"a","epoch":1,"offset":4,"recovered":false,"missed":null}"#);
        assert!(unknown.unwrap().contains("begun anew"));
    }

    #[test]
    fn what_a_newer_server_says_is_passed_over() {
        assert!(matches!(read(r#"{"type":"news","x":1}"#), Message::Other));
        assert!(matches!(
            read(r#"{"type":"gap","topic":"a","epoch":1,"from":2,"to":3,"missed":2}"#),
            Message::Gap(_)
        ));
    }
}
