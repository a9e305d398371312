//! Reading Server-Sent Events: bytes in, events out, as the HTML standard has it. Keeps only the line and the event that
//! are not complete yet, and refuses to keep more than a bound.

/// Largest event that is kept while it is incomplete, bytes.
const EVENT_BYTES_MAX: usize = 64 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its `event` field; empty for a plain message.
    pub name: String,
    /// Its data lines, joined.
    pub data: String,
}

/// What came out of a piece of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// An event.
    Event(Event),
    /// A new base for reconnecting, in milliseconds.
    Retry(u64),
}

/// An incremental parser.
#[derive(Default)]
pub struct Parser {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
}

impl Parser {
    /// Takes in bytes and returns what they completed.
    ///
    /// # Errors
    /// When an event grows over 64 MiB.
    pub fn feed(&mut self, bytes: &[u8]) -> anyhow::Result<Vec<Item>> {
        let mut items = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                items.extend(self.end_line());
            }
        }
        let kept = self.line.len() + self.event.data.len();
        anyhow::ensure!(kept <= EVENT_BYTES_MAX, "the server sent an event of more than 64 MiB");
        Ok(items)
    }

    fn end_line(&mut self) -> Option<Item> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() { self.end_event() } else { self.field(line) }
    }

    fn field(&mut self, line: &str) -> Option<Item> {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.event.name = value.into(),
            "data" => self.data(value),
            "retry" => return value.parse().ok().map(Item::Retry),
            _ => {}
        }
        None
    }

    fn data(&mut self, value: &str) {
        if std::mem::replace(&mut self.has_data, true) {
            self.event.data.push('\n');
        }
        self.event.data.push_str(value);
    }

    fn end_event(&mut self) -> Option<Item> {
        let event = std::mem::take(&mut self.event);
        std::mem::take(&mut self.has_data).then_some(Item::Event(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Item {
        Item::Event(Event { name: name.into(), data: data.into() })
    }

    #[test]
    fn events_come_out_however_the_bytes_are_cut() {
        let stream =
            b"retry: 1500\n\n: hello\nid: 1:2\nevent: gap\ndata: {\r\ndata:}\r\n\r\ndata: \n\nevent: x\n\n";
        for size in 1..stream.len() {
            let mut parser = Parser::default();
            let items: Vec<Item> = stream.chunks(size).flat_map(|part| parser.feed(part).unwrap()).collect();
            assert_eq!(items, [Item::Retry(1500), event("gap", "{\n}"), event("", "")], "cut at {size}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; EVENT_BYTES_MAX / 2];
        assert!(parser.feed(&piece).is_ok() && parser.feed(&piece).is_ok());
        assert!(parser.feed(b"x").is_err());
    }
}
