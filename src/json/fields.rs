//! The fields of published JSON, for the engine's filters.
//!
//! One walk over a text that was checked when it was published; nothing is built but the table. By hand and not by serde, because valid
//! JSON contains what serde refuses to build (`"\ud83d"`, half of a character, as streams of model output have it, or `1e400`), and one
//! such value must not hide the fields behind it: half a character reads as U+FFFD, and `1e400` as infinity. A text that is not JSON does
//! no harm: the walk ends where it does not understand it.
//!
//! Recursion is bounded by [`FIELD_DEPTH_MAX`]; what lies deeper, and elements beyond [`FIELD_ELEMENTS_MAX`], are passed over.

use super::depth::string_end;
use super::text::write_u64;
use crate::engine::filter::{Extract, FieldsBuilder, Number, Scalar};
use crate::limits::{FIELD_DEPTH_MAX, FIELD_ELEMENTS_MAX};
use memchr::memchr;
use std::borrow::Cow;

/// [`Extract`] for JSON.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonFields;

impl Extract for JsonFields {
    fn fields(&self, data: &[u8], out: &mut FieldsBuilder) {
        if let Ok(text) = simdutf8::basic::from_utf8(data) {
            let mut path = String::with_capacity(64);
            path.push_str("data");
            // `None` is the end of the walk, for whatever reason; what was found until then counts.
            let _ended = Walk { text, at: 0, path, out }.value(0);
        }
    }
}

struct Walk<'a, 'o> {
    text: &'a str,
    at: usize,
    /// Of the current value.
    path: String,
    out: &'o mut FieldsBuilder,
}

impl<'a> Walk<'a, '_> {
    fn value(&mut self, depth: usize) -> Option<()> {
        if self.out.is_full() {
            return None;
        }
        match self.token()? {
            b'{' => self.composite(depth, Self::object),
            b'[' => self.composite(depth, Self::array),
            b'"' => {
                let text = self.string()?;
                self.out.add(&self.path, Scalar::Text(&text));
                Some(())
            }
            _ => self.word(),
        }
    }

    fn composite(&mut self, depth: usize, members: fn(&mut Self, usize) -> Option<()>) -> Option<()> {
        self.out.add(&self.path, Scalar::Composite);
        self.at += 1;
        if depth < FIELD_DEPTH_MAX { members(self, depth + 1) } else { self.pass_over() }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        while self.token()? != b'}' {
            let name = self.string()?;
            (self.token()? == b':').then_some(())?;
            self.at += 1;
            self.below(&name, depth)?;
            self.comma()?;
        }
        self.at += 1;
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        for index in 0..FIELD_ELEMENTS_MAX {
            if self.token()? == b']' {
                break;
            }
            let mut digits = Vec::with_capacity(2);
            write_u64(&mut digits, index as u64);
            self.below(str::from_utf8(&digits).ok()?, depth)?;
            self.comma()?;
        }
        self.pass_over()
    }

    /// The value of a member or element.
    fn below(&mut self, name: &str, depth: usize) -> Option<()> {
        let length = self.path.len();
        self.path.push('.');
        self.path.push_str(name);
        self.value(depth)?;
        self.path.truncate(length);
        Some(())
    }

    fn comma(&mut self) -> Option<()> {
        if self.token()? == b',' {
            self.at += 1;
        }
        Some(())
    }

    /// To the end of the composite that the walk is in.
    fn pass_over(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        let mut open = 1usize;
        while open > 0 {
            let byte = *bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => self.at = string_end(bytes, self.at),
                b'[' | b'{' => open += 1,
                b']' | b'}' => open -= 1,
                _ => {}
            }
        }
        Some(())
    }

    /// `true`, `false`, `null` or a number.
    fn word(&mut self) -> Option<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let bytes = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        let end = self.at + bytes.count();
        let value = match &self.text[self.at..end] {
            "null" => Scalar::Null,
            "true" => Scalar::Bool(true),
            "false" => Scalar::Bool(false),
            digits => Scalar::Number(number(digits)?),
        };
        self.at = end;
        self.out.add(&self.path, value);
        Some(())
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        if self.token()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        self.at = string_end(self.text.as_bytes(), start);
        let inner = self.text.get(start..self.at)?.strip_suffix('"')?;
        Some(match memchr(b'\\', inner.as_bytes()) {
            None => Cow::Borrowed(inner),
            Some(_) => Cow::Owned(unescape(inner)?),
        })
    }

    /// The next byte that is no white space, which is not consumed.
    fn token(&mut self) -> Option<u8> {
        loop {
            match *self.text.as_bytes().get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }
}

fn number(digits: &str) -> Option<Number> {
    if let Ok(n) = digits.parse::<i64>() {
        return Some(n.into());
    }
    if let Ok(n) = digits.parse::<u64>() {
        return Some(n.into());
    }
    digits.parse::<f64>().ok().filter(|n| !n.is_nan()).map(Number::from)
}

fn unescape(mut text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    while let Some(at) = memchr(b'\\', text.as_bytes()) {
        out.push_str(&text[..at]);
        let escape = *text.as_bytes().get(at + 1)?;
        text = text.get(at + 2..)?;
        match escape {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => text = unicode(text, &mut out)?,
            other => out.push(char::from(other)),
        }
    }
    out.push_str(text);
    Some(out)
}

/// Reads what follows `\u`, both halves when there are two, and returns the rest.
fn unicode<'t>(text: &'t str, out: &mut String) -> Option<&'t str> {
    let (first, rest) = unit(text)?;
    if let Some((second, after)) = rest.strip_prefix("\\u").and_then(unit)
        && let (0xd800..0xdc00, 0xdc00..0xe000) = (first, second)
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        out.push(char::from_u32(code)?);
        return Some(after);
    }
    out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
    Some(rest)
}

fn unit(text: &str) -> Option<(u32, &str)> {
    let code = u32::from_str_radix(text.get(..4)?, 16).ok()?;
    Some((code, &text[4..]))
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
