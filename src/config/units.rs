//! Human sizes and durations: `64MiB`, `30s`. What they mean is fixed here so that every setting reads the same.
//! Never guesses: a number without a unit is only accepted where the setting's name carries the unit.

use std::time::Duration;

/// Longest duration a setting accepts: ten years. Longer ones are typing mistakes and could overflow deadlines.
const DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Units of size, largest first, so that printing finds the shortest exact form.
const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

/// Units of time in microseconds, largest first.
const TIMES: [(&str, u64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("ms", 1_000),
    ("us", 1),
    ("s", 1_000_000),
];

/// Splits `64MiB` into the number and the unit.
fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let number = text[..end].replace('_', "").parse().ok()?;
    Some((number, text[end..].trim_start()))
}

/// Finds `unit` in a table of units, without regard to case where that is not ambiguous.
fn scale(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, scale)| *scale)
}

/// Reads a size such as `64MiB`, `10kB` or `4096` in bytes. `None` when it is none or does not fit.
pub fn parse_size(text: &str) -> Option<usize> {
    let (number, unit) = split(text)?;
    let scale = if unit.is_empty() { 1 } else { scale(&SIZES, unit)? };
    usize::try_from(number.checked_mul(scale)?).ok()
}

/// Writes a size in the largest binary unit that is exact: `64MiB`.
pub fn show_size(bytes: usize) -> String {
    let exact = |scale: u64| bytes > 0 && scale.is_power_of_two() && (bytes as u64).is_multiple_of(scale);
    let (unit, scale) = SIZES.into_iter().find(|(_, scale)| exact(*scale)).unwrap_or(("B", 1));
    format!("{}{unit}", bytes as u64 / scale)
}

/// Reads a duration such as `30s`, `5m` or `250ms`; a bare number counts `bare` microseconds each.
/// `None` when it is none or longer than ten years.
pub fn parse_duration(text: &str, bare: u64) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let scale = if unit.is_empty() { bare } else { scale(&TIMES, unit)? };
    let duration = Duration::from_micros(number.checked_mul(scale)?);
    (duration <= DURATION_MAX).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        assert_eq!(parse_size("64MiB"), Some(64 << 20));
        assert_eq!(parse_size("64 mib"), Some(64 << 20));
        assert_eq!(parse_size("10kB"), Some(10_000));
        assert_eq!(parse_size("1_000"), Some(1000));
        assert_eq!(show_size(64 << 20), "64MiB");
        assert_eq!(show_size(1000), "1000B");
        assert_eq!(show_size(0), "0B");
    }

    #[test]
    fn nonsense_sizes_are_refused() {
        for text in ["", "MiB", "-1", "1.5MiB", "12 parsecs", "99999999TiB", "10s"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(parse_duration("30s", 1), Some(Duration::from_secs(30)));
        assert_eq!(parse_duration("5m", 1), Some(Duration::from_secs(300)));
        assert_eq!(parse_duration("250ms", 1), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("7", 1_000_000), Some(Duration::from_secs(7)));
        assert_eq!(parse_duration("20us", 1), Some(Duration::from_micros(20)));
    }

    #[test]
    fn nonsense_durations_are_refused() {
        for text in ["", "s", "-1s", "11y", "4000d", "1MiB"] {
            assert_eq!(parse_duration(text, 1), None, "{text}");
        }
    }
}
