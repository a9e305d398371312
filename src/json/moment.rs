//! Times as databases and scripts have them: RFC 3339, the same without an offset or with a blank in it, a date, Unix seconds.
//!
//! One column often holds several of these: SQLite's `CURRENT_TIMESTAMP` writes `2026-11-20 09:30:00`, Python's `isoformat()` writes
//! `2026-11-20T09:30:00.123456` or `…+00:00`, Go writes `2026-11-20 09:30:00.123 +0000 UTC`. What names no offset is taken for UTC.

use super::time::{TimeError, clock, date, fraction, offset};

/// Numbers below this are seconds, from here on milliseconds: the year 5138 and 1973.
const SECONDS_MAX: f64 = 1e11;
/// Numbers below this are milliseconds, from here on microseconds.
const MILLIS_MAX: f64 = 1e14;

/// Reads a time as Unix milliseconds; one before 1970 is 0.
///
/// # Errors
/// When `text` is none of them, or is no time of the calendar.
pub fn parse(text: &str) -> Result<u64, TimeError> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return from_number(number);
    }
    let days = date(text.get(..10).ok_or(TimeError)?.as_bytes())?;
    let (in_day, rest) = match text.as_bytes().get(10..) {
        Some([b'T' | b't' | b' ', rest @ ..]) => clock(rest)?,
        Some([]) => (0, &b""[..]),
        _ => return Err(TimeError),
    };
    let (fraction, rest) = fraction(rest)?;
    let seconds = days * 86_400 + in_day - east(rest)?;
    Ok(u64::try_from(seconds * 1000 + fraction).unwrap_or(0))
}

/// Reads Unix seconds, with a fraction or not, or milliseconds or microseconds: those are larger.
///
/// # Errors
/// When it is not a finite number.
pub fn from_number(number: f64) -> Result<u64, TimeError> {
    let millis = match number {
        _ if !number.is_finite() => return Err(TimeError),
        _ if number < SECONDS_MAX => number * 1000.0,
        _ if number < MILLIS_MAX => number,
        _ => number / 1000.0,
    };
    // A negative one saturates at 0. Half a millisecond makes up for seconds that no float has exactly.
    Ok((millis + 0.5) as u64)
}

/// Seconds east of UTC: none, `Z`, `+01:00`, `+0100`, ` +0100 CET`, ` UTC`.
fn east(text: &[u8]) -> Result<i64, TimeError> {
    match text {
        [] | b" UTC" => Ok(0),
        [b' ', rest @ ..] => east(rest),
        [sign @ (b'+' | b'-'), h1, h2, m1, m2, name @ ..] if is_zone_name(name) => {
            offset(&[*sign, *h1, *h2, b':', *m1, *m2])
        }
        _ => offset(text),
    }
}

/// What Go writes behind an offset; it says nothing that the offset does not.
fn is_zone_name(text: &[u8]) -> bool {
    let letters = |name: &[u8]| name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-'));
    matches!(text, []) || matches!(text, [b' ', name @ ..] if letters(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: u64 = 1_795_167_000_000;

    #[test]
    fn spellings() {
        let cases = [
            ("2026-11-20T09:30:00Z", AT),
            ("2026-11-20 09:30:00", AT),
            ("2026-11-20T09:30:00.123456", AT + 123),
            ("2026-11-20 09:30:00.5", AT + 500),
            ("2026-11-20T10:30:00.123456+01:00", AT + 123),
            ("2026-11-20T10:30:00+0100", AT),
            ("2026-11-20 09:30:00.123456789 +0000 UTC", AT + 123),
            ("2026-11-20 04:30:00 -0500 EST", AT),
            ("2026-11-20 09:30:00 UTC", AT),
            ("2026-11-20", AT - 34_200_000),
            (" 2026-11-20T09:30:00Z\n", AT),
            ("1795167000", AT),
            ("1795167000.25", AT + 250),
            ("1795167000123", AT + 123),
            ("1795167000123456", AT + 123),
            ("-5", 0),
            ("1969-12-31 23:59:59", 0),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn others() {
        for text in [
            "",
            "now",
            "2026-11-20T",
            "2026-11-20X09:30:00",
            "2026-02-30 00:00:00",
            "2026-11-20 09:30:00 CET",
            "nan",
            "inf",
        ] {
            assert_eq!(parse(text), Err(TimeError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
