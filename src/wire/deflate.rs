//! permessage-deflate's compression (RFC 7692 sections 7.2.1 and 7.2.2), without context takeover.
//!
//! Every message is compressed by itself, so a frame can be shared by all who agreed on the extension and a shard needs
//! one [`Deflater`] and one [`Inflater`], not one of each per connection. Both are empty until first used.
//!
//! Never here: a stream that ends. A final block (what libdeflate makes) breaks clients; a sync flush does not.

use crate::limits::{DEFLATE_BYTES_MIN, DEFLATE_WINDOW_BITS, SCRATCH_BYTES_KEPT};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// The empty stored block of a sync flush, which is not sent (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// The first guess at how much a message inflates to, bytes.
const INFLATE_STEP: usize = 4 << 10;

/// Compresses messages, each by itself, with a window of 2^12 bytes.
#[derive(Debug, Default)]
pub struct Deflater {
    stream: Option<Compress>,
    out: Vec<u8>,
}

impl Deflater {
    /// A deflater that allocates when it is first used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compresses a message; the result goes into a frame with RSV1 set. `None` says to send it plain: it is shorter than
    /// [`DEFLATE_BYTES_MIN`], or does not get smaller.
    pub fn deflate(&mut self, payload: &[u8]) -> Option<&[u8]> {
        if payload.len() < DEFLATE_BYTES_MIN {
            return None;
        }
        reuse(&mut self.out);
        // Room for all that is worth having: what fills it is not smaller than the payload.
        self.out.reserve(payload.len() + TAIL.len());
        let stream = self.stream.get_or_insert_with(new_compress);
        stream.reset();
        stream.compress_vec(payload, &mut self.out, FlushCompress::Sync).ok()?;
        if stream.total_in() != payload.len() as u64 {
            return None;
        }
        self.out.strip_suffix(&TAIL).filter(|compressed| compressed.len() < payload.len())
    }
}

fn new_compress() -> Compress {
    Compress::new_with_window_bits(Compression::fast(), false, DEFLATE_WINDOW_BITS)
}

/// Empties a buffer, and gives it back if one message made it large.
fn reuse(buffer: &mut Vec<u8>) {
    if buffer.capacity() > SCRATCH_BYTES_KEPT {
        *buffer = Vec::new();
    }
    buffer.clear();
}

/// Why a compressed message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// It inflates to more than the limit.
    #[error("message too large")]
    TooLarge,
    /// It is not a deflate stream.
    #[error("corrupt compressed message")]
    Corrupt,
}

/// Inflates messages, each by itself, whatever window they were compressed with.
#[derive(Debug, Default)]
pub struct Inflater {
    stream: Option<Decompress>,
    out: Vec<u8>,
}

impl Inflater {
    /// An inflater that allocates when it is first used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Inflates the payload of a message, stopping as soon as it comes to more than `bytes_max`.
    ///
    /// # Errors
    /// [`InflateError::TooLarge`] above the limit, [`InflateError::Corrupt`] when it is not a deflate stream.
    pub fn inflate(&mut self, payload: &[u8], bytes_max: usize) -> Result<&[u8], InflateError> {
        reuse(&mut self.out);
        let stream = self.stream.get_or_insert_with(|| Decompress::new(false));
        stream.reset(false);
        let mut run = Run { stream, out: &mut self.out, bytes_max };
        if run.feed(payload)? == Block::Open {
            run.feed(&TAIL)?;
        }
        Ok(&self.out)
    }
}

/// Whether a final block has been seen.
#[derive(PartialEq, Eq)]
enum Block {
    Open,
    Final,
}

/// One message on its way through the inflater.
struct Run<'a> {
    stream: &'a mut Decompress,
    out: &'a mut Vec<u8>,
    bytes_max: usize,
}

impl Run<'_> {
    fn feed(&mut self, mut bytes: &[u8]) -> Result<Block, InflateError> {
        loop {
            self.make_room()?;
            let before = self.stream.total_in();
            let status = self.stream.decompress_vec(bytes, self.out, FlushDecompress::Sync);
            bytes = &bytes[(self.stream.total_in() - before) as usize..];
            if self.out.len() > self.bytes_max {
                return Err(InflateError::TooLarge);
            }
            match status {
                Err(_) => return Err(InflateError::Corrupt),
                Ok(Status::StreamEnd) => return final_block(bytes),
                // With room left over there was nothing more to write.
                Ok(_) if bytes.is_empty() && self.out.len() < self.out.capacity() => return Ok(Block::Open),
                Ok(Status::BufError) if self.out.len() < self.out.capacity() => {
                    return Err(InflateError::Corrupt);
                }
                Ok(_) => {}
            }
        }
    }

    /// Doubles the buffer when it is full, up to one byte above the limit, which is enough to see that it is passed.
    fn make_room(&mut self) -> Result<(), InflateError> {
        if self.out.len() < self.out.capacity() {
            return Ok(());
        }
        let ceiling = self.bytes_max.saturating_add(1);
        let target = (self.out.capacity() * 2).max(INFLATE_STEP).min(ceiling);
        if target <= self.out.len() {
            return Err(InflateError::TooLarge);
        }
        self.out.reserve_exact(target - self.out.len());
        Ok(())
    }
}

/// A sender may end with a final block, and must then add an empty one, of which one zero byte is sent (RFC 7692 section
/// 7.2.3.4). Anything else behind it is a second stream.
fn final_block(rest: &[u8]) -> Result<Block, InflateError> {
    match rest {
        [] | [0] => Ok(Block::Final),
        _ => Err(InflateError::Corrupt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1 << 20;

    /// The examples of RFC 7692 section 7.2.3, each of which is a message "Hello" (the last: empty).
    #[test]
    fn inflates_the_examples_of_the_rfc() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"Hello"),
            (b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", b"Hello"),
            (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", b"Hello"),
            (b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", b"Hello"),
            (b"\x00", b""),
            (b"", b""),
        ];
        let mut inflater = Inflater::new();
        for (compressed, expected) in cases {
            assert_eq!(inflater.inflate(compressed, MAX), Ok(*expected), "{compressed:02x?}");
        }
    }

    #[test]
    fn refuses_what_is_no_stream() {
        let mut inflater = Inflater::new();
        for corrupt in [&b"\xff\xff\xff"[..], b"\x07", b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00\x01"] {
            assert_eq!(inflater.inflate(corrupt, MAX), Err(InflateError::Corrupt), "{corrupt:02x?}");
        }
        assert_eq!(inflater.inflate(b"\xf2\x48\xcd\xc9\xc9\x07\x00", MAX), Ok(&b"Hello"[..]));
    }

    #[test]
    fn the_limit_is_exact_and_a_bomb_costs_no_more_than_it() {
        let plain = vec![b'a'; 100_000];
        let mut deflater = Deflater::new();
        let compressed = deflater.deflate(&plain).expect("shrinks").to_vec();
        let mut inflater = Inflater::new();
        assert_eq!(inflater.inflate(&compressed, plain.len()), Ok(&plain[..]));
        for max in [0, 1, 4095, 4096, plain.len() - 1] {
            assert_eq!(inflater.inflate(&compressed, max), Err(InflateError::TooLarge), "{max}");
            assert!(inflater.out.capacity() <= SCRATCH_BYTES_KEPT.max(max + 1));
        }
    }

    #[test]
    fn sends_plain_what_is_short_or_does_not_shrink() {
        let mut deflater = Deflater::new();
        assert_eq!(deflater.deflate(&[b'a'; DEFLATE_BYTES_MIN - 1]), None);
        assert!(deflater.deflate(&[b'a'; DEFLATE_BYTES_MIN]).is_some());
        let noise: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let shrunk = deflater.deflate(&noise).map(<[u8]>::len);
        assert!(shrunk.is_none_or(|len| len < noise.len()));
    }

    /// A peer that was promised a window of 2^12 bytes must be able to follow.
    #[test]
    fn keeps_within_the_window_it_promises() {
        let line = |n: u32| format!("{{\"n\":{},\"text\":\"{:x}\"}}", n % 977, n.wrapping_mul(2_654_435_761));
        let plain: String = (0..20_000).map(line).collect();
        let mut deflater = Deflater::new();
        let compressed = deflater.deflate(plain.as_bytes()).expect("shrinks");
        let mut narrow = Inflater {
            stream: Some(Decompress::new_with_window_bits(false, DEFLATE_WINDOW_BITS)),
            out: Vec::new(),
        };
        assert_eq!(narrow.inflate(compressed, plain.len()), Ok(plain.as_bytes()));
    }

    #[test]
    fn forgets_one_message_before_the_next() {
        let plain = br#"{"type":"event","topic":"a"}"#.repeat(20);
        let mut deflater = Deflater::new();
        let first = deflater.deflate(&plain).expect("shrinks").to_vec();
        assert_eq!(deflater.deflate(&plain), Some(&first[..]));
    }
}
