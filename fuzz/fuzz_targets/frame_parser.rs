//! The WebSocket decoder: whatever comes, it does not panic, holds no more than its limit, gives nothing above it, says
//! the same however the bytes are cut into reads, and is silent after the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace::wire::websocket::{Decoder, Incoming, Input, Intake, Role};

/// Small, so that the fuzzer reaches it.
const MAX: usize = 512;
/// A message at the limit, an interrupted control frame (a `Vec` may hold twice what is in it), and the bookkeeping.
const HELD_MAX: usize = MAX + 2 * 125 + 200;

fuzz_target!(|data: &[u8]| {
    let [options, step, bytes @ ..] = data else { return };
    let whole = decode(*options, bytes, bytes.len().max(1));
    let cut = decode(*options, bytes, usize::from(*step).max(1));
    assert_eq!(whole, cut, "the cuts between reads show");
});

fn decode(options: u8, bytes: &[u8], step: usize) -> Vec<String> {
    let role = if options & 1 == 0 { Role::Server } else { Role::Client };
    let mut decoder = Decoder::new(role, options & 2 != 0);
    let mut intake = Intake::new(MAX);
    let mut bytes = bytes.to_vec();
    let mut seen = Vec::new();
    let mut ended = false;
    for piece in bytes.chunks_mut(step) {
        let mut input = Input::new(piece);
        loop {
            let item = match decoder.next(&mut input, &mut intake) {
                Ok(None) => break,
                Ok(Some(incoming)) => check(incoming, &mut ended),
                Err(violation) => {
                    assert!(matches!(violation.code(), 1002 | 1007 | 1009));
                    assert!(!std::mem::replace(&mut ended, true), "something came after the end");
                    violation.reason().to_owned()
                }
            };
            seen.push(item);
            assert!(decoder.held_bytes() <= HELD_MAX, "{} bytes held", decoder.held_bytes());
        }
        assert!(decoder.held_bytes() <= HELD_MAX, "{} bytes held", decoder.held_bytes());
        assert!(!ended || decoder.held_bytes() == 0, "memory after the end");
    }
    seen
}

fn check(incoming: Incoming<'_>, ended: &mut bool) -> String {
    assert!(!*ended, "something came after the end");
    match incoming {
        Incoming::Text(text) => assert!(text.len() <= MAX),
        Incoming::Binary(bytes) => assert!(bytes.len() <= MAX),
        Incoming::Ping(bytes) | Incoming::Pong(bytes) => assert!(bytes.len() <= 125),
        Incoming::Close(_) => *ended = true,
    }
    format!("{incoming:?}")
}
