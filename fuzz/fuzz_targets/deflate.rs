//! permessage-deflate: what is deflated is inflated again; what is no stream is refused, within the limit; and one message
//! leaves nothing behind for the next.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace::wire::deflate::{Deflater, Inflater};
use millrace::wire::websocket::negotiate;
use std::cell::RefCell;

thread_local! {
    /// Kept from run to run, as a shard keeps its own.
    static BOTH: RefCell<(Deflater, Inflater)> = RefCell::new((Deflater::new(), Inflater::new()));
}

fuzz_target!(|data: &[u8]| {
    let [high, low, bytes @ ..] = data else { return };
    let max = usize::from(u16::from_be_bytes([*high, *low]));
    let _ = negotiate([bytes]);
    BOTH.with_borrow_mut(|(deflater, inflater)| {
        refuse_or_fit(inflater, bytes, max);
        round_trip(deflater, inflater, bytes);
        // Short inputs are sent plain: repeat them so that they are compressed as well.
        round_trip(deflater, inflater, &bytes.repeat(40));
    });
});

fn refuse_or_fit(inflater: &mut Inflater, bytes: &[u8], max: usize) {
    let used = inflater.inflate(bytes, max).map(<[u8]>::to_vec);
    let mut unused = Inflater::new();
    assert_eq!(used.as_deref().map_err(|e| *e), unused.inflate(bytes, max));
    assert!(used.is_err() || used.is_ok_and(|plain| plain.len() <= max));
}

fn round_trip(deflater: &mut Deflater, inflater: &mut Inflater, plain: &[u8]) {
    let Some(compressed) = deflater.deflate(plain) else { return };
    assert!(compressed.len() < plain.len());
    assert_eq!(inflater.inflate(compressed, plain.len()), Ok(plain));
}
