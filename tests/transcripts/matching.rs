//! Whether a line is the one that a transcript expects.

use serde::de::IgnoredAny;

/// Matches lines, and remembers the number that `$E` stands for.
#[derive(Default)]
pub struct Matcher {
    epoch: Option<String>,
}

impl Matcher {
    /// Puts the remembered number in.
    pub fn fill_in(&self, text: &str) -> String {
        self.epoch.as_deref().map_or_else(|| text.to_owned(), |epoch| text.replace("$E", epoch))
    }

    pub fn matches(&mut self, pattern: &str, line: &str) -> bool {
        let (mut pattern, mut line) = (pattern, line);
        let mut before = ' ';
        while let Some(next) = pattern.chars().next() {
            let taken = if pattern == "…" {
                return true;
            } else if let Some(rest) = pattern.strip_prefix("$E") {
                pattern = rest;
                self.number(line)
            } else if next == '*' && matches!(before, ':' | '=') {
                pattern = &pattern[1..];
                Some(value(line))
            } else {
                pattern = &pattern[next.len_utf8()..];
                line.starts_with(next).then(|| next.len_utf8())
            };
            let Some(taken) = taken else { return false };
            line = &line[taken..];
            before = if next == ' ' && before == ':' { ':' } else { next };
        }
        line.is_empty()
    }

    fn number(&mut self, line: &str) -> Option<usize> {
        let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let known = self.epoch.get_or_insert_with(|| line[..digits].to_owned());
        (digits > 0 && *known == line[..digits]).then_some(digits)
    }
}

/// Bytes of the JSON value at the beginning of `line`, or all of it.
fn value(line: &str) -> usize {
    let mut values = serde_json::Deserializer::from_str(line).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => values.byte_offset(),
        _ => line.len(),
    }
}

#[test]
fn lines_are_matched() {
    let mut matcher = Matcher::default();
    assert!(matcher.matches("{\"a\":*,\"b\":[*]}", "{\"a\":{\"x\":\"}\"},\"b\":[*]}"));
    assert!(matcher.matches("\"$E:1\" $E", "\"77:1\" 77"));
    assert!(!matcher.matches("$E", "78"));
    assert!(matcher.matches("retry: *", "retry: 1000") && !matcher.matches("{\"a\":*}", "{\"a\":1,\"b\":2}"));
    assert!(matcher.matches("{\"a\":1,…", "{\"a\":1,\"b\":2}") && !matcher.matches("…}", "x"));
    assert_eq!(matcher.fill_in("$E:3"), "77:3");
}
