//! WebSocket frames as a client reads and writes them (RFC 6455): unmasked in, masked out.

use super::{Message, Violation};

const CONTINUATION: u8 = 0x0;
/// Opcode of a text message.
pub const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
/// Opcode of a ping.
pub const PING: u8 = 0x9;
/// Opcode of a pong.
pub const PONG: u8 = 0xA;
const FIN: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
/// The key all our frames are masked with: it hides nothing, but the server pays for unmasking.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x9e];

/// The length of header and payload of the frame at the start of `bytes`, if the header is complete.
#[inline]
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let short = *bytes.get(1)? & 0x7f;
    match short {
        126 => Some((4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into())),
        127 => Some((10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize)),
        short => Some((2, short.into())),
    }
}

/// Shows every complete frame of `bytes`; returns how many bytes they are.
#[inline]
pub fn walk(bytes: &[u8], visit: &mut impl FnMut(Message<'_>)) -> Result<usize, Violation> {
    let mut at = 0;
    while let Some((header, length)) = lengths(&bytes[at..]) {
        if bytes[at + 1] & 0x80 != 0 {
            return Err(Violation("the server masked a frame"));
        }
        let Some(payload) = bytes[at + header..].get(..length) else { break };
        show(bytes[at], payload, visit)?;
        at += header + length;
    }
    Ok(at)
}

#[inline]
fn show(first: u8, payload: &[u8], visit: &mut impl FnMut(Message<'_>)) -> Result<(), Violation> {
    const FINAL_TEXT: u8 = FIN | TEXT;
    const FINAL_DEFLATED: u8 = FIN | COMPRESSED | TEXT;
    match first {
        FINAL_TEXT => visit(Message::Text(payload)),
        FINAL_DEFLATED => visit(Message::Deflated(payload)),
        other => show_rare(other, payload, visit)?,
    }
    Ok(())
}

fn show_rare(first: u8, payload: &[u8], visit: &mut impl FnMut(Message<'_>)) -> Result<(), Violation> {
    match (first & 0xf0, first & 0x0f) {
        (FIN, PING) => visit(Message::Ping(payload)),
        (FIN, PONG) => {}
        (FIN, CLOSE) => visit(Message::Close(close_code(payload))),
        (_, CONTINUATION) | (0 | COMPRESSED, TEXT) => return Err(Violation("fragmented message")),
        _ => return Err(Violation("frame with an unexpected opcode or reserved bit")),
    }
    Ok(())
}

fn close_code(payload: &[u8]) -> u16 {
    payload.first_chunk::<2>().map_or(1005, |code| u16::from_be_bytes(*code))
}

/// Appends a masked frame.
pub fn put_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    put_header(out, FIN | opcode, 0x80, payload.len());
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    unmask(&mut out[start..], MASK);
}

/// Appends an unmasked final frame, as a server does.
pub fn put_unmasked(out: &mut Vec<u8>, opcode: u8, compressed: bool, payload: &[u8]) {
    let first = FIN | opcode | if compressed { COMPRESSED } else { 0 };
    put_header(out, first, 0, payload.len());
    out.extend_from_slice(payload);
}

fn put_header(out: &mut Vec<u8>, first: u8, mask_bit: u8, length: usize) {
    out.push(first);
    match length {
        0..126 => out.push(mask_bit | length as u8),
        126..=0xffff => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Masks or unmasks in place.
pub fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let chunk: &mut [u8; 8] = match chunk.try_into() {
            Ok(chunk) => chunk,
            Err(_) => return,
        };
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (i, byte) in chunks.into_remainder().iter_mut().enumerate() {
        *byte ^= key[i % 4];
    }
}

/// Takes the masked frame at the start of `bytes`: its opcode, its unmasked payload and its whole length.
pub fn take_masked(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (header, length) = lengths(bytes)?;
    let key = *bytes.get(header..)?.first_chunk::<4>()?;
    let mut payload = bytes.get(header + 4..header + 4 + length)?.to_vec();
    unmask(&mut payload, key);
    Some((bytes[0] & 0x0f, payload, header + 4 + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{check_splits, decode};
    use crate::wire::{Decoder, Transport};

    fn new() -> Decoder {
        Decoder::new(Transport::Ws, false)
    }

    #[test]
    fn frames_are_seen_whole_wherever_they_are_split() {
        let mut bytes = Vec::new();
        let middle = "m".repeat(300);
        put_unmasked(&mut bytes, TEXT, false, b"short");
        put_unmasked(&mut bytes, TEXT, false, b"");
        put_unmasked(&mut bytes, TEXT, false, middle.as_bytes());
        put_unmasked(&mut bytes, PING, false, b"p");
        put_unmasked(&mut bytes, CLOSE, false, &1013u16.to_be_bytes());
        check_splits(new, &bytes, &["short", "", &middle, "Ping([112])", "Close(1013)"]);
    }

    #[test]
    fn sixty_four_bit_lengths_are_read() {
        let long = "x".repeat(70_000);
        let mut bytes = Vec::new();
        put_unmasked(&mut bytes, TEXT, false, long.as_bytes());
        let seen = decode(new(), &[&bytes[..5], &bytes[5..60_000], &bytes[60_000..]]);
        assert_eq!(seen, Ok(vec![long]));
    }

    #[test]
    fn what_a_server_may_not_send_is_refused() {
        assert!(decode(new(), &[&[0x81, 0x80, 0, 0, 0, 0]]).is_err(), "masked");
        assert!(decode(new(), &[&[0x01, 1, b'x']]).is_err(), "fragmented");
        assert!(decode(new(), &[&[0x91, 1, b'x']]).is_err(), "reserved bit");
    }

    #[test]
    fn masking_comes_back() {
        for length in [0, 1, 7, 8, 9, 125, 126, 70_000] {
            let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut frame = Vec::new();
            put_masked(&mut frame, TEXT, &payload);
            assert_eq!(take_masked(&frame), Some((TEXT, payload, frame.len())));
            assert_eq!(take_masked(&frame[..frame.len() - 1]), None);
        }
    }
}
