//! HTTP/1.1 chunks (RFC 9112 section 7.1), the framing of NDJSON and SSE streams.
//!
//! Never here: an empty chunk by accident. A chunk of length zero ends the body, so nothing is written for an empty payload.

use std::ops::Range;

/// What ends a chunked body that has no trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

const CRLF: &[u8] = b"\r\n";
/// Hex digits of the longest length.
const DIGITS_MAX: usize = 2 * size_of::<usize>();

/// Appends `payload` as one chunk, or nothing if it is empty.
pub fn write_chunk(out: &mut Vec<u8>, payload: &[u8]) {
    if payload.is_empty() {
        return;
    }
    let (digits, start) = hex(payload.len());
    out.extend_from_slice(&digits[start..]);
    out.extend_from_slice(CRLF);
    out.extend_from_slice(payload);
    out.extend_from_slice(CRLF);
}

/// Builds a chunk around a payload whose length is known only once it is written, without moving the payload.
///
/// As with [`FrameBuilder`](super::websocket::FrameBuilder), bytes before the chunk may be waste: the chunk is what
/// [`finish`](Self::finish) says.
#[derive(Debug)]
#[must_use = "a chunk that is not finished has no length"]
pub struct ChunkBuilder {
    payload: usize,
}

impl ChunkBuilder {
    /// Leaves room for a length at the end of `out`. The payload is what is appended to `out` from here on.
    pub fn begin(out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&[0; DIGITS_MAX + CRLF.len()]);
        Self { payload: out.len() }
    }

    /// Writes the length and the closing line break; the chunk is `out[range]` of the range given, which is empty if the
    /// payload is.
    ///
    /// # Panics
    /// If `out` is shorter than it was at [`begin`](Self::begin).
    pub fn finish(self, out: &mut Vec<u8>) -> Range<usize> {
        let len = out.len() - self.payload;
        if len == 0 {
            return out.len()..out.len();
        }
        let (digits, first) = hex(len);
        let line = self.payload - CRLF.len();
        let start = line - (DIGITS_MAX - first);
        out[start..line].copy_from_slice(&digits[first..]);
        out[line..self.payload].copy_from_slice(CRLF);
        out.extend_from_slice(CRLF);
        start..out.len()
    }
}

/// The digits of `value`, right-aligned, and where they start.
fn hex(mut value: usize) -> ([u8; DIGITS_MAX], usize) {
    let mut digits = [b'0'; DIGITS_MAX];
    let mut start = DIGITS_MAX;
    while value > 0 {
        start -= 1;
        digits[start] = b"0123456789abcdef"[value % 16];
        value /= 16;
    }
    (digits, start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_lengths_in_hex() {
        for (len, head) in [(1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (0xabc, "abc\r\n")] {
            let payload = vec![b'x'; len];
            let mut out = Vec::new();
            write_chunk(&mut out, &payload);
            let expected = [head.as_bytes(), &payload, b"\r\n"].concat();
            assert_eq!(out, expected);

            let mut built = b"before".to_vec();
            let chunk = ChunkBuilder::begin(&mut built);
            built.extend_from_slice(&payload);
            let range = chunk.finish(&mut built);
            assert_eq!(built[range], expected);
        }
    }

    #[test]
    fn an_empty_payload_is_no_chunk() {
        let mut out = Vec::new();
        write_chunk(&mut out, b"");
        assert!(out.is_empty());
        let chunk = ChunkBuilder::begin(&mut out);
        assert!(chunk.finish(&mut out).is_empty());
    }
}
