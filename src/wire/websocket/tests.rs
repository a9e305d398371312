//! The decoder, as tables: bytes in, messages or a close code out.

use super::*;

const MAX: usize = 1 << 20;
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame from a client, given by its first byte and payload.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let (fin, rsv1) = (first & 0x80 != 0, first & 0x40 != 0);
    let opcode = match first & 0x0f {
        0 => Opcode::Continuation,
        1 => Opcode::Text,
        2 => Opcode::Binary,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        _ => Opcode::Pong,
    };
    let mut out = Vec::new();
    Header { fin, rsv1, opcode, mask: Some(KEY), len: payload.len() as u64 }.write(&mut out);
    let start = out.len();
    out.extend_from_slice(payload);
    apply_mask(&mut out[start..], KEY);
    out
}

/// Feeds `bytes` in pieces of `step` and writes down what came out.
fn decoded(decoder: &mut Decoder, bytes: &[u8], step: usize) -> Vec<String> {
    let mut intake = Intake::new(MAX);
    let mut seen = Vec::new();
    let mut bytes = bytes.to_vec();
    for piece in bytes.chunks_mut(step) {
        let mut input = Input::new(piece);
        loop {
            match decoder.next(&mut input, &mut intake) {
                Ok(Some(incoming)) => seen.push(format!("{incoming:?}")),
                Ok(None) => break,
                Err(violation) => seen.push(format!("{} {violation}", violation.code())),
            }
        }
    }
    seen
}

#[test]
fn an_idle_connection_is_24_bytes_and_holds_nothing() {
    assert_eq!(size_of::<Decoder>(), 24);
    let mut decoder = Decoder::new(Role::Server, true);
    assert_eq!(decoder.held_bytes(), 0);
    let frames = [masked(0x01, b"a"), masked(0x89, b"b"), masked(0x80, b"c"), masked(0x82, b"def")].concat();
    for step in 1..frames.len() {
        assert_eq!(
            decoded(&mut decoder, &frames, step),
            ["Ping([98])", "Text(\"ac\")", "Binary([100, 101, 102])"]
        );
        assert_eq!(decoder.held_bytes(), 0);
    }
}

#[test]
fn frames_become_messages() {
    let cases: &[(Vec<u8>, &[&str])] = &[
        (masked(0x81, b""), &["Text(\"\")"]),
        (masked(0x82, b""), &["Binary([])"]),
        (masked(0x8a, b""), &["Pong([])"]),
        (masked(0x88, b""), &["Close(None)"]),
        (masked(0x88, b"\x03\xe8bye"), &["Close(Some((1000, \"bye\")))"]),
        ([masked(0x88, b""), masked(0x81, b"late"), vec![0xff; 20]].concat(), &["Close(None)"]),
        ([masked(0x01, b""), masked(0x00, b""), masked(0x80, b"")].concat(), &["Text(\"\")"]),
        ([masked(0x01, "é".as_bytes()), masked(0x80, b"!")].concat(), &["Text(\"é!\")"]),
        ([masked(0x01, b"\xc3"), masked(0x00, b""), masked(0x80, b"\xa9")].concat(), &["Text(\"é\")"]),
        ([masked(0x01, b"a"), masked(0x88, b""), masked(0x80, b"b")].concat(), &["Close(None)"]),
    ];
    for (bytes, expected) in cases {
        for step in [1, 2, 3, 7, 1000] {
            assert_eq!(
                decoded(&mut Decoder::new(Role::Server, false), bytes, step),
                *expected,
                "{bytes:02x?}"
            );
        }
    }
}

#[test]
fn violations_end_the_connection() {
    let cases: &[(Vec<u8>, &str)] = &[
        (vec![0x81, 0x01, b'a'], "1002 frame is not masked"),
        (masked(0xc1, b"a"), "1002 reserved bit set"),
        (vec![0x83, 0x80], "1002 reserved opcode"),
        (masked(0x09, b""), "1002 fragmented control frame"),
        (masked(0x89, &[0; 126]), "1002 control frame too long"),
        (masked(0x80, b"a"), "1002 continuation without a message"),
        ([masked(0x01, b"a"), masked(0x81, b"b")].concat(), "1002 message interrupted by another"),
        ([masked(0x01, b"a"), masked(0xc0, b"b")].concat(), "1002 reserved bit set"),
        (masked(0x88, b"\x03"), "1002 bad close frame"),
        (masked(0x88, b"\x03\xee"), "1002 bad close frame"),
        (masked(0x88, b"\x03\xe8\xc3"), "1007 invalid UTF-8"),
        (masked(0x81, b"\xce\xba\xed\xa0\x80"), "1007 invalid UTF-8"),
        (masked(0x81, b"cut \xc3"), "1007 invalid UTF-8"),
        ([masked(0x01, b"cut \xc3"), masked(0x80, b"")].concat(), "1007 invalid UTF-8"),
        (masked(0x82, &vec![0; MAX + 1]), "1009 message too large"),
        ([masked(0x02, &[0; 9]), masked(0x80, &vec![0; MAX - 8])].concat(), "1009 message too large"),
    ];
    for (bytes, expected) in cases {
        for step in [1, 3, 65_536] {
            let mut decoder = Decoder::new(Role::Server, false);
            assert_eq!(decoded(&mut decoder, bytes, step), [*expected]);
            assert_eq!(decoder.held_bytes(), 0);
            assert!(decoded(&mut decoder, &masked(0x81, b"late"), step).is_empty());
        }
    }
    assert_eq!(
        decoded(&mut Decoder::new(Role::Client, false), &masked(0x81, b"a"), 9),
        ["1002 frame is masked"]
    );
}

/// The message is wrong before it is complete, and the peer hears it then.
#[test]
fn bad_text_fails_at_its_first_bad_byte() {
    let frame = masked(0x81, b"\xce\xba\xe1\xbd\xb9\xf4\x90\x80\x80 and much more that never comes");
    // Up to F4 all is well; 90 can not follow it.
    let bad = 6 + 6;
    for step in [1, 4, bad + 1] {
        let mut decoder = Decoder::new(Role::Server, false);
        assert!(decoded(&mut decoder, &frame[..bad], step).is_empty());
        assert_eq!(decoded(&mut decoder, &frame[bad..=bad], 1), ["1007 invalid UTF-8"]);
    }
}

#[test]
fn a_size_is_refused_by_its_header_alone() {
    let mut decoder = Decoder::new(Role::Server, false);
    let header = [0x82, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 1, 2, 3, 4];
    assert!(decoded(&mut decoder, &header[..13], 1).is_empty());
    assert_eq!(decoder.held_bytes(), 0);
    assert_eq!(decoded(&mut decoder, &header[13..], 1), ["1009 message too large"]);
}

#[test]
fn memory_follows_what_arrived_and_not_what_was_declared() {
    let mut decoder = Decoder::new(Role::Server, false);
    let frame = masked(0x82, &vec![7; MAX]);
    assert!(decoded(&mut decoder, &frame[..14 + 1000], 100).is_empty());
    assert!(decoder.held_bytes() < 2500, "{}", decoder.held_bytes());
    assert!(decoded(&mut decoder, &frame[1014..frame.len() - 1], 65_536).is_empty());
    assert!(decoder.held_bytes() < MAX + 200, "{}", decoder.held_bytes());
}

#[test]
fn a_flood_of_empty_fragments_costs_nothing() {
    let mut decoder = Decoder::new(Role::Server, false);
    assert!(decoded(&mut decoder, &masked(0x01, b""), 100).is_empty());
    let before = decoder.held_bytes();
    assert!(decoded(&mut decoder, &masked(0x00, b"").repeat(100_000), 65_536).is_empty());
    assert_eq!(decoder.held_bytes(), before);
}

#[test]
fn compressed_messages_are_inflated() {
    // The examples of RFC 7692 section 7.2.3.1.
    let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    let cases: &[(Vec<u8>, &[&str])] = &[
        (masked(0xc1, hello), &["Text(\"Hello\")"]),
        (
            [masked(0x41, &hello[..3]), masked(0x89, b""), masked(0x80, &hello[3..])].concat(),
            &["Ping([])", "Text(\"Hello\")"],
        ),
        ([masked(0xc2, b"\x00"), masked(0x81, b"plain")].concat(), &["Binary([])", "Text(\"plain\")"]),
        (masked(0xc1, b"\xff\xff\xff"), &["1007 corrupt compressed message"]),
        (masked(0xc9, b""), &["1002 reserved bit set"]),
        ([masked(0x41, b""), masked(0xc0, b"")].concat(), &["1002 reserved bit set"]),
    ];
    for (bytes, expected) in cases {
        for step in [1, 5, 1000] {
            assert_eq!(
                decoded(&mut Decoder::new(Role::Server, true), bytes, step),
                *expected,
                "{bytes:02x?}"
            );
        }
    }
}

#[test]
fn a_compressed_bomb_is_too_large() {
    let mut deflater = crate::wire::deflate::Deflater::new();
    let bomb = deflater.deflate(&vec![0; MAX + 1]).expect("shrinks").to_vec();
    assert_eq!(
        decoded(&mut Decoder::new(Role::Server, true), &masked(0xc2, &bomb), 999),
        ["1009 message too large"]
    );
}
