//! Why a connection ends: one table for close codes, reasons and whether to come back.

use std::borrow::Cow;

use crate::limits::{CLOSE_REASON_BYTES_MAX, RETRY_AFTER_SECONDS};
use crate::metrics::Eviction;

/// Why the server ends a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disconnect {
    /// The client asked for it; the code is the client's.
    Client(u16),
    /// Everything asked for was sent.
    Done,
    /// Nothing was heard from the client for too long.
    IdleTimeout,
    /// The peer broke the protocol of the transport.
    Violation(u16, &'static str),
    /// Binary where a protocol has none.
    Binary,
    /// Not allowed.
    Policy(Cow<'static, str>),
    /// Over, as its protocol has it.
    Over(&'static str),
    /// The credential's time is over.
    Expired,
    /// The credential was taken back.
    Revoked,
    /// A fault of the server.
    Internal,
    /// The server drains.
    Restarting,
    /// The client cannot keep up.
    Slow(Eviction),
}

impl Disconnect {
    /// Not allowed, for a reason that is shown.
    pub fn policy(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Policy(reason.into())
    }

    /// The close code (RFC 6455 section 7.4).
    pub fn code(&self) -> u16 {
        match self {
            Self::Client(code) | Self::Violation(code, _) => *code,
            Self::Done | Self::Over(_) => 1000,
            Self::IdleTimeout => 1001,
            Self::Binary => 1003,
            Self::Policy(_) | Self::Expired | Self::Revoked => 1008,
            Self::Internal => 1011,
            Self::Restarting => 1012,
            Self::Slow(_) => 1013,
        }
    }

    /// The reason, up to 123 bytes.
    pub fn reason(&self) -> String {
        match self {
            Self::Client(_) => String::new(),
            Self::Done => "done".into(),
            Self::IdleTimeout => "idle timeout".into(),
            Self::Binary => "binary messages are not part of this protocol".into(),
            Self::Violation(_, reason) | Self::Over(reason) => (*reason).into(),
            Self::Policy(reason) => shortened(reason),
            Self::Expired => "Token expired".into(),
            Self::Revoked => "Token revoked".into(),
            Self::Internal => "internal fault".into(),
            Self::Restarting => "restarting".into(),
            Self::Slow(why) => {
                format!("slow consumer: {}; retry after {RETRY_AFTER_SECONDS} s", why.label())
            }
        }
    }
}

/// As much of `reason` as fits into a close frame.
fn shortened(reason: &str) -> String {
    let mut end = reason.len().min(CLOSE_REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_reasons_are_cut_between_characters() {
        let reason = Disconnect::policy("ä".repeat(100)).reason();
        assert_eq!(reason, "ä".repeat(CLOSE_REASON_BYTES_MAX / 2));
    }
}
