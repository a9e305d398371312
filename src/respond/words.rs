//! The words of a text, as far as they say what it is about.

/// Words of questions that say nothing about what is asked.
const COMMON: &str = "a about after all also am an and any anything are as at be been big but by can could did do does \
    doesn exactly for from get give good got had happen happens has have hello help hers hi his how i if \
    in into is isn it its just kind know large let like ll many may me mean means might much must my \
    need no of off often on or our out please quite really s should show so some someone something sort t take \
    takes tell than thank thanks that the their them then there these they this those to told too up us \
    use used uses ve very want was we were what when where whether which while who whom whose why will \
    with won would you your";

/// The words of `text` in lower case; an apostrophe does not end one.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let ends = |c: char| !(c.is_alphanumeric() || c == '\'' || c == '’');
    let bare = text.split(ends).map(|word| word.trim_matches(['\'', '’']));
    bare.filter(|word| !word.is_empty()).map(|word| word.to_lowercase().replace('’', "'"))
}

/// The beginning of `text`, up to so many bytes of whole characters.
pub fn beginning(text: &str, bytes: usize) -> &str {
    let ends = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..ends.unwrap_or(0)]
}

/// Whether a word in lower case says nothing about what a question is about.
pub fn is_common(word: &str) -> bool {
    COMMON.split_ascii_whitespace().any(|common| common == word)
}

/// The singular of an English noun, near enough to compare by: both are cut the same way.
pub fn singular(word: &str) -> &str {
    let word = word.strip_suffix("'s").unwrap_or(word);
    let is_plural =
        word.len() > 3 && word.ends_with('s') && !["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    let ends_in_es = ["xes", "ches", "shes", "sses", "zes"].iter().any(|end| word.ends_with(end));
    match (is_plural, ends_in_es) {
        (false, _) => word,
        (true, false) => &word[..word.len() - 1],
        (true, true) => &word[..word.len() - 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_lower_case_and_keep_their_apostrophes() {
        let found: Vec<_> = words("It WON’T start -- 'ÖL' 5W-30, £$% 🚗").collect();
        assert_eq!(found, ["it", "won't", "start", "öl", "5w", "30"]);
        assert_eq!(words("'' ’ …").count(), 0);
    }

    #[test]
    fn plurals_are_compared_by_their_singulars() {
        let table = [
            ("brakes", "brake"),
            ("boxes", "box"),
            ("glass", "glass"),
            ("gas", "gas"),
            ("status", "status"),
            ("car's", "car"),
        ];
        for (word, expected) in table {
            assert_eq!(singular(word), expected);
        }
        assert_eq!(singular("brake"), singular("brakes"));
    }

    #[test]
    fn common_words_are_whole_words() {
        assert!(is_common("what") && is_common("your") && !is_common("wha") && !is_common("engine"));
    }
}
