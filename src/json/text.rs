//! Writing JSON text into a buffer: strings, whole numbers, and data on one line. Without `io::Write`, so without errors.

use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What is written behind a backslash for each byte: 0 for nothing, `u` for `\u00XX`.
static ESCAPES: [u8; 256] = escapes();

const fn escapes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[0x0c] = b'f';
    table[b'\r' as usize] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
}

/// Writes `s` as a JSON string, quotes included. What must be escaped is; everything else stays UTF-8.
pub fn write_string(out: &mut Vec<u8>, s: &str) {
    out.reserve(s.len() + 2);
    out.push(b'"');
    let mut rest = s.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| ESCAPES[usize::from(byte)] != 0) {
        out.extend_from_slice(&rest[..at]);
        write_escape(out, rest[at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    match ESCAPES[usize::from(byte)] {
        b'u' => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
        letter => out.extend_from_slice(&[b'\\', letter]),
    }
}

/// Writes `,"retry_after":…`: when the same may be tried again, in seconds.
pub fn write_retry_after(out: &mut Vec<u8>, millis: u64) {
    out.extend_from_slice(b",\"retry_after\":");
    write_u64(out, millis / 1000);
    out.extend_from_slice(format!(".{:03}", millis % 1000).as_bytes());
}

/// Writes `n` in decimal.
pub fn write_u64(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    while n >= 100 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&two_digits(n % 100));
        n /= 100;
    }
    let [tens, ones] = two_digits(n);
    digits[at - 1] = ones;
    digits[at - 2] = tens;
    at -= if n < 10 { 1 } else { 2 };
    out.extend_from_slice(&digits[at..]);
}

/// The two digits of a number below 100.
pub(super) fn two_digits(n: u64) -> [u8; 2] {
    [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8]
}

/// `json` on one line: line breaks become spaces. In JSON they stand between tokens only, so that nothing else changes;
/// almost always there are none, and nothing is copied.
pub fn fold_line_breaks(json: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr2(b'\n', b'\r', json) else { return Cow::Borrowed(json) };
    let mut folded = json.to_vec();
    for byte in &mut folded[first..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    Cow::Owned(folded)
}

/// Writes `json` so that nobody sees more than one line in it. Besides CR and LF, which become spaces, there are NEL, LS and
/// PS: clients in Python split at these too. They stand in strings only, and are escaped there.
pub fn write_on_one_line(out: &mut Vec<u8>, json: &str) {
    let mut rest = json;
    while let Some(at) = rest.find(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let width = match rest[at..].chars().next() {
            Some(escaped @ ('\u{85}' | '\u{2028}' | '\u{2029}')) => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(escaped)).as_bytes());
                escaped.len_utf8()
            }
            _ => {
                out.push(b' ');
                1
            }
        };
        rest = &rest[at + width..];
    }
    out.extend_from_slice(rest.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"<".to_vec();
        write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn strings() {
        let cases = [
            ("", r#"<"""#),
            ("a ü 😀/", r#"<"a ü 😀/""#),
            ("\"\\\n\r\t\u{8}\u{c}", r#"<"\"\\\n\r\t\b\f""#),
            ("a\0b\u{1f}\u{7f}", "<\"a\\u0000b\\u001f\u{7f}\""),
        ];
        for (text, expected) in cases {
            assert_eq!(written(|out| write_string(out, text)), expected);
        }
    }

    #[test]
    fn whole_numbers() {
        for n in [0, 1, 9, 10, 99, 100, 101, 999, 1_000, 12_345, u64::from(u32::MAX), u64::MAX - 1, u64::MAX]
        {
            assert_eq!(written(|out| write_u64(out, n)), format!("<{n}"));
        }
    }

    #[test]
    fn line_breaks() {
        for (json, expected, copied) in
            [("{\"a\": 1}", "{\"a\": 1}", false), ("{\r\n\"a\":\n1}", "{  \"a\": 1}", true), ("", "", false)]
        {
            let folded = fold_line_breaks(json.as_bytes());
            assert_eq!((&*folded, matches!(folded, Cow::Owned(_))), (expected.as_bytes(), copied));
        }
    }

    #[test]
    fn one_line_for_everybody() {
        let json = "{\r\n\"a\": \"x\u{85}\u{2028}\u{2029}ü\u{e000}\"}";
        let text = written(|out| write_on_one_line(out, json));
        assert_eq!(text, "<{  \"a\": \"x\\u0085\\u2028\\u2029ü\u{e000}\"}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(value(&text[1..]), value(json));
    }

    proptest! {
        #[test]
        fn a_string_reads_back(text in any::<String>()) {
            let json = written(|out| write_string(out, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json[1..]).expect("JSON"), text);
        }

        #[test]
        fn a_number_is_as_the_standard_library_writes_it(n in any::<u64>(), shift in 0u32..64) {
            prop_assert_eq!(written(|out| write_u64(out, n >> shift)), format!("<{}", n >> shift));
        }
    }
}
