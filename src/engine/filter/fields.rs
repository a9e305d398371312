//! The fields of one event, flat, as filters look at them.
//!
//! They are extracted once per event, whoever asks: one table of slots sorted by the hash of the path, one arena of text. A filter
//! knows the hash of its path, so a leaf is a binary search and one comparison of bytes; nothing is allocated or parsed again.
//!
//! Paths are `event`, `id`, `key`, `tags`, `data` and `data.a.b`, `data.list.0`. A path may have several values: each tag is one, and so
//! is each occurrence of a member that an object has twice, or that can be read in two ways (`{"a.b":1,"a":{"b":2}}`); a leaf holds
//! when it holds for one of them.
//!
//! What goes beyond [`FIELDS_MAX`] or [`FIELD_PATH_BYTES_MAX`] counts as absent. The attributes come first and always fit. The engine
//! does not read JSON: [`Extract`] is where `json` is plugged in.

use super::value::{Number, Scalar};
use crate::limits::{FIELD_PATH_BYTES_MAX, FIELDS_MAX};

/// Reads the fields of published data. Implemented by `json`; the engine knows no format.
pub trait Extract: Send + Sync {
    /// Adds the fields of `data`, under paths that begin with `data`, to `out`. Data that it cannot read adds none.
    fn fields(&self, data: &[u8], out: &mut FieldsBuilder);
}

/// Why a text names no field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Neither an attribute nor below `data`.
    #[error("a field is event, id, key, tags, data or data.path.to.member")]
    Unknown,
    /// Longer than [`FIELD_PATH_BYTES_MAX`].
    #[error("a field has at most {FIELD_PATH_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
}

/// The name of a field, with its hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field {
    hash: u64,
    path: Box<str>,
}

impl Field {
    /// Reads the name of a field.
    ///
    /// # Errors
    /// When no event can have such a field.
    pub fn parse(path: &str) -> Result<Self, FieldError> {
        let known = matches!(path, "event" | "id" | "key" | "tags" | "data") || path.starts_with("data.");
        if path.len() > FIELD_PATH_BYTES_MAX {
            return Err(FieldError::TooLong(path.len()));
        }
        if !known {
            return Err(FieldError::Unknown);
        }
        Ok(Self { hash: hash(path), path: path.into() })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.path
    }
}

/// A piece of the arena. Two `u32` instead of a fat pointer: half the size, and no lifetimes.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    bytes: u32,
}

#[derive(Debug, Clone, Copy)]
enum Stored {
    Null,
    Bool(bool),
    Number(Number),
    Text(Span),
    Composite,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u64,
    path: Span,
    value: Stored,
}

/// The fields of one event. Made by [`FieldsBuilder`].
#[derive(Debug, Clone)]
pub struct Fields {
    arena: Box<str>,
    slots: Box<[Slot]>,
}

impl Fields {
    /// The values of `field`, in no particular order; none when it is absent.
    pub fn values<'a>(&'a self, field: &'a Field) -> impl Iterator<Item = Scalar<'a>> {
        let first = self.slots.partition_point(|slot| slot.hash < field.hash);
        self.slots[first..]
            .iter()
            .take_while(|slot| slot.hash == field.hash)
            .filter(|slot| self.text(slot.path) == &*field.path)
            .map(|slot| self.scalar(slot.value))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none; never so for an event, which has at least `event` and `id`.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes on the heap. At most those of the data, and about `FIELDS_MAX * (32 + FIELD_PATH_BYTES_MAX)`.
    pub fn heap_bytes(&self) -> usize {
        self.arena.len() + size_of_val(&*self.slots)
    }

    fn text(&self, span: Span) -> &str {
        &self.arena[span.start as usize..][..span.bytes as usize]
    }

    fn scalar(&self, stored: Stored) -> Scalar<'_> {
        match stored {
            Stored::Null => Scalar::Null,
            Stored::Bool(b) => Scalar::Bool(b),
            Stored::Number(n) => Scalar::Number(n),
            Stored::Text(span) => Scalar::Text(self.text(span)),
            Stored::Composite => Scalar::Composite,
        }
    }
}

/// Collects the fields of one event.
#[derive(Debug)]
pub struct FieldsBuilder {
    arena: String,
    slots: Vec<Slot>,
}

impl FieldsBuilder {
    /// Begins with the attributes of the event.
    pub fn new<'a>(
        event: &str,
        id: &str,
        key: Option<&str>,
        tags: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut new = Self { arena: String::with_capacity(256), slots: Vec::with_capacity(16) };
        new.add("event", Scalar::Text(event));
        new.add("id", Scalar::Text(id));
        if let Some(key) = key {
            new.add("key", Scalar::Text(key));
        }
        for tag in tags {
            new.add("tags", Scalar::Text(tag));
        }
        new
    }

    /// Adds one value. One that goes beyond a limit is left out, and so counts as absent.
    pub fn add(&mut self, path: &str, value: Scalar<'_>) {
        if self.is_full() || path.len() > FIELD_PATH_BYTES_MAX {
            return;
        }
        let Some(value) = self.store(value) else { return };
        if let Some(span) = self.push(path) {
            self.slots.push(Slot { hash: hash(path), path: span, value });
        }
    }

    /// Whether everything that is added from now on will be left out, so that an extractor may stop.
    pub fn is_full(&self) -> bool {
        self.slots.len() >= FIELDS_MAX
    }

    /// The table, ready to be looked at.
    pub fn finish(mut self) -> Fields {
        self.slots.sort_unstable_by_key(|slot| slot.hash);
        Fields { arena: self.arena.into(), slots: self.slots.into() }
    }

    fn store(&mut self, value: Scalar<'_>) -> Option<Stored> {
        Some(match value {
            Scalar::Null => Stored::Null,
            Scalar::Bool(b) => Stored::Bool(b),
            Scalar::Number(n) => Stored::Number(n),
            Scalar::Text(text) => Stored::Text(self.push(text)?),
            Scalar::Composite => Stored::Composite,
        })
    }

    fn push(&mut self, text: &str) -> Option<Span> {
        let start = u32::try_from(self.arena.len()).ok()?;
        let bytes = u32::try_from(text.len()).ok()?;
        self.arena.push_str(text);
        Some(Span { start, bytes })
    }
}

/// Spreads paths; not meant to resist anybody: a table has at most [`FIELDS_MAX`] slots, equal hashes or not.
fn hash(path: &str) -> u64 {
    let (words, rest) = path.as_bytes().as_chunks::<8>();
    let state = words.iter().fold(path.len() as u64, |state, word| mix(state, u64::from_le_bytes(*word)));
    mix(state, rest.iter().fold(0, |sum, &b| (sum << 8) | u64::from(b)))
}

fn mix(state: u64, word: u64) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let wide = u128::from(state ^ word ^ ODD) * u128::from(ODD);
    (wide as u64) ^ ((wide >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<'a>(fields: &'a Fields, field: &'a Field) -> Vec<Scalar<'a>> {
        let mut values: Vec<_> = fields.values(field).collect();
        values.sort();
        values
    }

    #[test]
    fn names_of_fields() {
        for path in ["event", "id", "key", "tags", "data", "data.a.b", "data.list.0", "data."] {
            assert_eq!(Field::parse(path).expect("known").as_str(), path);
        }
        for path in ["", "type", "tags.0", "database", "a.b"] {
            assert_eq!(Field::parse(path), Err(FieldError::Unknown), "{path}");
        }
        let long = format!("data.{}", "a".repeat(FIELD_PATH_BYTES_MAX));
        assert_eq!(Field::parse(&long), Err(FieldError::TooLong(long.len())));
    }

    #[test]
    fn every_value_is_found() {
        let mut builder = FieldsBuilder::new("message", "7", Some("k"), ["red", "blue"]);
        builder.add("data", Scalar::Composite);
        builder.add("data.n", Scalar::Number(1i64.into()));
        builder.add("data.t", Scalar::Text("x"));
        builder.add("data.z", Scalar::Null);
        builder.add("data.b", Scalar::Bool(true));
        let fields = builder.finish();
        let cases: &[(&str, &[Scalar<'_>])] = &[
            ("event", &[Scalar::Text("message")]),
            ("id", &[Scalar::Text("7")]),
            ("key", &[Scalar::Text("k")]),
            ("tags", &[Scalar::Text("blue"), Scalar::Text("red")]),
            ("data", &[Scalar::Composite]),
            ("data.n", &[Scalar::Number(1.0.into())]),
            ("data.t", &[Scalar::Text("x")]),
            ("data.z", &[Scalar::Null]),
            ("data.b", &[Scalar::Bool(true)]),
            ("data.absent", &[]),
        ];
        for (path, expected) in cases {
            let field = Field::parse(path).expect("known");
            assert_eq!(values(&fields, &field), *expected, "{path}");
        }
        assert!(!fields.is_empty() && fields.len() == 10 && fields.heap_bytes() > 320);
    }

    #[test]
    fn beyond_the_limits_is_absent() {
        let mut builder = FieldsBuilder::new("message", "7", None, []);
        builder.add(&format!("data.{}", "p".repeat(FIELD_PATH_BYTES_MAX)), Scalar::Null);
        let paths: Vec<String> = (0..FIELDS_MAX).map(|i| format!("data.{i}")).collect();
        for path in &paths {
            builder.add(path, Scalar::Null);
        }
        assert!(builder.is_full());
        let fields = builder.finish();
        assert_eq!(fields.len(), FIELDS_MAX);
        let found = |path: &str| fields.values(&Field::parse(path).expect("known")).count();
        assert_eq!((found("data.0"), found("data.253"), found("data.254")), (1, 1, 0));
    }

    #[test]
    fn a_slot_is_small() {
        assert_eq!(size_of::<Slot>(), 32);
    }
}
