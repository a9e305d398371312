//! Text that is cut between the two halves of a character. A model's tokens are bytes, not characters, and some servers send what
//! they have: the first half of a surrogate pair in one JSON string, and the second in the next.

/// Puts characters together again.
#[derive(Debug, Default)]
pub struct Halves {
    /// The first half of a character, as it stood in JSON.
    held: String,
}

impl Halves {
    /// The text of `json`, a JSON string, behind what was held back; what it ends with may be held back in turn.
    ///
    /// # Errors
    /// It is no string.
    pub fn text(&mut self, json: &str) -> Result<String, serde_json::Error> {
        if self.held.is_empty() && ends_in_half(json).is_none() {
            return serde_json::from_str(json);
        }
        let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(json);
        let whole = format!("{}{inner}", std::mem::take(&mut self.held));
        let half = ends_in_half(&format!("{whole}\""));
        let (whole, half) = whole.split_at(half.unwrap_or(whole.len()));
        self.held = half.into();
        serde_json::from_str(&format!("\"{whole}\""))
    }
}

/// Where the first half of a character begins with which the JSON string `json` ends.
fn ends_in_half(json: &str) -> Option<usize> {
    let text = json.strip_suffix('"')?;
    let at = text.len().checked_sub(6)?;
    let escape = text.get(at..)?.strip_prefix("\\u")?;
    let unit = u16::from_str_radix(escape, 16).ok()?;
    // An even number of backslashes before it are characters themselves.
    let backslashes = text[..at].bytes().rev().take_while(|byte| *byte == b'\\').count();
    (matches!(unit, 0xd800..=0xdbff) && backslashes.is_multiple_of(2)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pieces: &[&str]) -> Vec<Option<String>> {
        let mut halves = Halves::default();
        pieces.iter().map(|piece| halves.text(piece).ok()).collect()
    }

    #[test]
    fn halves_are_put_together() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(said(&[r#""a\u00fc\"""#]), [some("aü\"")]);
        assert_eq!(said(&[r#""a\ud83d""#, r#""\ude00b""#]), [some("a"), some("😀b")]);
        assert_eq!(
            said(&[r#""\ud83d\ude00\uD83D""#, r#""""#, r#""\uDE01""#]),
            [some("😀"), some(""), some("😁")]
        );
        assert_eq!(said(&[r#""\\ud83d""#, r#""x""#]), [some("\\ud83d"), some("x")]);
        assert_eq!(said(&[r#""\ud83d""#, r#""x""#]), [some(""), None]);
        assert_eq!(said(&["7", "\"", ""]), [None, None, None]);
    }
}
