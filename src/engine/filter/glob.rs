//! Globs: `*` is any run of characters, `?` is one.
//!
//! A glob is cut at its stars into runs. The first run must stand at the beginning, the last at the end, and those between
//! are found one after the other from the left, which is enough: an earlier find never spoils a later one. Each is searched for in
//! linear time, with `?` in it too (shift-and, one bit a character), so that no pair of a subscriber's glob and a publisher's text takes
//! longer than reading both.

use crate::limits::GLOB_RUN_CHARS_MAX;

/// Why a text is no glob: a run with a `?` in it has this many characters, more than [`GLOB_RUN_CHARS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a part of a glob that has a `?` has at most {GLOB_RUN_CHARS_MAX} characters, this one has {0}")]
pub struct GlobError(pub usize);

/// A glob, ready to match.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Glob {
    /// What stands between stars, so at least one; the first and last may be empty, the others are not.
    runs: Box<[Run]>,
}

/// What a glob comes down to when it needs no matcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Simple {
    Exactly(Box<str>),
    Prefix(Box<str>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Run {
    Literal(Box<str>),
    Wild(Wild),
}

impl Glob {
    /// Reads a glob; every text is one. Stars in a row count as one.
    ///
    /// # Errors
    /// When a run with a `?` is longer than [`GLOB_RUN_CHARS_MAX`].
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let parts: Vec<&str> = text.split('*').collect();
        let last = parts.len() - 1;
        let inner = |i: usize| i != 0 && i != last;
        parts
            .iter()
            .enumerate()
            .filter(|(i, part)| !(inner(*i) && part.is_empty()))
            .map(|(_, part)| Run::parse(part))
            .collect::<Result<_, _>>()
            .map(|runs| Self { runs })
    }

    /// Whether all of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let (Some(first), Some(last)) = (self.runs.first(), self.runs.last()) else { return false };
        let Some(at) = first.at_start(text) else { return false };
        if self.runs.len() == 1 {
            return at == text.len();
        }
        let rest = last.before_end(&text[at..]);
        rest.is_some_and(|rest| find_all(&self.runs[1..self.runs.len() - 1], rest))
    }

    /// A cheaper test for the same texts, if there is one.
    pub(super) fn simplify(&self) -> Option<Simple> {
        match &*self.runs {
            [Run::Literal(text)] => Some(Simple::Exactly(text.clone())),
            [Run::Literal(text), Run::Literal(end)] if end.is_empty() => Some(Simple::Prefix(text.clone())),
            _ => None,
        }
    }
}

fn find_all(runs: &[Run], mut text: &str) -> bool {
    for run in runs {
        match run.find_end(text) {
            Some(end) => text = &text[end..],
            None => return false,
        }
    }
    true
}

impl Run {
    fn parse(text: &str) -> Result<Self, GlobError> {
        if text.contains('?') { Wild::parse(text).map(Self::Wild) } else { Ok(Self::Literal(text.into())) }
    }

    /// Where the run ends when `text` begins with it.
    fn at_start(&self, text: &str) -> Option<usize> {
        match self {
            Self::Literal(literal) => text.starts_with(&**literal).then_some(literal.len()),
            Self::Wild(wild) => wild.at_start(text),
        }
    }

    /// What stands before the run when `text` ends with it.
    fn before_end<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Literal(literal) => text.strip_suffix(&**literal),
            Self::Wild(wild) => wild.before_end(text),
        }
    }

    /// Where the run ends that begins first.
    fn find_end(&self, text: &str) -> Option<usize> {
        match self {
            Self::Literal(literal) => text.find(&**literal).map(|at| at + literal.len()),
            Self::Wild(wild) => wild.find_end(text),
        }
    }
}

/// A run with at least one `?`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Wild {
    text: Box<str>,
    /// For each character of the run where it may stand, bit 0 for the first place; sorted by character.
    places: Box<[(char, u64)]>,
    /// Where any character may stand.
    any: u64,
    /// The bit of the last place.
    last: u64,
}

impl Wild {
    fn parse(text: &str) -> Result<Self, GlobError> {
        let chars = text.chars().count();
        if chars > GLOB_RUN_CHARS_MAX {
            return Err(GlobError(chars));
        }
        let mut places: Vec<(char, u64)> = text.chars().map(|c| (c, places_of(text, c))).collect();
        places.sort_unstable();
        places.dedup();
        Ok(Self {
            text: text.into(),
            places: places.into(),
            any: places_of(text, '?'),
            last: 1 << (chars - 1),
        })
    }

    fn at_start(&self, text: &str) -> Option<usize> {
        let mut chars = text.chars();
        let fits = self.text.chars().all(|want| chars.next().is_some_and(|have| fits(want, have)));
        fits.then(|| text.len() - chars.as_str().len())
    }

    fn before_end<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut chars = text.chars();
        let fits = self.text.chars().rev().all(|want| chars.next_back().is_some_and(|have| fits(want, have)));
        fits.then_some(chars.as_str())
    }

    /// Shift-and: bit i of `state` says that the last i + 1 characters fit the first i + 1 places.
    fn find_end(&self, text: &str) -> Option<usize> {
        let mut state = 0u64;
        for (at, c) in text.char_indices() {
            state = ((state << 1) | 1) & (self.any | self.places(c));
            if state & self.last != 0 {
                return Some(at + c.len_utf8());
            }
        }
        None
    }

    fn places(&self, c: char) -> u64 {
        self.places.binary_search_by_key(&c, |place| place.0).map_or(0, |i| self.places[i].1)
    }
}

fn fits(want: char, have: char) -> bool {
    want == '?' || want == have
}

fn places_of(text: &str, wanted: char) -> u64 {
    text.chars().enumerate().filter(|(_, c)| *c == wanted).fold(0, |places, (i, _)| places | (1 << i))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(glob: &str, text: &str) -> bool {
        Glob::parse(glob).expect("a glob").matches(text)
    }

    #[test]
    fn globs() {
        let cases = [
            ("tool.*", "tool.call", true),
            ("tool.*", "tool.", true),
            ("tool.*", "tool", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", true),
            ("a?c", "äc", false),
            ("?", "ä", true),
            ("?", "", false),
            ("*?", "", false),
            ("**a**", "xax", true),
            ("*.txt", "a.txt.txt", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b?d*e", "a-b-bxd-e", true),
            ("a*b?d*e", "a-b-bxxd-e", false),
            ("*a?*?b*", "axxb", true),
            ("*a?*?b*", "axb", false),
        ];
        for (glob, text, expected) in cases {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn a_run_with_question_marks_is_bounded() {
        let run = "?".repeat(GLOB_RUN_CHARS_MAX);
        assert!(matches(&run, &"x".repeat(GLOB_RUN_CHARS_MAX)));
        assert_eq!(Glob::parse(&format!("*{run}?")), Err(GlobError(GLOB_RUN_CHARS_MAX + 1)));
        assert!(Glob::parse(&"a".repeat(1000)).is_ok());
    }

    #[test]
    fn simple_ones() {
        let cases = [
            ("abc", Some(Simple::Exactly("abc".into()))),
            ("abc*", Some(Simple::Prefix("abc".into()))),
            ("*", Some(Simple::Prefix("".into()))),
            ("a?c", None),
            ("*c", None),
        ];
        for (glob, expected) in cases {
            assert_eq!(Glob::parse(glob).expect("a glob").simplify(), expected, "{glob}");
        }
    }

    #[test]
    fn hard_texts_take_linear_time_or_this_would_not_end() {
        let text = "a".repeat(1 << 20);
        for glob in ["*a*a*a*a*a*a*a*a*b", &format!("*{}b*", "a".repeat(500)), "*a?aaaaaaaaaaaaaaaab*"] {
            assert!(!matches(glob, &text));
        }
    }

    fn naive(glob: &[char], text: &[char]) -> bool {
        match (glob, text) {
            ([], []) => true,
            (['*', g @ ..], t) => naive(g, t) || (!t.is_empty() && naive(glob, &t[1..])),
            (['?', g @ ..], [_, t @ ..]) => naive(g, t),
            ([a, g @ ..], [b, t @ ..]) => a == b && naive(g, t),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn matches_as_the_naive_matcher(glob in "[abä?*]{0,8}", text in "[abä]{0,10}") {
            let (g, t): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
            prop_assert_eq!(matches(&glob, &text), naive(&g, &t));
        }
    }
}
