//! SSE and NDJSON in an HTTP/1.1 body, chunked or not. Chunk boundaries may lie anywhere.

use memchr::memchr;

use super::{Message, Tail, Violation};

/// How messages lie in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `data:` lines, an empty line behind each event.
    Sse,
    /// One JSON value a line.
    Ndjson,
}

/// Where in the chunked body the next byte lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    /// The body is not chunked: everything is text.
    Identity,
    /// In the size line; the size so far.
    Size(u64),
    /// Behind a `;` in the size line; the size.
    Extension(u64),
    /// In the data; bytes left.
    Data(u64),
    /// In the line break behind the data.
    Break,
    /// In the line break behind the last chunk.
    Trailer,
    /// Behind the body.
    End,
}

/// The state of one stream between two reads.
#[derive(Debug)]
pub struct LineDecoder {
    chunk: Chunk,
    shape: Shape,
    tail: Tail,
}

impl LineDecoder {
    /// A decoder at the first byte of the body.
    pub fn new(chunked: bool, shape: Shape) -> Self {
        let chunk = if chunked { Chunk::Size(0) } else { Chunk::Identity };
        Self { chunk, shape, tail: Tail::default() }
    }

    /// Takes the next `bytes` and shows every message that is complete now.
    #[inline]
    pub fn feed(&mut self, mut bytes: &[u8], visit: &mut impl FnMut(Message<'_>)) -> Result<(), Violation> {
        while !bytes.is_empty() {
            bytes = match self.chunk {
                Chunk::Identity => self.text(bytes, u64::MAX, visit)?,
                Chunk::Data(left) => self.text(bytes, left, visit)?,
                Chunk::End => return Err(Violation("bytes behind the last chunk")),
                other => {
                    self.chunk = other.step(bytes[0])?;
                    &bytes[1..]
                }
            };
        }
        Ok(())
    }

    /// Takes at most `left` bytes of text; returns the bytes behind them.
    #[inline]
    fn text<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        visit: &mut impl FnMut(Message<'_>),
    ) -> Result<&'a [u8], Violation> {
        let (text, rest) = bytes.split_at(bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        self.chunk = match self.chunk {
            Chunk::Data(left) if left == text.len() as u64 => Chunk::Break,
            Chunk::Data(left) => Chunk::Data(left - text.len() as u64),
            other => other,
        };
        match self.shape {
            Shape::Sse => self.tail.feed(text, |text| walk_sse(text, visit))?,
            Shape::Ndjson => self.tail.feed(text, |text| walk_ndjson(text, visit))?,
        }
        Ok(rest)
    }
}

impl Chunk {
    #[inline]
    fn step(self, byte: u8) -> Result<Self, Violation> {
        Ok(match (self, byte) {
            (Self::Size(0) | Self::Extension(0), b'\n') => Self::Trailer,
            (Self::Trailer, b'\r') => Self::Trailer,
            (Self::Trailer, b'\n') => Self::End,
            (Self::Trailer, _) => return Err(Violation("bytes behind the last chunk")),
            (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(size),
            (Self::Size(size), b';' | b'\r') => Self::Extension(size),
            (Self::Size(size), digit) => Self::Size(hex_step(size, digit)?),
            (Self::Break, b'\r') => Self::Break,
            (Self::Break, b'\n') => Self::Size(0),
            (Self::Break, _) => return Err(Violation("no line break behind a chunk")),
            (same, _) => same,
        })
    }
}

#[inline]
fn hex_step(size: u64, digit: u8) -> Result<u64, Violation> {
    let value = match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => return Err(Violation("a chunk size is not hexadecimal")),
    };
    Ok((size << 4) | u64::from(value))
}

/// Shows every complete line of `text`; returns how many bytes they are.
#[inline]
fn walk_ndjson(text: &[u8], visit: &mut impl FnMut(Message<'_>)) -> Result<usize, Violation> {
    let mut at = 0;
    while let Some(length) = memchr(b'\n', &text[at..]) {
        if length > 0 {
            visit(Message::Text(&text[at..at + length]));
        }
        at += length + 1;
    }
    Ok(at)
}

/// Shows the data of every complete SSE event of `text`; returns how many bytes they are.
#[inline]
fn walk_sse(text: &[u8], visit: &mut impl FnMut(Message<'_>)) -> Result<usize, Violation> {
    let (mut at, mut used) = (0, 0);
    let mut data = None;
    while let Some(length) = memchr(b'\n', &text[at..]) {
        let line = &text[at..at + length];
        at += length + 1;
        if let Some(value) = line.strip_prefix(b"data:") {
            if data.replace(value.strip_prefix(b" ").unwrap_or(value)).is_some() {
                return Err(Violation("an SSE event with two data lines"));
            }
        } else if line.is_empty() {
            data.take().into_iter().for_each(|data| visit(Message::Text(data)));
            used = at;
        }
    }
    Ok(used)
}

/// Appends `text` as one chunk.
pub fn put_chunk(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(format!("{:x}\r\n", text.len()).as_bytes());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{check_splits, decode};
    use crate::wire::{Decoder, Transport};

    fn sse() -> Decoder {
        Decoder::new(Transport::Sse, true)
    }

    #[test]
    fn events_are_seen_whole_wherever_they_and_their_chunks_are_split() {
        let mut bytes = Vec::new();
        put_chunk(&mut bytes, b": hello\n\nevent: subscribed\ndata: {\"a\":1}\n\n");
        put_chunk(&mut bytes, b"id: 7:1\ndata: on");
        put_chunk(&mut bytes, b"e\n\nretry: 5\n\nid: 7:2\nda");
        put_chunk(&mut bytes, b"ta:two\n\n");
        bytes.extend_from_slice(b"A;x=y\r\ndata: 0123\r\n2\r\n\n\n\r\n0\r\n\r\n");
        check_splits(sse, &bytes, &["{\"a\":1}", "one", "two", "0123"]);
    }

    #[test]
    fn lines_are_seen_whole_wherever_they_are_split() {
        let mut bytes = Vec::new();
        put_chunk(&mut bytes, b"{\"a\":1}\n\n{\"b\"");
        put_chunk(&mut bytes, b":2}\n");
        check_splits(|| Decoder::new(Transport::Ndjson, true), &bytes, &["{\"a\":1}", "{\"b\":2}"]);
        let plain = b"one\ntwo\n";
        check_splits(|| Decoder::new(Transport::Ndjson, false), plain, &["one", "two"]);
    }

    #[test]
    fn an_incomplete_event_is_not_shown() {
        assert_eq!(decode(sse(), &[b"f\r\ndata: 12345678\n\r\n"]), Ok(vec![]));
    }

    #[test]
    fn broken_chunks_are_refused() {
        assert!(decode(sse(), &[b"zz\r\n"]).is_err());
        assert!(decode(sse(), &[b"1\r\naXX"]).is_err());
        assert!(decode(sse(), &[b"0\r\nmore"]).is_err());
        assert!(decode(sse(), &[b"0\r\n\r\nmore"]).is_err());
        assert!(decode(sse(), &[b"14\r\ndata: 1\ndata: 2\n\nxx\r\n"]).is_err());
    }
}
