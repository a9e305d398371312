//! Positions as clients come back with them: `epoch:offset`, an offset alone, or a list with names.

use super::Start;
use crate::json::text::write_u64;

/// The list of somebody who reads nothing yet.
pub const NOWHERE: &str = "-";

/// Appends `epoch:offset`.
pub fn write(epoch: u64, offset: u64, out: &mut Vec<u8>) {
    write_u64(out, epoch);
    out.push(b':');
    write_u64(out, offset);
}

/// Reads `epoch:offset`, or an offset in the current epoch.
pub fn parse(text: &str) -> Option<Start> {
    match text.split_once(':') {
        Some((epoch, offset)) => {
            Some(Start::After { epoch: Some(epoch.parse().ok()?), offset: offset.parse().ok()? })
        }
        None => Some(Start::After { epoch: None, offset: text.parse().ok()? }),
    }
}

/// A list of `name=epoch:offset`.
pub fn list<'n>(places: impl Iterator<Item = (&'n str, u64, u64)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, epoch, offset) in places {
        out.extend_from_slice(if out.is_empty() { b"" } else { b"," });
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        write(epoch, offset, &mut out);
    }
    if out.is_empty() { NOWHERE.into() } else { out }
}

/// Reads a list; at most its first `most` positions.
pub fn parse_list(text: &str, most: usize) -> Option<Vec<(String, Start)>> {
    let parts = text.split(',').filter(|part| !part.is_empty() && *part != NOWHERE);
    let named = parts.map(|part| part.split_once('=').and_then(|(name, at)| Some((name.into(), parse(at)?))));
    named.take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions() {
        assert_eq!(parse("5:7"), Some(Start::After { epoch: Some(5), offset: 7 }));
        assert_eq!(parse("7"), Some(Start::After { epoch: None, offset: 7 }));
        for wrong in ["", ":", "1:", ":1", "-1", "1:2:3", "1.5", "a"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_list_reads_back() {
        let text = list([("a.b", 5, 7), ("c", 6, 0)].into_iter());
        assert_eq!(text, b"a.b=5:7,c=6:0");
        let read = parse_list("a.b=5:7,c=6:0", 64).expect("a list");
        let after = |epoch, offset| Start::After { epoch: Some(epoch), offset };
        assert_eq!(read, [("a.b".to_owned(), after(5, 7)), ("c".to_owned(), after(6, 0))]);
        assert_eq!(parse_list("a=1,b=2", 1).expect("a list").len(), 1);
        assert_eq!(list([].into_iter()), b"-");
        assert_eq!(parse_list("-", 64), Some(Vec::new()));
        assert_eq!((parse_list("a", 64), parse_list("a=x", 64)), (None, None));
    }
}
