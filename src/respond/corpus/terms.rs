//! What is looked for: the words of a question that say something, and where there are few, those of earlier questions, which
//! count for less.

use crate::limits::{SEARCH_WORD_BYTES_MAX, SEARCH_WORDS_MAX};
use crate::respond::words::{beginning, is_common, words};

/// A question with fewer words than this that say something may refer to the one before it.
const FEW: usize = 3;
/// What a word of an earlier question counts, against one of the question itself. It must be less than half: then a passage
/// that has a word of the question comes before one that has two of an earlier one.
const EARLIER: f64 = 0.4;

/// A word that is looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// In lower case; letters and digits alone.
    pub word: String,
    /// What it counts, up to 1.
    pub weight: f64,
    /// Whether it is of the question itself.
    pub is_own: bool,
}

/// What to look for; `earlier` are the questions before, the newest first. Nothing where the question says nothing.
pub fn terms<'a>(question: &str, earlier: impl IntoIterator<Item = &'a str>) -> Vec<Term> {
    let mut terms = Vec::new();
    add(&mut terms, question, 1.0);
    if (1..FEW).contains(&terms.len()) {
        // Of the newest that has any: what was asked before that is another matter.
        let own = terms.len();
        earlier.into_iter().find(|question| {
            add(&mut terms, question, EARLIER);
            terms.len() > own
        });
    }
    terms
}

fn add(terms: &mut Vec<Term>, text: &str, weight: f64) {
    for word in words(text).filter(|word| !is_common(word)) {
        for word in word.split('\'').filter(|word| !is_common(word)) {
            let word = beginning(word, SEARCH_WORD_BYTES_MAX);
            if terms.len() < SEARCH_WORDS_MAX && !terms.iter().any(|term| term.word == word) {
                terms.push(Term { word: word.into(), weight, is_own: weight >= 1.0 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(question: &str, earlier: &[&str]) -> Vec<(String, bool)> {
        terms(question, earlier.iter().copied()).into_iter().map(|term| (term.word, term.is_own)).collect()
    }

    fn own(words: &[&str]) -> Vec<(String, bool)> {
        words.iter().map(|word| ((*word).into(), true)).collect()
    }

    #[test]
    fn words_that_say_nothing_are_not_looked_for() {
        assert_eq!(found("What is the engine's POWER, the power?", &[]), own(&["engine", "power"]));
        for nothing in ["", "and what about it?", "\"'*^():-+{}[]\"", "🚗 ❓", "won't"] {
            assert_eq!(found(nothing, &["engine power"]), [], "{nothing}");
        }
    }

    #[test]
    fn a_short_question_refers_to_the_newest_earlier_one_that_says_something() {
        let earlier = ["and?", "What is the engine power?", "Where is the jack?"];
        let expected =
            [("diesel", true), ("engine", false), ("power", false)].map(|(w, own)| (w.to_owned(), own));
        assert_eq!(found("and of the diesel?", &earlier), expected);
        assert_eq!(found("diesel fuel consumption", &earlier), own(&["diesel", "fuel", "consumption"]));
    }

    #[test]
    fn there_are_so_many_words_and_each_is_so_long() {
        let many: String = (0..1_000).map(|n| format!("w{n} ")).collect();
        assert_eq!(found(&many, &[]).len(), SEARCH_WORDS_MAX);
        assert_eq!(found(&"ö".repeat(1_000), &[])[0].0.len(), SEARCH_WORD_BYTES_MAX);
    }
}
