//! Bytes of a stream ⇄ messages, incrementally: whatever the splits, a message is seen once and whole.
//!
//! A connection keeps only the tail of an incomplete message; everything complete is handed on as a slice of the read
//! buffer, so that sixteen joined frames cost sixteen header reads and no copy.

pub mod http;
pub mod inflate;
pub mod lines;
pub mod ws;

use std::fmt;

/// How events come to a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    /// WebSocket text messages.
    Ws,
    /// Server-Sent Events.
    Sse,
    /// Chunked lines of JSON.
    Ndjson,
    /// WebSocket with permessage-deflate.
    WsDeflate,
}

impl Transport {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Sse => "sse",
            Self::Ndjson => "ndjson",
            Self::WsDeflate => "ws-deflate",
        }
    }

    /// Whether the stream is framed as WebSocket.
    pub fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::WsDeflate)
    }
}

/// One complete message.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A JSON text.
    Text(&'a [u8]),
    /// A JSON text, compressed.
    Deflated(&'a [u8]),
    /// A WebSocket ping, to be answered with the same bytes.
    Ping(&'a [u8]),
    /// A WebSocket close with its code (1005: none given).
    Close(u16),
}

/// The stream is not what the protocol says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation(pub &'static str);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Violation {}

/// The state of one stream between two reads.
#[derive(Debug)]
pub enum Decoder {
    /// WebSocket frames.
    Ws(Tail),
    /// SSE or NDJSON in an HTTP body.
    Lines(lines::LineDecoder),
}

impl Decoder {
    /// A decoder at the first byte behind the head of the response.
    pub fn new(transport: Transport, chunked: bool) -> Self {
        match transport {
            Transport::Ws | Transport::WsDeflate => Self::Ws(Tail::default()),
            Transport::Sse => Self::Lines(lines::LineDecoder::new(chunked, lines::Shape::Sse)),
            Transport::Ndjson => Self::Lines(lines::LineDecoder::new(chunked, lines::Shape::Ndjson)),
        }
    }

    /// Takes the next `bytes` and shows every message that is complete now.
    #[inline]
    pub fn feed(&mut self, bytes: &[u8], visit: &mut impl FnMut(Message<'_>)) -> Result<(), Violation> {
        match self {
            Self::Ws(tail) => tail.feed(bytes, |bytes| ws::walk(bytes, visit)),
            Self::Lines(decoder) => decoder.feed(bytes, visit),
        }
    }
}

/// The bytes of a message that is not complete yet.
#[derive(Debug, Default)]
pub struct Tail(Vec<u8>);

impl Tail {
    /// Runs `walk` over what is kept and `bytes`; `walk` says how many bytes it used, the rest is kept.
    #[inline]
    pub fn feed(
        &mut self,
        bytes: &[u8],
        walk: impl FnOnce(&[u8]) -> Result<usize, Violation>,
    ) -> Result<(), Violation> {
        if self.0.is_empty() {
            let used = walk(bytes)?;
            self.0.extend_from_slice(&bytes[used..]);
            return Ok(());
        }
        self.feed_kept(bytes, walk)
    }

    fn feed_kept(
        &mut self,
        bytes: &[u8],
        walk: impl FnOnce(&[u8]) -> Result<usize, Violation>,
    ) -> Result<(), Violation> {
        self.0.extend_from_slice(bytes);
        let used = walk(&self.0)?;
        self.0.drain(..used);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// All messages of `bytes` when they come in the given pieces, as text.
    pub fn decode(mut decoder: Decoder, pieces: &[&[u8]]) -> Result<Vec<String>, Violation> {
        let mut seen = Vec::new();
        for piece in pieces {
            decoder.feed(piece, &mut |message| {
                seen.push(match message {
                    Message::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    other => format!("{other:?}"),
                });
            })?;
        }
        Ok(seen)
    }

    /// Asserts that `bytes` mean `expected` wherever they are split into two, and byte by byte.
    pub fn check_splits(new: impl Fn() -> Decoder, bytes: &[u8], expected: &[&str]) {
        for at in 0..=bytes.len() {
            let seen = decode(new(), &[&bytes[..at], &bytes[at..]]).expect("valid");
            assert_eq!(seen, expected, "split at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(new(), &single).expect("valid"), expected, "byte by byte");
    }
}
