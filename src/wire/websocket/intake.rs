//! What the decoders of a shard share, and what they give.
//!
//! A message is lent, never owned: it lies in the shard's read buffer when it arrived whole, in the [`Intake`] when it had
//! to be put together or inflated. It borrows nothing from the connection, so the connection can be changed while the
//! message is at hand.

use super::{Opcode, Violation, close};
use crate::wire::deflate::{InflateError, Inflater};
use std::ops::Range;

/// Something a peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping; the answer carries the same payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// A close, with code and reason unless it was empty. Nothing after it is read.
    Close(Option<(u16, &'a str)>),
}

impl<'a> Incoming<'a> {
    fn of(opcode: Opcode, payload: &'a [u8]) -> Result<Self, Violation> {
        match opcode {
            Opcode::Text => {
                simdutf8::basic::from_utf8(payload).map(Self::Text).map_err(|_| Violation::InvalidUtf8)
            }
            Opcode::Binary | Opcode::Continuation => Ok(Self::Binary(payload)),
            Opcode::Close => close::parse(payload),
            Opcode::Ping => Ok(Self::Ping(payload)),
            Opcode::Pong => Ok(Self::Pong(payload)),
        }
    }
}

/// Bytes that were read from a connection, and how far they have been used.
#[derive(Debug)]
pub struct Input<'i> {
    bytes: &'i mut [u8],
    used: usize,
}

impl<'i> Input<'i> {
    /// Wraps what was read. The bytes are unmasked in place: their content is lost.
    pub fn new(bytes: &'i mut [u8]) -> Self {
        Self { bytes, used: 0 }
    }

    /// What has not been used yet.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    /// Uses up the next `count` bytes and gives them.
    pub(super) fn take(&mut self, count: usize) -> &mut [u8] {
        let range = self.advance(count);
        &mut self.bytes[range]
    }

    /// Uses up the next `count` bytes and says where they are.
    pub(super) fn advance(&mut self, count: usize) -> Range<usize> {
        let start = self.used;
        self.used += count;
        start..self.used
    }

    pub(super) fn at(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.bytes[range]
    }

    pub(super) fn discard(&mut self) {
        self.used = self.bytes.len();
    }
}

/// What one shard keeps for all its decoders: the limit, the inflater, and the last message that was put together.
#[derive(Debug)]
pub struct Intake {
    pub(super) message_bytes_max: usize,
    inflater: Inflater,
    /// The last message that did not lie whole in the input. It stays until the next call of a decoder.
    pub(super) assembled: Vec<u8>,
}

/// Where a complete payload lies.
pub(super) enum Place {
    Input(Range<usize>),
    Assembled,
}

/// A complete payload, not yet judged.
pub(super) struct Ready {
    pub opcode: Opcode,
    pub compressed: bool,
    pub place: Place,
}

impl Intake {
    /// An intake that refuses messages above `message_bytes_max` bytes, compressed or not. It allocates nothing until a
    /// message asks for it.
    pub fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, inflater: Inflater::new(), assembled: Vec::new() }
    }

    /// Gives back the memory of the message that the last call of a decoder lent.
    pub(super) fn release(&mut self) {
        self.assembled = Vec::new();
    }

    pub(super) fn lend<'a>(
        &'a mut self,
        ready: Ready,
        input: &'a Input<'_>,
    ) -> Result<Incoming<'a>, Violation> {
        let raw = match ready.place {
            Place::Input(range) => &input.bytes[range],
            Place::Assembled => &self.assembled,
        };
        if !ready.compressed {
            return Incoming::of(ready.opcode, raw);
        }
        Incoming::of(ready.opcode, self.inflater.inflate(raw, self.message_bytes_max)?)
    }
}

impl From<InflateError> for Violation {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooLarge => Self::TooLarge,
            InflateError::Corrupt => Self::CorruptDeflate,
        }
    }
}
