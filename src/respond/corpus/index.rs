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

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::cut::Passage;
use super::terms::Term;
use crate::limits::{CANDIDATES_MAX, QUOTES_MAX, WORD_COUNT_MAX};

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

/// Words between two that are near each other.
const NEAR: usize = 2;

impl Index {
    /// An index of these.
    ///
    /// # Errors
    /// SQLite has no memory left.
    pub fn new(passages: &[Passage]) -> rusqlite::Result<Self> {
        let mut database = Connection::open_in_memory()?;
        database.execute_batch(
            "CREATE VIRTUAL TABLE passages USING fts5(heading, text, source UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2')",
        )?;
        let transaction = database.transaction()?;
        let mut insert =
            transaction.prepare("INSERT INTO passages (heading, text, source) VALUES (?1, ?2, ?3)")?;
        for Passage { heading, text, source } in passages {
            insert.execute(params![heading, text, source])?;
        }
        drop(insert);
        transaction.commit()?;
        database.execute_batch("INSERT INTO passages (passages) VALUES ('optimize')")?;
        Ok(Self { database, passages: passages.len() })
    }

    /// The passages that have most of what is looked for.
    ///
    /// # Errors
    /// SQLite has no memory left.
    pub fn find(&self, terms: &[Term]) -> rusqlite::Result<Found> {
        let mut candidates = self.candidates(terms)?;
        let mut asked = 0.0;
        for term in terms {
            let counts = term.weight * self.rarity(&term.word)?;
            asked += counts;
            let rows = self.matching(quoted(&term.word), &candidates)?;
            for candidate in candidates.iter_mut().filter(|candidate| rows.contains(&candidate.row)) {
                candidate.covered += counts;
                candidate.words += term.weight;
                candidate.has_own |= term.is_own;
            }
        }
        self.judge_nearness(terms, &mut candidates)?;
        Ok(best(candidates, asked))
    }

    /// Passages with any of the words.
    fn candidates(&self, terms: &[Term]) -> rusqlite::Result<Vec<Candidate>> {
        let any: Vec<String> = terms.iter().map(|term| quoted(&term.word)).collect();
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

    /// How much a word says: the more, the fewer passages have it.
    fn rarity(&self, word: &str) -> rusqlite::Result<f64> {
        let mut query = self.database.prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM passages WHERE passages MATCH ?1 LIMIT ?2)",
        )?;
        let having: i64 = query.query_row(params![quoted(word), WORD_COUNT_MAX as i64], |row| row.get(0))?;
        let (all, having) = (self.passages as f64, having as f64);
        Ok((1.0 + (all - having + 0.5) / (having + 0.5)).ln())
    }

    fn judge_nearness(&self, terms: &[Term], candidates: &mut [Candidate]) -> rusqlite::Result<()> {
        let pairs = terms.windows(2).filter(|pair| pair.iter().all(|term| term.is_own)).count();
        for pair in terms.windows(2).take(pairs) {
            let [a, b] = [0, 1].map(|i| quoted(&pair[i].word));
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
fn quoted(word: &str) -> String {
    format!("\"{word}\"")
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
