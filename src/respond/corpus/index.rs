//! Finds passages: SQLite's full-text index (FTS5), in memory. Words are compared by their English stems, without case and
//! accents.
//!
//! **What comes first.** FTS5 gives the candidates, in the order of BM25. Then each word counts its weight times its rarity
//! (`ln(1 + (N − n + ½) / (n + ½))` for a word that n of N passages have), *coverage* is the part of the question's words, so
//! counted, that a passage has, and a passage is worth its coverage, halved for a BM25 of nothing against the best one, and less a third
//! where words that stand side by side in the question are nowhere near each other.
//! A passage without a word of the question itself is worth nothing, nor is one that covers less than [`COVERAGE_MIN`].
//!
//! **Confidence** is that of the best passage: `0.95 × coverage × (1 − 0.3^k)` for a passage that has k words of the question
//! (earlier ones count their weight). A single word says little (at most 0.67), two that are all that was asked 0.86, and nothing is ever certain.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::cut::Passage;
use super::terms::Term;
use crate::limits::{CANDIDATES_MAX, QUOTES_MAX, SEARCH_WORDS_COMPARED, SEARCH_WORDS_REMEMBERED};

/// Less than this part of a question is no evidence of anything.
const COVERAGE_MIN: f64 = 0.2;
/// A passage worth less than this part of the best one is not quoted beside it.
const WORTH_MIN: f64 = 0.75;
/// Nothing that is found by words alone is surer than this.
const CONFIDENCE_MAX: f64 = 0.95;
/// What doubt is left of each word that is found.
const DOUBT: f64 = 0.3;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The best passages, best first; none where nothing is about what was asked.
    pub passages: Vec<Passage>,
    /// How sure it is that they answer the question, 0 to 1. See the module.
    pub confidence: f64,
}

/// All passages.
pub struct Index {
    database: Connection,
    passages: usize,
    /// Passages that have a word, for words that were looked for: they never change.
    known: HashMap<String, usize>,
}

/// A word that is looked for.
struct Weighed<'t> {
    term: &'t Term,
    /// Passages that have it.
    having: usize,
    /// What it counts.
    counts: f64,
}

/// A passage that may be it.
struct Candidate {
    row: i64,
    passage: Passage,
    /// BM25; the larger the better.
    relevance: f64,
    /// What its words count.
    covered: f64,
    /// How many they are, by their weights.
    words: f64,
    has_own: bool,
    /// Which part of the words that are neighbours in the question are so here.
    nearness: f64,
}

/// A word that one passage in so many has does not choose candidates.
const COMMON_PART: usize = 10;
/// Unless they are fewer than this.
const FEW: usize = 50;
/// Words between two that are near each other.
const NEAR: usize = 2;

impl Index {
    /// An index of these.
    ///
    /// # Errors
    /// SQLite has no memory left.
    pub fn new(passages: impl IntoIterator<Item = Passage>) -> rusqlite::Result<Self> {
        let mut database = Connection::open_in_memory()?;
        database.execute_batch(
            "CREATE VIRTUAL TABLE passages USING fts5(heading, text, source UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2')",
        )?;
        let transaction = database.transaction()?;
        let mut insert =
            transaction.prepare("INSERT INTO passages (heading, text, source) VALUES (?1, ?2, ?3)")?;
        let mut count = 0;
        for Passage { heading, text, source } in passages {
            insert.execute(params![heading, text, source])?;
            count += 1;
        }
        drop(insert);
        transaction.commit()?;
        database.execute_batch("INSERT INTO passages (passages) VALUES ('optimize')")?;
        Ok(Self { database, passages: count, known: HashMap::new() })
    }

    /// The passages that have most of what is looked for.
    ///
    /// # Errors
    /// SQLite has no memory left.
    pub fn find(&mut self, terms: &[Term]) -> rusqlite::Result<Found> {
        let words = self.weigh(terms)?;
        let mut candidates = self.candidates(&words)?;
        for word in words.iter().filter(|word| word.having > 0) {
            let rows = self.matching(quoted(word.term), &candidates)?;
            for candidate in candidates.iter_mut().filter(|candidate| rows.contains(&candidate.row)) {
                candidate.covered += word.counts;
                candidate.words += word.term.weight;
                candidate.has_own |= word.term.is_own;
            }
        }
        self.judge_nearness(&words, &mut candidates)?;
        Ok(best(candidates, words.iter().map(|word| word.counts).sum()))
    }

    /// The words that count most, in the order of the question.
    fn weigh<'t>(&mut self, terms: &'t [Term]) -> rusqlite::Result<Vec<Weighed<'t>>> {
        let mut words = Vec::with_capacity(terms.len());
        for term in terms {
            let having = self.having(term)?;
            let (all, with) = (self.passages as f64, having as f64);
            let counts = term.weight * (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
            words.push(Weighed { term, having, counts });
        }
        let mut counts: Vec<f64> = words.iter().map(|word| word.counts).collect();
        counts.sort_by(|a, b| b.total_cmp(a));
        let least = counts.get(SEARCH_WORDS_COMPARED - 1).copied().unwrap_or(0.0);
        words.retain(|word| word.counts >= least);
        words.truncate(SEARCH_WORDS_COMPARED);
        Ok(words)
    }

    /// How many passages there are.
    pub fn len(&self) -> usize {
        self.passages
    }

    /// How many passages have a word.
    fn having(&mut self, term: &Term) -> rusqlite::Result<usize> {
        if let Some(having) = self.known.get(&term.word) {
            return Ok(*having);
        }
        let mut query =
            self.database.prepare_cached("SELECT count(*) FROM passages WHERE passages MATCH ?1")?;
        let having = query.query_row([quoted(term)], |row| row.get::<_, i64>(0))? as usize;
        if self.known.len() >= SEARCH_WORDS_REMEMBERED {
            self.known.clear();
        }
        self.known.insert(term.word.clone(), having);
        Ok(having)
    }

    /// Passages with any of the words. Those that many passages have are left out of this where others are there: they would
    /// bring thousands of passages and put none of them first.
    fn candidates(&self, words: &[Weighed<'_>]) -> rusqlite::Result<Vec<Candidate>> {
        let own = words.iter().filter(|word| word.term.is_own && word.having > 0);
        let rarest = own.map(|word| word.having).min().unwrap_or(0);
        let most = (self.passages / COMMON_PART).max(FEW).max(rarest);
        let wanted = words.iter().filter(|word| (1..=most).contains(&word.having));
        let any: Vec<String> = wanted.map(|word| quoted(word.term)).collect();
        if any.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = self.database.prepare_cached(
            "SELECT rowid, heading, text, source, rank FROM passages \
             WHERE passages MATCH ?1 AND rank MATCH 'bm25(2.0, 1.0)' ORDER BY rank LIMIT ?2",
        )?;
        let rows = query.query_map(params![any.join(" OR "), CANDIDATES_MAX as i64], |row| {
            Ok(Candidate {
                row: row.get(0)?,
                passage: Passage { heading: row.get(1)?, text: row.get(2)?, source: row.get(3)? },
                relevance: -row.get::<_, f64>(4)?,
                covered: 0.0,
                words: 0.0,
                has_own: false,
                nearness: 0.0,
            })
        })?;
        rows.collect()
    }

    fn judge_nearness(&self, words: &[Weighed<'_>], candidates: &mut [Candidate]) -> rusqlite::Result<()> {
        let is_own = |pair: &&[Weighed<'_>]| pair.iter().all(|word| word.term.is_own);
        let pairs = words.windows(2).filter(is_own).count();
        let found = words.windows(2).take(pairs).filter(|pair| pair.iter().all(|word| word.having > 0));
        for pair in found {
            let [a, b] = [0, 1].map(|i| quoted(pair[i].term));
            let rows = self.matching(format!("NEAR({a} {b}, {NEAR})"), candidates)?;
            for candidate in candidates.iter_mut().filter(|candidate| rows.contains(&candidate.row)) {
                candidate.nearness += 1.0 / pairs as f64;
            }
        }
        Ok(())
    }

    /// Which of the candidates a query matches.
    fn matching(&self, wanted: String, candidates: &[Candidate]) -> rusqlite::Result<Vec<i64>> {
        let marks = vec!["?"; candidates.len()].join(",");
        let query = format!("SELECT rowid FROM passages WHERE passages MATCH ? AND rowid IN ({marks})");
        let mut query = self.database.prepare_cached(&query)?;
        let rows = candidates.iter().map(|candidate| Value::from(candidate.row));
        let rows = query
            .query_map(params_from_iter(std::iter::once(wanted.into()).chain(rows)), |row| row.get(0))?;
        rows.collect()
    }
}

/// A word as FTS5 reads it: in quotes nothing is an operator. Words have none of their own.
fn quoted(term: &Term) -> String {
    format!("\"{}\"", term.word)
}

/// The best of the candidates for a question whose words count `asked`.
fn best(mut candidates: Vec<Candidate>, asked: f64) -> Found {
    let most = candidates.iter().map(|candidate| candidate.relevance).fold(f64::MIN_POSITIVE, f64::max);
    let coverage = |candidate: &Candidate| candidate.covered / asked;
    let worth = |candidate: &Candidate| {
        let relevance = candidate.relevance / most;
        coverage(candidate) * (1.0 + relevance) / 2.0 * (2.0 + candidate.nearness) / 3.0
    };
    candidates.retain(|candidate| candidate.has_own && coverage(candidate) >= COVERAGE_MIN);
    candidates.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
    let Some(first) = candidates.first() else { return Found::default() };
    let confidence = CONFIDENCE_MAX * coverage(first) * (1.0 - DOUBT.powf(first.words));
    let least = WORTH_MIN * worth(first);
    candidates.retain(|candidate| worth(candidate) >= least);
    candidates.truncate(QUOTES_MAX);
    Found { passages: candidates.into_iter().map(|candidate| candidate.passage).collect(), confidence }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
