//! Lines of standard input. A thread of its own reads them, since reading a pipe cannot be interrupted; it waits while
//! the publisher is busy, so memory stays bounded however fast the lines come.

use std::io::{BufRead, Read};

use tokio::sync::mpsc;

use crate::limits::BODY_BYTES_MAX;

/// Lines that may wait between the reader and the publisher.
const LINES_WAITING_MAX: usize = 64;
/// Longest line that is read, bytes; more could not be published anyway.
const LINE_BYTES_MAX: usize = BODY_BYTES_MAX;

/// A line and its number, from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Number, from 1.
    pub number: u64,
    /// Its text, without the line break; or what is wrong with it.
    pub text: Result<String, &'static str>,
}

/// Starts reading; the receiver ends with the input.
pub fn read(input: impl BufRead + Send + 'static) -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(LINES_WAITING_MAX);
    std::thread::spawn(move || {
        let mut lines = Lines { input, number: 0 };
        while let Some(line) = lines.next() {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Option<Line> {
        let mut bytes = Vec::new();
        let limit = LINE_BYTES_MAX as u64 + 1;
        self.number += 1;
        let text = match self.input.by_ref().take(limit).read_until(b'\n', &mut bytes) {
            Ok(0) => return None,
            Ok(_) if bytes.len() > LINE_BYTES_MAX => self.skip_rest(),
            Ok(_) => text(bytes),
            Err(_) => return None,
        };
        Some(Line { number: self.number, text })
    }

    /// Passes over what is left of a line that is too long, a buffer at a time.
    fn skip_rest(&mut self) -> Result<String, &'static str> {
        while let Ok(buffer) = self.input.fill_buf()
            && !buffer.is_empty()
        {
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |end| end + 1);
            self.input.consume(length);
            if end.is_some() {
                break;
            }
        }
        Err("the line is longer than 16 MiB")
    }
}

fn text(mut bytes: Vec<u8>) -> Result<String, &'static str> {
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    String::from_utf8(bytes).map_err(|_| "the line is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn lines(input: Vec<u8>) -> Vec<Line> {
        let mut lines = Lines { input: Cursor::new(input), number: 0 };
        std::iter::from_fn(|| lines.next()).collect()
    }

    #[test]
    fn lines_are_numbered_and_bad_ones_are_told() {
        let read = lines(b"a\r\n\n\xff\nlast".to_vec());
        let numbers: Vec<u64> = read.iter().map(|line| line.number).collect();
        let texts: Vec<_> = read.into_iter().map(|line| line.text).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
        assert_eq!(
            texts,
            [Ok("a".into()), Ok(String::new()), Err("the line is not UTF-8"), Ok("last".into())]
        );
    }

    #[test]
    fn a_line_that_is_too_long_does_not_hide_the_next() {
        let mut input = vec![b'x'; LINE_BYTES_MAX + 10];
        input.extend(b"\nnext\n");
        let lines = lines(input);
        assert!(lines[0].text.is_err());
        assert_eq!(lines[1], Line { number: 2, text: Ok("next".into()) });
        assert_eq!(lines.len(), 2);
    }
}
