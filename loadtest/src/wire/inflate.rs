//! Inflating permessage-deflate messages whose context is reset after each (which the handshake asks for).
//!
//! A thousand subscribers get the same bytes, and inflating them a thousand times would make the client the bottleneck:
//! the last few results are kept and found again by comparing the compressed bytes.

use flate2::{Decompress, FlushDecompress};

use super::Violation;

const KEPT: usize = 256;
/// What a sender strips from the end of a sync-flushed message, and a receiver puts back.
const SYNC_TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

struct Known {
    compressed: Vec<u8>,
    text: Vec<u8>,
}

/// One inflater for all connections of a side.
pub struct Inflater {
    stream: Decompress,
    known: Vec<Known>,
    next: usize,
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// An inflater that knows nothing yet.
    pub fn new() -> Self {
        Self { stream: Decompress::new(false), known: Vec::new(), next: 0 }
    }

    /// The text of one message.
    pub fn text(&mut self, compressed: &[u8]) -> Result<&[u8], Violation> {
        let at = match self.find(compressed) {
            Some(at) => at,
            None => self.inflate(compressed)?,
        };
        self.next = (at + 1) % KEPT;
        Ok(&self.known[at].text)
    }

    /// Messages come to each subscriber in the same order, so the one behind the last is tried first.
    fn find(&self, compressed: &[u8]) -> Option<usize> {
        let is = |known: &Known| known.compressed == compressed;
        if self.known.get(self.next).is_some_and(is) {
            return Some(self.next);
        }
        self.known.iter().position(is)
    }

    fn inflate(&mut self, compressed: &[u8]) -> Result<usize, Violation> {
        let mut input = compressed.to_vec();
        input.extend_from_slice(&SYNC_TAIL);
        let text = self.run(&input)?;
        let entry = Known { compressed: compressed.to_vec(), text };
        if self.known.len() < KEPT {
            self.known.push(entry);
            return Ok(self.known.len() - 1);
        }
        self.known[self.next] = entry;
        Ok(self.next)
    }

    fn run(&mut self, input: &[u8]) -> Result<Vec<u8>, Violation> {
        self.stream.reset(false);
        let mut text = Vec::with_capacity(input.len() * 4 + 64);
        loop {
            let used = self.stream.total_in() as usize;
            self.stream
                .decompress_vec(&input[used..], &mut text, FlushDecompress::Sync)
                .map_err(|_| Violation("a compressed message does not inflate"))?;
            if text.len() < text.capacity() {
                return Ok(text);
            }
            text.reserve(text.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::frame::deflate;

    #[test]
    fn messages_come_back_also_the_second_time_and_beyond_what_is_kept() {
        let mut inflater = Inflater::new();
        for round in 0..2 {
            for n in 0..KEPT + 10 {
                let text = format!("{{\"offset\":{n},\"data\":\"{}\"}}", "x".repeat(n * 10));
                let compressed = deflate(text.as_bytes());
                assert_eq!(inflater.text(&compressed), Ok(text.as_bytes()), "round {round}");
                assert_eq!(inflater.text(&compressed), Ok(text.as_bytes()));
            }
        }
    }

    #[test]
    fn rubbish_is_refused() {
        assert!(Inflater::new().text(&[0xff, 0xff, 0xff]).is_err());
    }
}
