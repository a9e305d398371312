//! Writing frames. All of them are whole messages (FIN set); fragments are written with [`Header`].

use super::{Header, Opcode, mask};
use std::ops::Range;

/// Appends an unmasked frame that holds a whole message. `rsv1` says that `payload` is compressed.
pub fn encode_frame(out: &mut Vec<u8>, opcode: Opcode, rsv1: bool, payload: &[u8]) {
    Header { fin: true, rsv1, opcode, mask: None, len: payload.len() as u64 }.write(out);
    out.extend_from_slice(payload);
}

/// Appends a frame as a client must send it, masked with `key`, which has to be unpredictable (RFC 6455 section 10.3).
pub fn encode_masked(out: &mut Vec<u8>, opcode: Opcode, rsv1: bool, key: [u8; 4], payload: &[u8]) {
    Header { fin: true, rsv1, opcode, mask: Some(key), len: payload.len() as u64 }.write(out);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::apply(&mut out[start..], key);
}

/// Appends an unmasked ping. `payload` is at most 125 bytes, which is not checked.
pub fn encode_ping(out: &mut Vec<u8>, payload: &[u8]) {
    encode_frame(out, Opcode::Ping, false, payload);
}

/// Appends an unmasked pong; `payload` is that of the ping it answers.
pub fn encode_pong(out: &mut Vec<u8>, payload: &[u8]) {
    encode_frame(out, Opcode::Pong, false, payload);
}

/// Builds an unmasked frame around a payload whose length is known only once it is written.
///
/// Room for the longest header is left, the payload is written behind it, and the header is then put right in front of the
/// payload. The payload never moves; in exchange up to eight bytes before the frame are waste, so the frame is what
/// [`finish`](Self::finish) says and not the whole buffer.
#[derive(Debug)]
#[must_use = "a frame that is not finished has no header"]
pub struct FrameBuilder {
    payload: usize,
}

impl FrameBuilder {
    const ROOM: usize = 10;

    /// Leaves room for a header at the end of `out`. The payload is what is appended to `out` from here on.
    pub fn begin(out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&[0; Self::ROOM]);
        Self { payload: out.len() }
    }

    /// Where the payload begins in `out`.
    pub fn payload_start(&self) -> usize {
        self.payload
    }

    /// Writes the header; the frame is `out[range]` of the range given, and reaches to the end of `out`.
    ///
    /// # Panics
    /// If `out` is shorter than it was at [`begin`](Self::begin).
    pub fn finish(self, out: &mut [u8], opcode: Opcode, rsv1: bool) -> Range<usize> {
        let len = (out.len() - self.payload) as u64;
        let (header, size) = Header { fin: true, rsv1, opcode, mask: None, len }.encoded();
        let start = self.payload - size;
        out[start..self.payload].copy_from_slice(&header[..size]);
        start..out.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_frame_is_the_encoded_one_at_every_size_of_header() {
        for len in [0, 1, 125, 126, 0xffff, 0x1_0000] {
            let payload = vec![b'x'; len];
            let mut expected = Vec::new();
            encode_frame(&mut expected, Opcode::Text, true, &payload);
            let mut out = b"before".to_vec();
            let frame = FrameBuilder::begin(&mut out);
            out.extend_from_slice(&payload);
            let range = frame.finish(&mut out, Opcode::Text, true);
            assert_eq!(out[range], expected);
            assert_eq!(&out[..6], b"before");
        }
    }

    #[test]
    fn masks_as_in_rfc_6455_section_5_7() {
        let mut out = Vec::new();
        encode_masked(&mut out, Opcode::Text, false, [0x37, 0xfa, 0x21, 0x3d], b"Hello");
        assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }
}
