//! Why a connection ends: one table for close codes, reasons and whether to come back.

use crate::limits::RETRY_AFTER_SECONDS;
use crate::metrics::Eviction;

/// Whether a client does well to connect again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// The same attempt would end the same way.
    No,
    /// At once, with the last position.
    Yes,
    /// After a while, with the last position.
    Later,
}

/// Why the server ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    Policy(&'static str),
    /// A fault of the server.
    Internal,
    /// The server drains.
    Restarting,
    /// The client cannot keep up.
    Slow(Eviction),
}

impl Disconnect {
    /// The close code (RFC 6455 section 7.4).
    pub fn code(self) -> u16 {
        match self {
            Self::Client(code) | Self::Violation(code, _) => code,
            Self::Done => 1000,
            Self::IdleTimeout => 1001,
            Self::Binary => 1003,
            Self::Policy(_) => 1008,
            Self::Internal => 1011,
            Self::Restarting => 1012,
            Self::Slow(_) => 1013,
        }
    }

    /// The reason, up to 123 bytes.
    pub fn reason(self) -> String {
        match self {
            Self::Client(_) => String::new(),
            Self::Done => "done".into(),
            Self::IdleTimeout => "idle timeout".into(),
            Self::Binary => "binary messages are not part of this protocol".into(),
            Self::Violation(_, reason) | Self::Policy(reason) => reason.into(),
            Self::Internal => "internal fault".into(),
            Self::Restarting => "restarting".into(),
            Self::Slow(why) => {
                format!("slow consumer: {}; retry after {RETRY_AFTER_SECONDS} s", why.label())
            }
        }
    }

    /// What the client had better do.
    pub fn reconnect(self) -> Reconnect {
        match self {
            Self::Client(_) | Self::Done | Self::Violation(..) | Self::Binary | Self::Policy(_) => {
                Reconnect::No
            }
            Self::IdleTimeout | Self::Internal => Reconnect::Yes,
            Self::Restarting | Self::Slow(_) => Reconnect::Later,
        }
    }
}
