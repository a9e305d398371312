//! Parsing, as WHATWG HTML section 9.2.6 says, a piece at a time.
//!
//! What an endless line or event can cost is bounded: the parser never holds more than a few times its limit.

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The last id that was sent, with this event or before it.
    pub id: &'a str,
    /// The event's name; `message` when it has none.
    pub event: &'a str,
    /// The data, its lines joined by LF.
    pub data: &'a str,
}

/// Something a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// An event with data.
    Message(Message<'a>),
    /// A comment, such as a heartbeat, without the space before it.
    Comment(&'a str),
    /// The time before a reconnect, milliseconds.
    Retry(u64),
}

/// Why a stream was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A line, or the data of an event, is above the limit.
    #[error("line or event too long")]
    TooLong,
}

/// Parses a stream, a piece at a time. Bytes that are not UTF-8 become U+FFFD.
#[derive(Debug)]
pub struct Parser {
    bytes_max: usize,
    /// The line that is not complete.
    line: Vec<u8>,
    /// The last line ended with CR: an LF that follows belongs to it.
    after_cr: bool,
    /// Nothing has been parsed: a byte order mark may stand here.
    at_start: bool,
    id: String,
    event: String,
    data: String,
    has_data: bool,
    comment: String,
    /// What was given last is to be forgotten at the next call.
    given: bool,
}

/// What a line came to.
enum Line {
    Dispatch,
    Comment,
    Retry(u64),
    Field,
}

impl Parser {
    /// A parser that gives up on lines, and on events, above `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            line: Vec::new(),
            after_cr: false,
            at_start: true,
            id: String::new(),
            event: String::new(),
            data: String::new(),
            has_data: false,
            comment: String::new(),
            given: false,
        }
    }

    /// Takes the next item out of `input`, or uses it up and gives `None`. Call it until it gives `None`.
    ///
    /// # Errors
    /// A line or an event is too long. The stream is to be given up.
    pub fn next<'a>(&'a mut self, input: &mut &[u8]) -> Result<Option<Item<'a>>, ParseError> {
        self.forget();
        while self.complete_line(input)? {
            let line = std::mem::take(&mut self.line);
            let outcome = self.read(&line);
            self.line = line;
            self.line.clear();
            match outcome? {
                Line::Field => {}
                Line::Retry(millis) => return Ok(Some(Item::Retry(millis))),
                Line::Comment => return Ok(Some(Item::Comment(&self.comment))),
                Line::Dispatch => {
                    self.given = true;
                    return Ok(Some(Item::Message(self.message())));
                }
            }
        }
        Ok(None)
    }

    /// The last id that was sent: what a reconnecting client gives as `Last-Event-ID`.
    pub fn last_event_id(&self) -> &str {
        &self.id
    }

    fn message(&self) -> Message<'_> {
        let event = if self.event.is_empty() { "message" } else { &self.event };
        Message { id: &self.id, event, data: &self.data }
    }

    fn forget(&mut self) {
        if std::mem::take(&mut self.given) {
            self.reset();
        }
    }

    fn reset(&mut self) {
        self.event.clear();
        self.data.clear();
        self.has_data = false;
    }

    /// Moves bytes into `line` up to the next line break; says whether there was one.
    fn complete_line(&mut self, input: &mut &[u8]) -> Result<bool, ParseError> {
        if !input.is_empty() && std::mem::take(&mut self.after_cr) {
            *input = input.strip_prefix(b"\n").unwrap_or(input);
        }
        let end = input.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let text = &input[..end.unwrap_or(input.len())];
        if self.line.len() + text.len() > self.bytes_max {
            return Err(ParseError::TooLong);
        }
        self.line.extend_from_slice(text);
        let Some(end) = end else {
            *input = &[];
            return Ok(false);
        };
        self.after_cr = input[end] == b'\r';
        *input = &input[end + 1..];
        Ok(true)
    }

    fn read(&mut self, line: &[u8]) -> Result<Line, ParseError> {
        let first = std::mem::take(&mut self.at_start);
        let line = if first { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        self.field(name, &String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value)))
    }

    fn dispatch(&mut self) -> Line {
        if self.has_data {
            return Line::Dispatch;
        }
        self.reset();
        Line::Field
    }

    fn field(&mut self, name: &[u8], value: &str) -> Result<Line, ParseError> {
        match name {
            b"" => {
                replace(&mut self.comment, value);
                return Ok(Line::Comment);
            }
            b"data" => self.data(value)?,
            b"event" => replace(&mut self.event, value),
            b"id" if !value.contains('\0') => replace(&mut self.id, value),
            b"retry" => return Ok(retry(value)),
            _ => {}
        }
        Ok(Line::Field)
    }

    fn data(&mut self, value: &str) -> Result<(), ParseError> {
        if self.data.len() + value.len() > self.bytes_max {
            return Err(ParseError::TooLong);
        }
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push('\n');
        }
        self.data.push_str(value);
        Ok(())
    }
}

fn replace(field: &mut String, value: &str) {
    field.clear();
    field.push_str(value);
}

/// Digits only, as the standard says; anything else is ignored.
fn retry(value: &str) -> Line {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse() {
        Ok(millis) if digits => Line::Retry(millis),
        _ => Line::Field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses `text` in pieces of `step` bytes and writes down what came of it.
    fn parsed(text: &str, step: usize) -> Vec<String> {
        let mut parser = Parser::new(1000);
        let mut items = Vec::new();
        for mut piece in text.as_bytes().chunks(step) {
            while let Some(item) = parser.next(&mut piece).expect("short lines") {
                items.push(match item {
                    Item::Message(Message { id, event, data }) => format!("{id}|{event}|{data}"),
                    Item::Comment(text) => format!("#{text}"),
                    Item::Retry(millis) => format!("retry {millis}"),
                });
            }
        }
        items
    }

    #[test]
    fn parses_as_the_standard_says() {
        let cases: &[(&str, &[&str])] = &[
            ("data: YHOO\ndata: +2\ndata: 10\n\n", &["|message|YHOO\n+2\n10"]),
            (
                ": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n",
                &["#test stream", "1|message|first", "|message|second", "|message| third"],
            ),
            ("data\n\ndata\ndata\n\ndata:", &["|message|", "|message|\n"]),
            ("id: 7\n\nevent: a\ndata: x\n\ndata: y\n\n", &["7|a|x", "7|message|y"]),
            ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", &["|message|a", "|message|b", "|message|c"]),
            ("event: lost\n\ndata: x\n\n", &["|message|x"]),
            ("retry: 10\nretry: +1\nretry:\nretry: 1x\n", &["retry 10"]),
            ("\u{feff}data: x\n\nfoo: bar\nid: a\0b\ndata: y\n\n", &["|message|x", "|message|y"]),
        ];
        for (text, expected) in cases {
            for step in [1, 2, 3, 1000] {
                assert_eq!(parsed(text, step), *expected, "{text:?} by {step}");
            }
        }
    }

    #[test]
    fn lines_and_events_are_bounded() {
        let mut parser = Parser::new(10);
        assert_eq!(parser.next(&mut &b"data: 12345"[..]), Err(ParseError::TooLong));
        let mut parser = Parser::new(10);
        assert_eq!(parser.next(&mut &b"data: 1234\ndata: 5678\n"[..]), Ok(None));
        assert_eq!(parser.next(&mut &b"data: 9abc\n"[..]), Err(ParseError::TooLong));
        let mut parser = Parser::new(10);
        assert_eq!(parser.next(&mut &b"data\n".repeat(20)[..]), Err(ParseError::TooLong));
    }
}
