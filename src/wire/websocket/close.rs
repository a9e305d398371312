//! Close frames (RFC 6455 sections 5.5.1 and 7.4).

use super::{Incoming, Opcode, Violation, encode_frame};
use crate::limits::CLOSE_REASON_BYTES_MAX;

/// Whether `code` may stand in a close frame: the registered ones that are meant to be sent, and 3000 to 4999.
pub fn is_valid_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Appends an unmasked close frame. A `reason` above 123 bytes is cut at a character's boundary.
pub fn encode_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let mut payload = [0; 2 + CLOSE_REASON_BYTES_MAX];
    let reason = truncated(reason).as_bytes();
    payload[..2].copy_from_slice(&code.to_be_bytes());
    payload[2..2 + reason.len()].copy_from_slice(reason);
    encode_frame(out, Opcode::Close, false, &payload[..2 + reason.len()]);
}

fn truncated(reason: &str) -> &str {
    let mut end = reason.len().min(CLOSE_REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

/// Reads the payload of a close frame. An empty one is a close without a code.
pub(super) fn parse(payload: &[u8]) -> Result<Incoming<'_>, Violation> {
    if payload.is_empty() {
        return Ok(Incoming::Close(None));
    }
    let (code, reason) = payload.split_first_chunk::<2>().ok_or(Violation::BadClose)?;
    let code = u16::from_be_bytes(*code);
    if !is_valid_close_code(code) {
        return Err(Violation::BadClose);
    }
    let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Violation::InvalidUtf8)?;
    Ok(Incoming::Close(Some((code, reason))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_judged_as_autobahn_section_7_does() {
        for code in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 3000, 3999, 4000, 4999] {
            assert!(is_valid_close_code(code), "{code}");
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            assert!(!is_valid_close_code(code), "{code}");
        }
    }

    #[test]
    fn reads_payloads() {
        assert_eq!(parse(b""), Ok(Incoming::Close(None)));
        assert_eq!(parse(b"\x03\xe8"), Ok(Incoming::Close(Some((1000, "")))));
        assert_eq!(parse(b"\x03\xe8bye"), Ok(Incoming::Close(Some((1000, "bye")))));
        assert_eq!(parse(b"\x03"), Err(Violation::BadClose));
        assert_eq!(parse(b"\x03\xed"), Err(Violation::BadClose));
        assert_eq!(parse(b"\x03\xe8\xff"), Err(Violation::InvalidUtf8));
    }

    #[test]
    fn cuts_a_long_reason_between_characters() {
        let mut out = Vec::new();
        encode_close(&mut out, 1013, &"é".repeat(100));
        assert_eq!(out.len(), 2 + 2 + 122);
        assert_eq!(parse(&out[2..]), Ok(Incoming::Close(Some((1013, "é".repeat(61).as_str())))));
    }
}
