//! The hash of an API key. The configuration never contains a key itself, so a leaked file opens nothing.

use std::fmt;

/// SHA-256 of a key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// Reads `sha256:<64 hex digits>`.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?.as_bytes();
        let mut bytes = [0; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

fn digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_and_written_but_not_debugged() {
        let text = format!("sha256:{}", "0aF9".repeat(16));
        let hash = KeyHash::parse(&text).unwrap();
        assert_eq!(hash.to_string(), text.to_lowercase());
        assert_eq!(format!("{hash:?}"), "KeyHash(…)");
        assert_eq!(KeyHash::parse("sha256:00"), None);
        assert_eq!(KeyHash::parse(&"00".repeat(32)), None);
        assert_eq!(KeyHash::parse(&format!("sha256:{}", "zz".repeat(32))), None);
    }
}
