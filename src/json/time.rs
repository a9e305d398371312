//! Times: `2026-11-20T09:30:00.123Z` out, RFC 3339 or Unix milliseconds in.
//!
//! Inside, a time is milliseconds since 1970 UTC. The calendar is Howard Hinnant's arithmetic (days from civil and back): a few
//! multiplications, no table, no cache.

use super::text::two_digits;

const DAY_MS: u64 = 86_400_000;
/// 9999-12-31T23:59:59.999Z, the last time that has four digits for the year.
const LAST_MS: u64 = 253_402_300_799_999;

/// A text that is neither an RFC 3339 time nor a number of milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time: expected 2026-11-20T09:30:00.123Z or Unix milliseconds")]
pub struct TimeError;

/// Writes `ms`, Unix milliseconds, as `2026-11-20T09:30:00.123Z`. What lies behind the year 9999 is written as its last millisecond.
pub fn write(out: &mut Vec<u8>, ms: u64) {
    let ms = ms.min(LAST_MS);
    let (days, in_day) = (ms / DAY_MS, ms % DAY_MS);
    let (year, month, day) = civil(days);
    let seconds = in_day / 1000;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    text[0..2].copy_from_slice(&two_digits(year / 100));
    text[2..4].copy_from_slice(&two_digits(year % 100));
    text[5..7].copy_from_slice(&two_digits(month));
    text[8..10].copy_from_slice(&two_digits(day));
    text[11..13].copy_from_slice(&two_digits(seconds / 3600));
    text[14..16].copy_from_slice(&two_digits(seconds / 60 % 60));
    text[17..19].copy_from_slice(&two_digits(seconds % 60));
    text[20..22].copy_from_slice(&two_digits(in_day % 1000 / 10));
    text[22] = b'0' + (in_day % 10) as u8;
    out.extend_from_slice(&text);
}

/// Reads an RFC 3339 time, or Unix milliseconds in digits, as Unix milliseconds. A time before 1970 is 0; a fraction is cut to milliseconds. A
/// space is taken for the `+` of an offset, since that is what an unescaped one becomes in a query.
///
/// # Errors
/// When `text` is neither, or is no time of the calendar.
pub fn parse(text: &str) -> Result<u64, TimeError> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_err(|_| TimeError);
    }
    let days = date(text.get(..10).ok_or(TimeError)?.as_bytes())?;
    let rest = text.as_bytes().get(10..).ok_or(TimeError)?;
    let [b'T' | b't' | b' ', rest @ ..] = rest else { return Err(TimeError) };
    let (in_day, rest) = clock(rest)?;
    let (fraction, rest) = fraction(rest)?;
    let seconds = days * 86_400 + in_day - offset(rest)?;
    Ok(u64::try_from(seconds * 1000 + fraction).unwrap_or(0))
}

/// Days since 1970 of `2026-11-20`.
pub(super) fn date(text: &[u8]) -> Result<i64, TimeError> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return Err(TimeError) };
    let year = number(y1, y2)? * 100 + number(y3, y4)?;
    let (month, day) = (number(m1, m2)?, number(d1, d2)?);
    if !(1..=12).contains(&month) || day < 1 || day > days_of_month(year, month) {
        return Err(TimeError);
    }
    Ok(days(year, month, day))
}

/// Seconds since midnight of `09:30:00`, and what follows. A leap second is the first one of the next minute.
pub(super) fn clock(text: &[u8]) -> Result<(i64, &[u8]), TimeError> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2, ref rest @ ..] = text else { return Err(TimeError) };
    match (number(h1, h2)?, number(m1, m2)?, number(s1, s2)?) {
        (h @ 0..24, m @ 0..60, s @ 0..=60) => Ok((h * 3600 + m * 60 + s, rest)),
        _ => Err(TimeError),
    }
}

/// Milliseconds of `.123456`, and what follows; 0 when there is no fraction.
pub(super) fn fraction(text: &[u8]) -> Result<(i64, &[u8]), TimeError> {
    let [b'.', text @ ..] = text else { return Ok((0, text)) };
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (fraction, rest) = text.split_at(digits);
    let ms = [100, 10, 1].iter().zip(fraction).map(|(unit, b)| unit * i64::from(b - b'0')).sum();
    if digits == 0 { Err(TimeError) } else { Ok((ms, rest)) }
}

/// Seconds east of UTC of `Z` or `+01:00`.
pub(super) fn offset(text: &[u8]) -> Result<i64, TimeError> {
    match *text {
        [b'Z' | b'z'] => Ok(0),
        [sign @ (b'+' | b'-' | b' '), h1, h2, b':', m1, m2] => match (number(h1, h2)?, number(m1, m2)?) {
            (h @ 0..24, m @ 0..60) if sign == b'-' => Ok(-(h * 3600 + m * 60)),
            (h @ 0..24, m @ 0..60) => Ok(h * 3600 + m * 60),
            _ => Err(TimeError),
        },
        _ => Err(TimeError),
    }
}

fn number(tens: u8, ones: u8) -> Result<i64, TimeError> {
    if tens.is_ascii_digit() && ones.is_ascii_digit() {
        Ok(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    } else {
        Err(TimeError)
    }
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 of a date. Years begin in March here, so that the leap day is the last; an era has 400 of them.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a number of days since 1970: [`days`] backwards.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(ms: u64) -> String {
        let mut out = Vec::new();
        write(&mut out, ms);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn known_times() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_167_000_123, "2026-11-20T09:30:00.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (LAST_MS, "9999-12-31T23:59:59.999Z"),
        ];
        for (ms, expected) in cases {
            assert_eq!((text(ms).as_str(), parse(expected)), (expected, Ok(ms)));
        }
        assert_eq!(text(u64::MAX), text(LAST_MS));
    }

    #[test]
    fn other_spellings() {
        let cases = [
            ("1795167000123", 1_795_167_000_123),
            ("0", 0),
            ("2026-11-20T09:30:00Z", 1_795_167_000_000),
            ("2026-11-20 09:30:00z", 1_795_167_000_000),
            ("2026-11-20t09:30:00.1Z", 1_795_167_000_100),
            ("2026-11-20T09:30:00.123999999999Z", 1_795_167_000_123),
            ("2026-11-20T10:30:00+01:00", 1_795_167_000_000),
            ("2026-11-20T10:30:00 01:00", 1_795_167_000_000),
            ("2026-11-19T23:00:00.5-10:30", 1_795_167_000_500),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("1969-12-31T23:59:59.999Z", 0),
            ("0000-01-01T00:00:00Z", 0),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn no_times() {
        let cases = [
            "",
            "now",
            "-1",
            "99999999999999999999",
            "2026-11-20",
            "2026-11-20T09:30:00",
            "2026-11-20T09:30Z",
            "2026-11-20T09:30:00.Z",
            "2026-11-20T09:30:00ZZ",
            "2026-11-20T09:30:00+1:00",
            "2026-11-20T09:30:00+24:00",
            "2026-13-20T09:30:00Z",
            "2026-02-29T09:30:00Z",
            "2026-00-01T09:30:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T09:60:00Z",
            "2026-11-2ä09:30:00Z",
        ];
        for text in cases {
            assert_eq!(parse(text), Err(TimeError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reads_back(ms in 0..=LAST_MS) {
            prop_assert_eq!(parse(&text(ms)), Ok(ms));
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
