//! What a peer can do wrong, and the close code and reason it is told (RFC 6455 section 7.4.1).
//!
//! Reasons are fixed texts: nothing a peer sent is ever repeated to it.

/// A breach of the protocol by the peer. The connection is closed with [`code`](Self::code) and
/// [`reason`](Self::reason); nothing more is read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub enum Violation {
    /// RSV2 or RSV3 is set, or RSV1 where no compressed message can begin.
    ReservedBit,
    /// An opcode that RFC 6455 does not define.
    ReservedOpcode,
    /// A client's frame without a mask.
    Unmasked,
    /// A server's frame with a mask.
    Masked,
    /// A control frame without FIN.
    FragmentedControl,
    /// A control frame with more than 125 bytes.
    OversizedControl,
    /// A length that a shorter form could have held, or one with the highest bit set.
    BadLength,
    /// A continuation frame while no message is open.
    StrayContinuation,
    /// A text or binary frame while another message is open.
    InterruptedMessage,
    /// A close frame whose payload is a single byte, or whose code may not be sent.
    BadClose,
    /// Binary where text is expected. Raised by those who know what they expect, not by the decoder.
    UnexpectedBinary,
    /// Text, or the reason of a close, that is not UTF-8.
    InvalidUtf8,
    /// A compressed message that is not a deflate stream.
    CorruptDeflate,
    /// A message above the limit, as declared or as inflated.
    TooLarge,
}

impl Violation {
    /// The close code: 1002, 1003, 1007 or 1009.
    pub fn code(self) -> u16 {
        match self {
            Self::UnexpectedBinary => 1003,
            Self::InvalidUtf8 | Self::CorruptDeflate => 1007,
            Self::TooLarge => 1009,
            _ => 1002,
        }
    }

    /// The reason sent along with the code.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ReservedBit => "reserved bit set",
            Self::ReservedOpcode => "reserved opcode",
            Self::Unmasked => "frame is not masked",
            Self::Masked => "frame is masked",
            Self::FragmentedControl => "fragmented control frame",
            Self::OversizedControl => "control frame too long",
            Self::BadLength => "bad frame length",
            Self::StrayContinuation => "continuation without a message",
            Self::InterruptedMessage => "message interrupted by another",
            Self::BadClose => "bad close frame",
            Self::UnexpectedBinary => "binary where text is expected",
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::CorruptDeflate => "corrupt compressed message",
            Self::TooLarge => "message too large",
        }
    }
}
