//! The JSON of events: what is published, what is expected to come, and what came.

use serde_json::Value;

/// What every event of a run carries.
#[derive(Debug, Clone)]
pub struct Payload {
    filler: String,
    /// With filters, event `offset` carries `offset % buckets`.
    buckets: Option<u32>,
}

/// Room the bucket takes: `{"bucket":` + 6 digits + `,"pad":""}`.
const BUCKET_OVERHEAD: usize = 27;

impl Payload {
    /// `data` of exactly `size` bytes (at least what its JSON needs).
    pub fn new(size: usize, buckets: Option<u32>) -> Self {
        let overhead = if buckets.is_some() { BUCKET_OVERHEAD - 1 } else { 2 };
        Self { filler: "x".repeat(size.saturating_sub(overhead)), buckets }
    }

    /// The value of `data` of event `offset`.
    pub fn put_data(&self, out: &mut Vec<u8>, offset: u64) {
        match self.buckets {
            None => out.extend([b"\"", self.filler.as_bytes(), b"\""].concat()),
            Some(buckets) => {
                let bucket = 100_000 + offset % u64::from(buckets);
                let data = format!("{{\"bucket\":{bucket},\"pad\":\"{}\"}}", self.filler);
                out.extend_from_slice(data.as_bytes());
            }
        }
    }

    /// The publisher's envelope of event `offset`, with its line break.
    pub fn put_line(&self, out: &mut Vec<u8>, topic: Option<&str>, offset: u64) {
        match topic {
            None => out.extend_from_slice(b"{\"data\":"),
            Some(topic) => out.extend_from_slice(format!("{{\"topic\":\"{topic}\",\"data\":").as_bytes()),
        }
        self.put_data(out, offset);
        out.extend_from_slice(b"}\n");
    }

    /// What every event's text must end with.
    pub fn tail(&self) -> Vec<u8> {
        match self.buckets {
            None => format!("\"data\":\"{}\"}}", self.filler).into_bytes(),
            Some(_) => format!(",\"pad\":\"{}\"}}}}", self.filler).into_bytes(),
        }
    }
}

/// The filter of subscriber `i`: different from everybody else's, and true for the events of its bucket.
pub fn distinct_filter(i: usize, buckets: u32) -> String {
    let bucket = 100_000 + i % buckets as usize;
    format!(r#"{{"and":[{{"eq":["data.bucket",{bucket}]}},{{"not":{{"eq":["data.pad","{i}"]}}}}]}}"#)
}

/// The text before the offset in every event of `topic`.
pub fn event_prefix(topic: &str) -> Vec<u8> {
    format!("{{\"type\":\"event\",\"topic\":\"{topic}\",\"offset\":").into_bytes()
}

/// The offset of an event that begins with `prefix`; `None` when the text is something else.
#[inline]
pub fn offset_of(text: &[u8], prefix: &[u8]) -> Option<u64> {
    let rest = text.strip_prefix(prefix)?;
    let mut offset = 0u64;
    for (i, byte) in rest.iter().enumerate() {
        match byte {
            b'0'..=b'9' if i < 19 => offset = offset * 10 + u64::from(byte - b'0'),
            b',' if i > 0 => return Some(offset),
            _ => return None,
        }
    }
    None
}

/// A message of a stream that is not an event of the expected topic.
#[derive(Debug, PartialEq, Eq)]
pub enum Notice {
    /// Reading starts after `offset`.
    Subscribed {
        /// The life of the log.
        epoch: u64,
        /// Where reading starts after.
        offset: u64,
        /// Whether everything asked for is still there.
        recovered: bool,
    },
    /// Events up to `to` are gone.
    Gap {
        /// The last that is gone.
        to: u64,
    },
    /// The stream ends.
    Close {
        /// Why.
        code: u16,
    },
    /// The server refuses something.
    Error,
    /// Anything else.
    Unknown,
}

/// Reads one of the rare messages.
pub fn notice(text: &[u8]) -> Notice {
    let Ok(value) = serde_json::from_slice::<Value>(text) else { return Notice::Unknown };
    let number = |name: &str| value.get(name).and_then(Value::as_u64);
    let read = || match value.get("type")?.as_str()? {
        "subscribed" => Some(Notice::Subscribed {
            epoch: number("epoch")?,
            offset: number("offset")?,
            recovered: value.get("recovered")?.as_bool()?,
        }),
        "gap" => Some(Notice::Gap { to: number("to")? }),
        "close" => Some(Notice::Close { code: number("code")?.try_into().ok()? }),
        "error" => Some(Notice::Error),
        _ => None,
    };
    read().unwrap_or(Notice::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_has_exactly_the_size_asked_for() {
        for (size, buckets) in [(2, None), (128, None), (64, Some(10)), (128, Some(1000))] {
            let mut data = Vec::new();
            Payload::new(size, buckets).put_data(&mut data, 1234);
            assert_eq!(data.len(), size);
            assert!(serde_json::from_slice::<Value>(&data).is_ok());
        }
    }

    #[test]
    fn every_event_ends_with_the_tail() {
        for buckets in [None, Some(10)] {
            let payload = Payload::new(100, buckets);
            let mut line = Vec::new();
            payload.put_line(&mut line, Some("t"), 7);
            assert!(line[..line.len() - 1].ends_with(&payload.tail()));
        }
    }

    #[test]
    fn offsets_are_found_behind_their_prefix_only() {
        let prefix = event_prefix("t");
        let text = br#"{"type":"event","topic":"t","offset":120,"id":"1:120"}"#;
        assert_eq!(offset_of(text, &prefix), Some(120));
        assert_eq!(offset_of(text, &event_prefix("u")), None);
        assert_eq!(offset_of(&text[..prefix.len() + 2], &prefix), None);
        assert_eq!(offset_of(br#"{"type":"event","topic":"t","offset":x"#, &prefix), None);
    }

    #[test]
    fn notices_are_read() {
        let text = br#"{"type":"subscribed","topic":"a","epoch":5,"offset":9,"recovered":false,"missed":3}"#;
        assert_eq!(notice(text), Notice::Subscribed { epoch: 5, offset: 9, recovered: false });
        let text = br#"{"type":"gap","topic":"a","epoch":1,"from":8,"to":20,"missed":13}"#;
        assert_eq!(notice(text), Notice::Gap { to: 20 });
        assert_eq!(notice(br#"{"type":"close","code":1013}"#), Notice::Close { code: 1013 });
        assert_eq!(notice(b"rubbish"), Notice::Unknown);
    }

    #[test]
    fn filters_differ_and_pass_their_share() {
        assert_ne!(distinct_filter(3, 10), distinct_filter(13, 10));
        assert!(distinct_filter(13, 10).contains("100003"));
        assert!(serde_json::from_str::<Value>(&distinct_filter(1, 10)).is_ok());
    }
}
