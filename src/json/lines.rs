//! NDJSON: lines out of a body.
//!
//! [`split`] cuts a text that is all there; [`Lines`] cuts one that comes in chunks and keeps only the line that is not complete. Where
//! the chunks end makes no difference to what comes out. Lines are counted from 1, those with nothing but white space are counted but
//! not returned, `\r\n` ends a line as `\n` does, and the last one needs neither. A line beyond the limit is reported, not kept: it does
//! not spoil the others.

use memchr::memchr;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1, empty lines included.
    pub number: u64,
    /// Its bytes, without the line break.
    pub content: Result<&'a [u8], TooLong>,
}

/// A line longer than the limit, which is enclosed, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the line is longer than {0} bytes")]
pub struct TooLong(pub usize);

/// The lines of `body`, none longer than `limit` bytes.
pub fn split(body: &[u8], limit: usize) -> impl Iterator<Item = Line<'_>> {
    let mut rest = body;
    let mut number = 0;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (line, after) = cut(rest).unwrap_or((rest, &[]));
            rest = after;
            number += 1;
            if let Some(content) = content(line, limit) {
                return Some(Line { number, content });
            }
        }
        None
    })
}

/// The lines of a body that comes in chunks. Keeps at most `limit + 1` bytes.
#[derive(Debug)]
pub struct Lines {
    limit: usize,
    /// Lines that have ended.
    number: u64,
    partial: Vec<u8>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// `partial` is the beginning of the current line.
    Open,
    /// `partial` was returned as a line, and can go.
    Returned,
    /// The current line is too long; the rest of it is passed over.
    Skipping,
}

impl Lines {
    /// Before the first chunk; no line may be longer than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, number: 0, partial: Vec::new(), state: State::Open }
    }

    /// The next line that ends in `chunk`, which is moved on behind it. `None` when `chunk` is used up.
    pub fn next<'s, 'c: 's>(&'s mut self, chunk: &mut &'c [u8]) -> Option<Line<'s>> {
        self.release();
        while let Some((line, rest)) = cut(chunk) {
            *chunk = rest;
            self.number += 1;
            if self.state == State::Open && self.partial.is_empty() {
                if let Some(content) = content(line, self.limit) {
                    return Some(Line { number: self.number, content });
                }
                continue;
            }
            self.keep(line);
            if self.ends() {
                return self.kept();
            }
        }
        self.keep(chunk);
        *chunk = &[];
        None
    }

    /// The last line, when it has no line break. To be called once, after the last chunk.
    pub fn finish(&mut self) -> Option<Line<'_>> {
        self.release();
        self.number += 1;
        if self.ends() { self.kept() } else { None }
    }

    /// Gives back the memory of a line that was returned: between lines nothing is held.
    fn release(&mut self) {
        if self.state == State::Returned {
            self.partial = Vec::new();
            self.state = State::Open;
        }
    }

    /// Adds to the current line. One byte more than the limit is kept: it may be a `\r`.
    fn keep(&mut self, bytes: &[u8]) {
        if self.state == State::Skipping {
            return;
        }
        if self.partial.len() + bytes.len() > self.limit.saturating_add(1) {
            self.partial = Vec::new();
            self.state = State::Skipping;
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    /// Whether the current line, which is complete, is to be returned; makes room for the next otherwise.
    fn ends(&mut self) -> bool {
        let returned = self.state == State::Skipping || content(&self.partial, self.limit).is_some();
        if !returned {
            self.partial.clear();
        }
        returned
    }

    fn kept(&mut self) -> Option<Line<'_>> {
        let skipped = std::mem::replace(&mut self.state, State::Returned) == State::Skipping;
        let content =
            if skipped { Some(Err(TooLong(self.limit))) } else { content(&self.partial, self.limit) };
        content.map(|content| Line { number: self.number, content })
    }
}

/// The first line of `bytes` without its `\n`, and what follows.
fn cut(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    memchr(b'\n', bytes).map(|at| (&bytes[..at], &bytes[at + 1..]))
}

/// A complete line without its `\r`; `None` when there is nothing in it.
fn content(line: &[u8], limit: usize) -> Option<Result<&[u8], TooLong>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > limit {
        return Some(Err(TooLong(limit)));
    }
    let blank = line.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r'));
    (!blank).then_some(Ok(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 5;

    type Owned = (u64, Option<String>);
    type Case = (&'static str, &'static [(u64, Option<&'static str>)]);

    fn owned(line: Line<'_>) -> Owned {
        (line.number, line.content.ok().map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    }

    fn in_chunks<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
        let mut lines = Lines::new(LIMIT);
        let mut found = Vec::new();
        for mut chunk in chunks {
            while let Some(line) = lines.next(&mut chunk) {
                found.push(owned(line));
            }
            assert!(lines.partial.len() <= LIMIT + 1);
        }
        found.extend(lines.finish().map(owned));
        found
    }

    #[test]
    fn lines() {
        let cases: &[Case] = &[
            ("", &[]),
            ("\n\r\n \t\n", &[]),
            ("a", &[(1, Some("a"))]),
            ("a\n", &[(1, Some("a"))]),
            ("a\r\nb\r", &[(1, Some("a")), (2, Some("b"))]),
            ("a\n\n\nb\n", &[(1, Some("a")), (4, Some("b"))]),
            ("12345\r\n123456\r\n1234567\nb", &[(1, Some("12345")), (2, None), (3, None), (4, Some("b"))]),
            ("a\r\r\n", &[(1, Some("a\r"))]),
            ("1234567890", &[(1, None)]),
            ("      ", &[(1, None)]),
        ];
        for (body, expected) in cases {
            let expected: Vec<Owned> = expected.iter().map(|(n, c)| (*n, c.map(str::to_owned))).collect();
            assert_eq!(split(body.as_bytes(), LIMIT).map(owned).collect::<Vec<_>>(), expected, "{body:?}");
            for size in 1..=body.len() {
                assert_eq!(in_chunks(body.as_bytes().chunks(size)), expected, "{body:?} by {size}");
            }
        }
    }

    #[test]
    fn a_line_within_a_chunk_is_not_copied() {
        let body = b"one\ntwo\n".as_slice();
        let (mut lines, mut chunk) = (Lines::new(LIMIT), body);
        let line = lines.next(&mut chunk).and_then(|line| line.content.ok()).expect("a line");
        assert!(std::ptr::eq(line, &body[..3]));
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(body in "[a\r\n ]{0,40}", cuts in prop::collection::vec(0usize..8, 0..20)) {
            let mut rest = body.as_bytes();
            let mut chunks = Vec::new();
            for cut in cuts {
                let (chunk, after) = rest.split_at(cut.min(rest.len()));
                chunks.push(chunk);
                rest = after;
            }
            chunks.push(rest);
            let whole: Vec<Owned> = split(body.as_bytes(), LIMIT).map(owned).collect();
            prop_assert_eq!(in_chunks(chunks), whole);
        }
    }
}
