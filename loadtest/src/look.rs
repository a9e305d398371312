//! What the events of a topic look like on the wire: fixed text, and where their numbers stand in it.

/// Bytes of `2026-11-20T09:30:00.123Z`.
const TIME_BYTES: usize = 24;

/// A part of a text.
#[derive(Debug, Clone)]
enum Part {
    /// These bytes.
    Text(Vec<u8>),
    /// The number of the event.
    Number,
    /// A time.
    Time,
    /// Anything up to this byte, usually of this length.
    Until(u8, usize),
}

/// A text with a number in it.
#[derive(Debug, Clone, Default)]
pub struct Template(Vec<Part>);

/// What a text is to a template.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// It begins with an event of this number, which is so long.
    Event(u64, usize),
    /// It has the number of an event, and something in it is wrong.
    Damaged(u64),
    /// Something else.
    Other,
}

impl Template {
    /// Adds fixed text.
    pub fn text(mut self, text: impl AsRef<[u8]>) -> Self {
        self.0.push(Part::Text(text.as_ref().to_vec()));
        self
    }

    /// Adds the number.
    pub fn number(mut self) -> Self {
        self.0.push(Part::Number);
        self
    }

    /// Adds a time.
    pub fn time(mut self) -> Self {
        self.0.push(Part::Time);
        self
    }

    /// Adds something that ends before `end`, usually after so many bytes.
    pub fn until(mut self, end: u8, usually: usize) -> Self {
        self.0.push(Part::Until(end, usually));
        self
    }

    /// How long such a text is, with a number of so many digits.
    pub fn usual_length(&self, digits: usize) -> usize {
        let length = |part: &Part| match part {
            Part::Text(text) => text.len(),
            Part::Number => digits,
            Part::Time => TIME_BYTES,
            Part::Until(_, usually) => *usually,
        };
        self.0.iter().map(length).sum()
    }

    /// Compares the beginning of `text`.
    #[inline]
    pub fn read(&self, text: &[u8]) -> Found {
        let (mut at, mut number) = (0, None);
        for part in &self.0 {
            let rest = &text[at..];
            let used = match part {
                Part::Text(expected) => rest.starts_with(expected).then_some(expected.len()),
                Part::Time => (rest.len() >= TIME_BYTES).then_some(TIME_BYTES),
                Part::Until(end, _) => memchr::memchr(*end, rest),
                Part::Number => digits(rest).map(|(value, used)| {
                    number = Some(value);
                    used
                }),
            };
            match used {
                Some(used) => at += used,
                None => return number.map_or(Found::Other, Found::Damaged),
            }
        }
        number.map_or(Found::Other, |number| Found::Event(number, at))
    }

    /// Such a text.
    #[cfg(test)]
    pub fn render(&self, number: u64) -> Vec<u8> {
        let render = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Number => format!("{number:012}").into_bytes(),
            Part::Time => b"2026-11-20T09:30:00.123Z".to_vec(),
            Part::Until(_, usually) => vec![b'7'; *usually],
        };
        self.0.iter().flat_map(render).collect()
    }
}

/// The number that `text` begins with, and its length.
fn digits(text: &[u8]) -> Option<(u64, usize)> {
    let used = text.iter().take(19).take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[..used].iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    (used > 0).then_some((value, used))
}

/// Events of one topic, singly or in batches.
#[derive(Debug, Clone)]
pub struct Look {
    /// A message of one event.
    pub single: Template,
    /// Where there are batches: what they begin with (its number is their count), and an event in them.
    pub batch: Option<(Template, Template)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Template {
        Template::default().text("{\"n\":").number().text(",\"id\":\"").until(b'"', 3).text("\",\"d\":\"x\"}")
    }

    #[test]
    fn numbers_are_found_in_whole_texts_only() {
        let text = br#"{"n":120,"id":"1:120","d":"x"}"#;
        assert_eq!(template().read(text), Found::Event(120, text.len()));
        assert_eq!(template().read(&[text, &b",more"[..]].concat()), Found::Event(120, text.len()));
        assert_eq!(template().read(br#"{"n":120,"id":"1:120","d":"y"}"#), Found::Damaged(120));
        assert_eq!(template().read(&text[..text.len() - 1]), Found::Damaged(120));
        assert_eq!(template().read(br#"{"m":120,"id":"1:120","d":"x"}"#), Found::Other);
        assert_eq!(template().read(b""), Found::Other);
    }

    #[test]
    fn what_is_rendered_is_read() {
        let text = template().time().render(7);
        assert_eq!(template().time().read(&text), Found::Event(7, text.len()));
        assert_eq!(template().time().usual_length(12), text.len());
    }
}
