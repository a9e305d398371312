//! The messages of streams that are no events, and filters.

use serde_json::Value;

/// The filter of subscriber `i`: different from everybody else's, and true for the events of its bucket.
pub fn distinct_filter(i: usize, buckets: u32) -> String {
    let bucket = 100_000 + i % buckets as usize;
    format!(r#"{{"and":[{{"eq":["data.bucket",{bucket}]}},{{"not":{{"eq":["data.pad","{i}"]}}}}]}}"#)
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
    /// Reading starts with what is published next.
    Opened,
    /// It means nothing for what is measured.
    Idle,
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
        "subscribed" if value.get("channels").is_some() => Some(Notice::Opened),
        "subscribed" => Some(Notice::Subscribed {
            epoch: number("epoch")?,
            offset: number("offset")?,
            recovered: value.get("recovered")?.as_bool()?,
        }),
        "auth" => {
            Some(Notice::Subscribed { epoch: number("epoch")?, offset: number("sequence")?, recovered: true })
        }
        "heartbeat" | "ping" | "progress_update" => Some(Notice::Idle),
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
    fn notices_are_read() {
        let text = br#"{"type":"subscribed","topic":"a","epoch":5,"offset":9,"recovered":false,"missed":3}"#;
        assert_eq!(notice(text), Notice::Subscribed { epoch: 5, offset: 9, recovered: false });
        let text = br#"{"type":"gap","topic":"a","epoch":1,"from":8,"to":20,"missed":13}"#;
        assert_eq!(notice(text), Notice::Gap { to: 20 });
        let text = br#"{"type":"auth","timestamp":"","data":{},"sequence":9,"epoch":5}"#;
        assert_eq!(notice(text), Notice::Subscribed { epoch: 5, offset: 9, recovered: true });
        assert_eq!(notice(br#"{"type":"subscribed","channels":["sessions"],"denied":[]}"#), Notice::Opened);
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
