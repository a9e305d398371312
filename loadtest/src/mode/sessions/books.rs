//! What the readers of sessions have read: every token once and in order, then the end, which repeats them all.

use crate::check::{Tally, Track};
use crate::stats::Latencies;

/// What a token's message begins with: over WebSocket and over SSE.
const TOKEN: [&[u8]; 2] = [b"{\"type\":\"token\",\"token\":\"", b"{\"type\":\"text\",\"content\":\""];
/// What the message behind the last token begins with, and where the whole answer lies in it.
const END: [(&[u8], &[u8]); 2] =
    [(b"{\"type\":\"complete\"", b"\"response\":\""), (b"{\"type\":\"done\"", b"\"output\":\"")];
/// Messages that are there and say nothing about tokens.
const OTHERS: [&[u8]; 4] =
    [b"{\"type\":\"progress\"", b"{\"type\":\"step\"", b"{\"type\":\"auth_success\"", b"{\"type\":\"pong\""];
const JOINED: &[u8] = b"{\"type\":\"joined\"";
const HASH: u64 = 0xcbf2_9ce4_8422_2325;

/// The text of a token: whose it is, its number in the session (from 1), and when it was said. Without anything that JSON escapes.
pub fn token(session: usize, number: u64, at: u64) -> String {
    format!("{session}:{number}:{at} ")
}

/// Session, number and time of a token without the blank behind it.
fn parse(word: &[u8]) -> Option<(u64, u64, u64)> {
    let mut parts = word.split(|&byte| byte == b':').map(number);
    let all = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(all)
}

fn number(digits: &[u8]) -> Option<u64> {
    let step = |sum: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, step) }
}

/// What one reader has read of its session.
pub struct Place {
    session: u64,
    track: Track,
    /// Of the text of all tokens of this answer.
    hash: u64,
}

impl Place {
    /// A reader of a session in which nothing was said.
    pub fn new(session: usize) -> Self {
        Self { session: session as u64, track: Track::default(), hash: HASH }
    }
}

/// The books of all readers.
pub struct Books {
    /// What was right and wrong.
    pub tally: Tally,
    /// From saying a token to reading it.
    pub latencies: Latencies,
    /// Readers that have joined.
    pub joined: usize,
    /// Ends of answers read.
    pub ended: usize,
    /// Messages that held tokens.
    pub messages: u64,
    /// The first message that should not have come.
    pub trouble: Option<String>,
}

impl Books {
    /// Empty books.
    pub fn new() -> anyhow::Result<Self> {
        let latencies = Latencies::new()?;
        Ok(Self { tally: Tally::default(), latencies, joined: 0, ended: 0, messages: 0, trouble: None })
    }

    /// Enters a message that was read at `now`.
    #[inline]
    pub fn enter(&mut self, place: &mut Place, text: &[u8], now: u64) {
        match TOKEN.iter().find_map(|start| text.strip_prefix(*start)) {
            Some(rest) => self.tokens(place, quoted(rest), now),
            None => self.other(place, text),
        }
    }

    fn tokens(&mut self, place: &mut Place, words: &[u8], now: u64) {
        self.messages += 1;
        place.hash = hash(place.hash, words);
        for word in words.split(|&byte| byte == b' ').filter(|word| !word.is_empty()) {
            match parse(word).filter(|(session, ..)| *session == place.session) {
                Some((_, number, at)) => {
                    place.track.see(number, &mut self.tally);
                    self.latencies.record(now.saturating_sub(at));
                }
                None => self.tally.corrupted += 1,
            }
        }
    }

    fn other(&mut self, place: &mut Place, text: &[u8]) {
        let end = END.iter().find(|(start, _)| text.starts_with(start));
        if let Some((_, name)) = end {
            self.end(place, text, name);
        } else if text.starts_with(JOINED) {
            self.joined += 1;
        } else if !OTHERS.iter().any(|start| text.starts_with(start)) {
            self.tally.unexpected += 1;
            self.trouble.get_or_insert_with(|| String::from_utf8_lossy(text).into_owned());
        }
    }

    /// The answer as a whole is what its tokens were.
    fn end(&mut self, place: &mut Place, text: &[u8], name: &[u8]) {
        let whole = memchr::memmem::find(text, name).map(|at| quoted(&text[at + name.len()..]));
        let same = whole.is_some_and(|whole| hash(HASH, whole) == place.hash);
        self.tally.corrupted += u64::from(!same);
        self.ended += 1;
        place.hash = HASH;
    }

    /// Nothing more comes for a reader of a session in which `newest` tokens were said.
    pub fn finish(&mut self, place: &mut Place, newest: u64) {
        place.track.finish(newest, &mut self.tally);
    }
}

/// What lies before the next quotation mark.
fn quoted(text: &[u8]) -> &[u8] {
    memchr::memchr(b'"', text).map_or(text, |length| &text[..length])
}

/// FNV-1a.
fn hash(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enters messages of tokens of session 7, then an end with `whole`.
    fn run(messages: &[&str], whole: &str, newest: u64) -> Books {
        let (mut books, mut place) = (Books::new().expect("bounds"), Place::new(7));
        for words in messages {
            let text =
                format!("{{\"type\":\"token\",\"token\":\"{words}\",\"session_id\":\"s7\",\"sequence\":9}}");
            books.enter(&mut place, text.as_bytes(), 5000);
        }
        let end = format!("{{\"type\":\"complete\",\"response\":\"{whole}\",\"session_id\":\"s7\"}}");
        books.enter(&mut place, end.as_bytes(), 5000);
        books.finish(&mut place, newest);
        books
    }

    fn faults(books: &Books) -> [u64; 4] {
        let tally = &books.tally;
        [tally.lost, tally.duplicated, tally.reordered, tally.corrupted]
    }

    #[test]
    fn tokens_are_read_back() {
        assert_eq!(parse(token(7, 3, 99).trim_end().as_bytes()), Some((7, 3, 99)));
        for word in ["", "7:3", "7:3:", "7:3:9:1", "7:x:9"] {
            assert_eq!(parse(word.as_bytes()), None, "{word}");
        }
    }

    #[test]
    fn joined_tokens_count_one_by_one() {
        let books = run(&["7:1:10 ", "7:2:10 7:3:20 "], "7:1:10 7:2:10 7:3:20 ", 3);
        assert!(books.tally.is_clean() && books.trouble.is_none());
        assert_eq!((books.tally.delivered, books.messages, books.ended), (3, 2, 1));
    }

    #[test]
    fn each_fault_is_told() {
        assert_eq!(faults(&run(&["7:1:1 ", "7:3:1 "], "7:1:1 7:3:1 ", 3)), [1, 0, 0, 0]);
        assert_eq!(faults(&run(&["7:1:1 "], "7:1:1 ", 3)), [2, 0, 0, 0]);
        assert_eq!(faults(&run(&["7:1:1 ", "7:1:1 "], "7:1:1 7:1:1 ", 1)), [0, 1, 0, 0]);
        assert_eq!(faults(&run(&["7:2:1 ", "7:1:1 "], "7:2:1 7:1:1 ", 2)), [0, 0, 1, 0]);
        assert_eq!(faults(&run(&["7:1:1 ", "8:2:1 "], "7:1:1 8:2:1 ", 1)), [0, 0, 0, 1]);
        assert_eq!(faults(&run(&["7:1:1 "], "7:1:2 ", 1)), [0, 0, 0, 1], "the end says something else");
    }

    #[test]
    fn refusals_are_unexpected() {
        let (mut books, mut place) = (Books::new().expect("bounds"), Place::new(7));
        books.enter(&mut place, br#"{"type":"gap","missed":3}"#, 0);
        assert_eq!((books.tally.unexpected, books.trouble.is_some()), (1, true));
    }
}
