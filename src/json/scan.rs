//! Where a JSON value ends, and that it is one: the check on the way of every publication.
//!
//! It accepts exactly what serde_json passes over (a property test compares them) and builds nothing. It is by hand because it was faster than
//! serde's way through raw values for the same checks (docs/decisions/0001-json-parser.md). No recursion: what is open is a word of
//! bits, which bounds the depth by itself. It says that a text is wrong, not why: whoever reports that asks serde_json once more.

use crate::limits::JSON_DEPTH_MAX;

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The text is not JSON.
    Syntax,
    /// It nests deeper than [`JSON_DEPTH_MAX`].
    Deep,
}

type Result<T> = std::result::Result<T, Stop>;

/// What is open around the place of the scan: one bit each, 1 for an object, the innermost lowest.
#[derive(Default)]
struct Open {
    objects: u128,
    depth: usize,
}

const _: () = assert!(JSON_DEPTH_MAX <= u128::BITS as usize);

impl Open {
    fn push(&mut self, object: bool) -> Result<()> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(Stop::Deep);
        }
        self.objects = (self.objects << 1) | u128::from(object);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

/// Where the value that begins at `at` ends. No white space may stand in front of it. `bytes` must be UTF-8.
///
/// # Errors
/// When there is no value, or too deep a one.
pub fn value(bytes: &[u8], mut at: usize) -> Result<usize> {
    let mut open = Open::default();
    loop {
        at = match *bytes.get(at).ok_or(Stop::Syntax)? {
            b'"' => string(bytes, at + 1)?,
            b'{' => {
                open.push(true)?;
                let first = white(bytes, at + 1);
                if bytes.get(first) != Some(&b'}') {
                    at = name(bytes, first)?;
                    continue;
                }
                first
            }
            b'[' => {
                open.push(false)?;
                at = white(bytes, at + 1);
                if bytes.get(at) != Some(&b']') {
                    continue;
                }
                at
            }
            _ => word(bytes, at)?,
        };
        match next(bytes, at, &mut open)? {
            Next::Value(start) => at = start,
            Next::End(end) => return Ok(end),
        }
    }
}

enum Next {
    Value(usize),
    End(usize),
}

/// From behind a value to the next one, or to the end of the outermost.
fn next(bytes: &[u8], mut at: usize, open: &mut Open) -> Result<Next> {
    while open.depth > 0 {
        at = white(bytes, at);
        match (bytes.get(at), open.in_object()) {
            (Some(b','), true) => return Ok(Next::Value(name(bytes, white(bytes, at + 1))?)),
            (Some(b','), false) => return Ok(Next::Value(white(bytes, at + 1))),
            (Some(b'}'), true) | (Some(b']'), false) => open.pop(),
            _ => return Err(Stop::Syntax),
        }
        at += 1;
    }
    Ok(Next::End(at))
}

/// From the name of a member to its value.
fn name(bytes: &[u8], at: usize) -> Result<usize> {
    expect(bytes, at, b'"')?;
    colon(bytes, string(bytes, at + 1)?)
}

/// From behind the name of a member to its value.
///
/// # Errors
/// When there is no colon.
pub fn colon(bytes: &[u8], at: usize) -> Result<usize> {
    let at = white(bytes, at);
    expect(bytes, at, b':')?;
    Ok(white(bytes, at + 1))
}

fn expect(bytes: &[u8], at: usize, byte: u8) -> Result<()> {
    if bytes.get(at) == Some(&byte) { Ok(()) } else { Err(Stop::Syntax) }
}

/// The first place from `at` on that holds no white space.
#[inline]
pub fn white(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Where the string ends whose text begins at `at`: behind its quote.
///
/// # Errors
/// When it does not end, or contains a control character or an escape that is none.
pub fn string(bytes: &[u8], mut at: usize) -> Result<usize> {
    loop {
        at = special(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape(bytes, at + 1)?,
            _ => return Err(Stop::Syntax),
        }
    }
}

fn escape(bytes: &[u8], at: usize) -> Result<usize> {
    match bytes.get(at) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
        Some(b'u') => match bytes.get(at + 1..at + 5) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 5),
            _ => Err(Stop::Syntax),
        },
        _ => Err(Stop::Syntax),
    }
}

/// The first quote, backslash or control character from `at` on, or the length. Names fit in one word; long texts go by blocks, which
/// the compiler turns into vectors.
#[inline]
fn special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let found = special_bits(u64::from_le_bytes(*word));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
        while let Some(block) = bytes[at..].first_chunk::<32>()
            && !block.iter().fold(false, |any, &byte| any | is_special(byte))
        {
            at += 32;
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|&byte| is_special(byte)).map_or(bytes.len(), |i| at + i)
}

fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// The highest bit of each special byte. Bytes above the first may be marked wrongly, by a borrow; the first never is.
fn special_bits(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & (ONES << 7)
}

/// `true`, `false`, `null` or a number.
fn word(bytes: &[u8], at: usize) -> Result<usize> {
    match bytes[at] {
        b'-' => number(bytes, at + 1),
        b'0'..=b'9' => number(bytes, at),
        b't' => literal(bytes, at, b"true"),
        b'f' => literal(bytes, at, b"false"),
        b'n' => literal(bytes, at, b"null"),
        _ => Err(Stop::Syntax),
    }
}

fn literal(bytes: &[u8], at: usize, word: &[u8]) -> Result<usize> {
    if bytes[at..].starts_with(word) { Ok(at + word.len()) } else { Err(Stop::Syntax) }
}

fn number(bytes: &[u8], at: usize) -> Result<usize> {
    let mut end = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(bytes, at)? };
    if bytes.get(end) == Some(&b'.') {
        end = digits(bytes, end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let signed = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        end = digits(bytes, end + 1 + usize::from(signed))?;
    }
    // No digit can follow: those behind a leading zero would.
    if bytes.get(end).is_some_and(u8::is_ascii_digit) { Err(Stop::Syntax) } else { Ok(end) }
}

/// One digit or more.
fn digits(bytes: &[u8], at: usize) -> Result<usize> {
    let mut end = at;
    while bytes.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    if end == at { Err(Stop::Syntax) } else { Ok(end) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde::de::IgnoredAny;

    fn scan(text: &str) -> bool {
        let bytes = text.as_bytes();
        value(bytes, white(bytes, 0)).is_ok_and(|end| white(bytes, end) == bytes.len())
    }

    fn serde(text: &str) -> bool {
        let mut json = serde_json::Deserializer::from_str(text);
        IgnoredAny::deserialize(&mut json).is_ok() && json.end().is_ok()
    }

    #[test]
    fn as_serde_json() {
        let long = format!("\"{}\"", "x".repeat(1000));
        let broken = format!("\"{}\u{1}{}\"", "ü".repeat(100), "x".repeat(100));
        let texts = [
            "",
            " ",
            "1",
            "-",
            "-0",
            "01",
            "-01",
            "0.",
            "0.5",
            ".5",
            "1e",
            "1e+",
            "1E-7",
            "1e5.5",
            "00",
            "1-1",
            "+1",
            "true",
            "tru",
            "truee",
            "null",
            "nul",
            "false",
            "\"",
            "\"a",
            "\"a\"",
            "\"\\\"",
            "\"\\\"\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12G4\"",
            "\"\\u12f4\"",
            "\"\\ud800\"",
            "\"\t\"",
            "\"\u{7f}\u{80}\"",
            "[]",
            "[ ]",
            "[",
            "[,]",
            "[1,]",
            "[1,2]",
            "[1 2]",
            "[1}",
            "{}",
            "{ }",
            "{",
            "{,}",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1}",
            "{\"a\" : 1 , \"b\" : [ { } ] }",
            "{\"a\":1,}",
            "{\"a\":1]",
            "{}}",
            "[]]",
            "1 1",
            "\u{feff}1",
            "\u{c}1",
            &long,
            &broken,
        ];
        for text in texts {
            assert_eq!(scan(text), serde(text), "{text}");
        }
    }

    #[test]
    fn depth() {
        for (depth, expected) in [(128, Ok(256)), (129, Err(Stop::Deep)), (100_000, Err(Stop::Deep))] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(value(text.as_bytes(), 0), expected);
        }
        let mixed = r#"{"a":["#.repeat(64) + &"]}".repeat(64);
        assert!(scan(&mixed));
        assert_eq!(value(format!("[{mixed}]").as_bytes(), 0), Err(Stop::Deep));
    }

    #[test]
    fn specials_at_every_place() {
        for byte in [b'"', b'\\', 0, 0x1f, b'\n'] {
            for at in 0..100 {
                let mut text = vec![b'!'; 100];
                text[at] = byte;
                assert_eq!(special(&text, 0), at);
            }
        }
        assert_eq!(special(&[0xc3, 0xbc, 0x80, 0xff, 0x7f, b' ', b'#', b'['].repeat(9), 0), 72);
    }

    /// Mostly JSON: pieces of it in any order.
    fn soup() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"a\":", "\"a\"", "1", "-0.5e+3", "true", "null", " ", "\\", "\"",
            "\n", "0",
        ]);
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<f32>().prop_map(|n| serde_json::json!(n).to_string()),
            any::<String>().prop_map(|s| serde_json::json!(s).to_string())
        ];
        leaf.prop_recursive(5, 30, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(" ,"))),
                prop::collection::vec(inner, 0..4).prop_map(|v| format!(
                    "{{{}}}",
                    v.iter().map(|v| format!("\"k\" :{v}")).collect::<Vec<_>>().join(", ")
                )),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn pieces_as_serde_json(text in soup()) {
            prop_assert_eq!(scan(&text), serde(&text), "{}", text);
        }

        #[test]
        fn json_with_one_fault_as_serde_json(text in json(), at: prop::sample::Index, c in r#"[\{\}\[\]",:0\\ a]?"#) {
            prop_assert!(scan(&text));
            let mut chars: Vec<String> = text.chars().map(String::from).collect();
            let at = at.index(chars.len());
            chars[at] = c;
            let text = chars.concat();
            prop_assert_eq!(scan(&text), serde(&text), "{}", text);
        }
    }
}
