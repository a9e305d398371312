//! How deep a JSON text nests.
//!
//! serde_json bounds the depth of what it builds, not of what it passes over, and a subscriber's parser may recurse. Published data
//! must not nest deeper than [`JSON_DEPTH_MAX`]; finding out costs next to nothing, since a text without that many brackets cannot.

use crate::limits::JSON_DEPTH_MAX;
use memchr::memchr2;

/// Whether `json`, which is valid, nests deeper than [`JSON_DEPTH_MAX`].
pub fn is_too_deep(json: &str) -> bool {
    let bytes = json.as_bytes();
    // As many closing brackets follow.
    bytes.len() > 2 * JSON_DEPTH_MAX && brackets(bytes) > JSON_DEPTH_MAX && nests_too_deep(bytes)
}

/// Opening brackets, those in strings included. Counted in pieces that cannot overflow a byte, so that it is done 16 or 32 at a time.
fn brackets(bytes: &[u8]) -> usize {
    bytes.chunks(255).map(|piece| usize::from(piece.iter().map(|&b| u8::from(opens(b))).sum::<u8>())).sum()
}

/// `[` and `{` differ in this one bit.
fn opens(byte: u8) -> bool {
    byte | 0x20 == b'{'
}

fn nests_too_deep(bytes: &[u8]) -> bool {
    let (mut at, mut depth) = (0, 0usize);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = string_end(bytes, at),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            return true;
        }
    }
    false
}

/// Where the string whose text begins at `at` has ended: behind its quote, or the length when it has none.
pub(super) fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        if bytes[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(open: &str, middle: &str, close: &str, depth: usize) -> String {
        format!("{}{middle}{}", open.repeat(depth), close.repeat(depth))
    }

    #[test]
    fn depths() {
        let many = format!("[{}1]", "[],".repeat(1000));
        let text = format!(r#""{}\"{}""#, "[".repeat(300), "{".repeat(300));
        let cases = [
            (String::new(), false),
            (nested("[", "", "]", JSON_DEPTH_MAX), false),
            (nested("[", "", "]", JSON_DEPTH_MAX + 1), true),
            (nested("{\"[\":", "1", "}", JSON_DEPTH_MAX), false),
            (nested("{\"[\":", "1", "}", JSON_DEPTH_MAX + 1), true),
            (nested("[", "", "]", 1_000_000), true),
            (many, false),
            (text, false),
        ];
        for (json, expected) in cases {
            assert_eq!(is_too_deep(&json), expected, "{:.40}", json);
        }
    }

    #[test]
    fn broken_strings_end_with_the_text() {
        for (text, end) in [("a\"b", 2), ("\\\"a", 3), ("a\\", 2), ("", 0), ("\\\\\"", 3)] {
            assert_eq!(string_end(text.as_bytes(), 0), end, "{text}");
        }
    }
}
