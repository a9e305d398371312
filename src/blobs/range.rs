//! Byte ranges of HTTP (RFC 9110 section 14): which part of how many bytes a header asks for.

use std::ops::Range;

/// What a `Range` header asks for, of all its forms those that are served: one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// From a byte to a byte, both included.
    Between(u64, u64),
    /// From a byte to the end.
    From(u64),
    /// So many last bytes.
    Last(u64),
}

/// What part of a number of bytes that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All: nothing is asked for that could be a part.
    Whole,
    /// These, never none.
    Some(Range<u64>),
    /// None: it begins behind the end.
    Unsatisfiable,
}

impl Wanted {
    /// Reads the header's value. `None` for what is no single range of bytes: such a header is passed over, as the RFC allows.
    pub fn parse(value: &str) -> Option<Self> {
        let (unit, set) = value.split_once('=')?;
        let (first, last) = set.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        match (number(first.trim()), number(last.trim())) {
            (Some(first), Some(last)) if first <= last => Some(Self::Between(first, last)),
            (Some(first), None) if last.trim().is_empty() => Some(Self::From(first)),
            (None, Some(last)) if first.trim().is_empty() => Some(Self::Last(last)),
            _ => None,
        }
    }

    /// Which part of `size` bytes it is.
    pub fn of(self, size: u64) -> Part {
        let range = match self {
            Self::Between(first, last) => first..last.saturating_add(1).min(size),
            Self::From(first) => first..size,
            // There is no way to name the bytes of a part that has none.
            Self::Last(count) if count > 0 && size == 0 => return Part::Whole,
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        if range.is_empty() { Part::Unsatisfiable } else { Part::Some(range) }
    }

    /// Which part it is of bytes whose number is not known yet and of which `there` are there: only what is certain.
    pub fn of_unknown(self, there: u64) -> Part {
        match self {
            Self::Between(first, last) if last < there => Part::Some(first..last + 1),
            _ => Part::Whole,
        }
    }
}

/// Digits alone. A number that does not fit is as good as the largest that does.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_read() {
        assert_eq!(Wanted::parse("bytes=0-499"), Some(Wanted::Between(0, 499)));
        assert_eq!(Wanted::parse("Bytes = 7 - "), Some(Wanted::From(7)));
        assert_eq!(Wanted::parse("bytes=-500"), Some(Wanted::Last(500)));
        assert_eq!(Wanted::parse("bytes=9-99999999999999999999"), Some(Wanted::Between(9, u64::MAX)));
    }

    #[test]
    fn what_is_no_single_range_is_passed_over() {
        let others = ["", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=+1-2", "items=0-1"];
        let more = ["bytes=0-1,3-4", "bytes=1--2", "bytes=--1", "bytes=0x1-2", "bytes=1-2-3", "bytes 0-1/2"];
        for value in others.iter().chain(&more) {
            assert_eq!(Wanted::parse(value), None, "{value}");
        }
    }

    #[test]
    fn parts_end_with_the_bytes() {
        assert_eq!(Wanted::Between(2, 90).of(10), Part::Some(2..10));
        assert_eq!(Wanted::Between(9, u64::MAX).of(10), Part::Some(9..10));
        assert_eq!(Wanted::From(10).of(10), Part::Unsatisfiable);
        assert_eq!(Wanted::Last(3).of(10), Part::Some(7..10));
        assert_eq!(Wanted::Last(30).of(10), Part::Some(0..10));
        assert_eq!(Wanted::Last(0).of(10), Part::Unsatisfiable);
        assert_eq!(Wanted::Last(3).of(0), Part::Whole);
        assert_eq!(Wanted::From(0).of(0), Part::Unsatisfiable);
    }

    #[test]
    fn without_a_size_only_what_is_there_is_a_part() {
        assert_eq!(Wanted::Between(2, 9).of_unknown(10), Part::Some(2..10));
        assert_eq!(Wanted::Between(2, 10).of_unknown(10), Part::Whole);
        assert_eq!(Wanted::From(2).of_unknown(10), Part::Whole);
        assert_eq!(Wanted::Last(2).of_unknown(10), Part::Whole);
    }
}
