//! What can go wrong with a request, whether it may go better the next time, and what readers are told. What the other side says
//! about it is for the operator's log alone: it may hold parts of keys, prompts and names of machines.

use hyper::HeaderMap;
use hyper::header::RETRY_AFTER;
use serde_json::Value;

use crate::client;
use crate::dialect::sessions::step::Code;
use crate::json::time;
use crate::respond::Failure;

/// Why there is no answer, or not all of one.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no connection, or it has failed.
    #[error(transparent)]
    Client(#[from] client::Trouble),
    /// The other side does not answer.
    #[error("{status} {said}")]
    Refused {
        /// A status of HTTP, also where it was said within an answer.
        status: u16,
        /// What it says about that.
        said: String,
        /// After how long it may answer.
        retry_after_ms: Option<u64>,
    },
    /// What came is no answer.
    #[error("{0}")]
    Malformed(String),
    /// The answer has ended without saying so.
    #[error("the stream has ended without [DONE]")]
    Unended,
    /// Readers get no more of it.
    #[error(transparent)]
    Reader(#[from] Failure),
}

impl Trouble {
    /// What came is no JSON.
    pub fn malformed(error: serde_json::Error) -> Self {
        Self::Malformed(format!("what came is no piece of an answer: {error}"))
    }

    /// What the other side says within an answer: an object with `code`, `type` and `message`, or a text.
    pub fn said(error: &Value) -> Self {
        let message = error["message"].as_str().or(error.as_str()).unwrap_or_default();
        Self::Refused { status: status(error), said: message.to_owned(), retry_after_ms: None }
    }

    /// Whether the same request may go better.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Client(trouble) => !matches!(trouble, client::Trouble::TooLarge(_)),
            Self::Refused { status, .. } => matches!(status, 408 | 409 | 425 | 429 | 500..),
            Self::Malformed(_) | Self::Unended => true,
            Self::Reader(_) => false,
        }
    }

    /// Whether only the operator can change that.
    pub fn is_operators(&self) -> bool {
        matches!(self, Self::Refused { status: 401..=404, .. })
    }

    /// After how long, where the other side says that.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Refused { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        }
    }

    /// What readers are told; the same may be asked after `retry_after_ms`.
    pub fn failure(self, retry_after_ms: u64) -> Failure {
        let (code, message) = match self {
            Self::Reader(failure) => return failure,
            Self::Client(client::Trouble::Late(_)) | Self::Refused { status: 408 | 504, .. } => {
                (Code::Timeout, "the model did not go on answering in time")
            }
            Self::Client(client::Trouble::Connect(_)) => {
                (Code::ConnectionLost, "the model cannot be reached")
            }
            Self::Client(client::Trouble::Broken(_)) | Self::Unended => {
                (Code::ConnectionLost, "the connection to the model was lost")
            }
            Self::Refused { status: 429, .. } => (Code::RateLimited, "the model takes no more questions now"),
            Self::Refused { status: 500.., .. } => (Code::ConnectionLost, "the model has failed"),
            Self::Refused { status: 401..=404, .. } => (
                Code::Failed,
                "the model cannot be asked; whoever runs this server finds the reason in its log",
            ),
            Self::Refused { .. } => (Code::Failed, "the model does not accept this question"),
            Self::Malformed(_) | Self::Client(client::Trouble::TooLarge(_)) => {
                (Code::Failed, "what came from the model is no answer")
            }
        };
        let retry_after_ms = (code == Code::RateLimited).then_some(retry_after_ms);
        Failure { retry_after_ms, ..Failure::new(code, message) }
    }
}

/// The status that an error stands for: its code where that is one, else by its words.
fn status(error: &Value) -> u16 {
    let code = &error["code"];
    let number = code.as_u64().or_else(|| code.as_str()?.parse().ok());
    let number = number.and_then(|number| u16::try_from(number).ok());
    if let Some(status) = number.filter(|status| (400..600).contains(status)) {
        return status;
    }
    let words = format!("{code} {}", error["type"]);
    let any = |these: &[&str]| these.iter().any(|word| words.contains(word));
    match () {
        () if any(&["rate_limit", "quota"]) => 429,
        () if any(&["timeout"]) => 504,
        () if any(&["server_error", "overloaded", "unavailable", "internal"]) => 503,
        () => 400,
    }
}

/// After how long the other side wants to be asked again: in (milli)seconds, or at a time.
pub fn retry_after_ms(headers: &HeaderMap, now_unix_ms: u64) -> Option<u64> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |name: &str, unit: f64| {
        let number: f64 = text(name)?.parse().ok()?;
        // Saturates, and takes what is no number for 0.
        Some((number * unit) as u64)
    };
    let at = || Some(http_date(text(RETRY_AFTER.as_str())?)?.saturating_sub(now_unix_ms));
    number("retry-after-ms", 1.0).or_else(|| number("retry-after", 1000.0)).or_else(at)
}

/// Unix milliseconds of `Wed, 21 Oct 2015 07:28:00 GMT` (RFC 9110 section 5.6.7; the obsolete forms are nobody's).
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split(' ').collect();
    let [_, day, month, year, clock, "GMT"] = words[..] else { return None };
    let month = 1 + MONTHS.iter().position(|name| *name == month)?;
    time::parse(&format!("{year}-{month:02}-{day}T{clock}Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_within_answers_have_a_status() {
        let cases = [
            (json!({"code": 429}), 429),
            (json!({"code": "502", "message": "x"}), 502),
            (json!({"code": "rate_limit_exceeded"}), 429),
            (json!({"type": "insufficient_quota", "code": null}), 429),
            (json!({"type": "server_error"}), 503),
            (json!({"type": "overloaded_error"}), 503),
            (json!({"code": 7, "type": "timeout"}), 504),
            (json!({"code": "context_length_exceeded"}), 400),
            (json!("it broke"), 400),
        ];
        for (error, expected) in cases {
            assert_eq!(status(&error), expected, "{error}");
        }
        assert!(
            matches!(Trouble::said(&json!("it broke")), Trouble::Refused { said, .. } if said == "it broke")
        );
    }

    #[test]
    fn the_time_to_wait_is_said_in_three_ways() {
        let now_ms = 1_445_412_480_000;
        let wait = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a value"));
            retry_after_ms(&headers, now_ms)
        };
        assert_eq!(wait("retry-after", "2"), Some(2000));
        assert_eq!(wait("retry-after", " 1.5 "), Some(1500));
        assert_eq!(wait("retry-after-ms", "250"), Some(250));
        assert_eq!(wait("retry-after", "Wed, 21 Oct 2015 07:28:07 GMT"), Some(7000));
        assert_eq!(wait("retry-after", "Wed, 21 Oct 2015 07:27:07 GMT"), Some(0));
        assert_eq!(wait("retry-after", "-3"), Some(0));
        assert_eq!(wait("retry-after", "soon"), None);
        assert_eq!(wait("retry-after", "Wed, 21 Oct 2015"), None);
    }

    #[test]
    fn readers_are_told_by_the_documents_codes_and_nothing_of_what_was_said() {
        let refused = |status| Trouble::Refused { status, said: "sk-secret".into(), retry_after_ms: None };
        let late = client::Trouble::Late(std::time::Duration::ZERO);
        let cases = [
            (refused(429), Code::RateLimited, true),
            (refused(500), Code::ConnectionLost, true),
            (refused(504), Code::Timeout, true),
            (refused(401), Code::Failed, false),
            (refused(400), Code::Failed, false),
            (Trouble::Client(late), Code::Timeout, true),
            (Trouble::Client(client::Trouble::Connect("host".into())), Code::ConnectionLost, true),
            (Trouble::Client(client::Trouble::TooLarge(1)), Code::Failed, false),
            (Trouble::Unended, Code::ConnectionLost, true),
            (Trouble::Malformed("sk-secret".into()), Code::Failed, true),
        ];
        for (trouble, code, may_pass) in cases {
            assert_eq!(trouble.may_pass(), may_pass, "{trouble}");
            let failure = trouble.failure(1500);
            assert_eq!(failure.code, code);
            assert!(!failure.message.contains("secret"), "{failure}");
            assert_eq!(failure.retry_after_ms, (code == Code::RateLimited).then_some(1500));
        }
    }
}
