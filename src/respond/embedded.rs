//! Answers by quoting documents: what is asked is looked for, and what is found is said word by word, with the names of the
//! documents. It makes nothing up: where it finds nothing it says so, and where it is unsure it says that first.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::corpus::{Corpus, Found, Passage};
use super::{Answering, Failure, Finish, Job, Responder, Sink};
use crate::dialect::sessions::Step;

/// Below this, what is quoted may be about something else.
const SURE: f64 = 0.5;
const UNSURE: &str = "The documents do not answer this directly. The nearest I found:\n\n";
const NOTHING: &str = "I found nothing about that in the documents.";

/// See the module.
pub struct Embedded {
    corpus: Corpus,
    words_per_second: u32,
}

impl Embedded {
    /// Answers from these documents, at so many words a second; 0 means as fast as the session takes them.
    pub fn new(corpus: Corpus, words_per_second: u32) -> Self {
        Self { corpus, words_per_second }
    }

    async fn run(&self, job: &Job, sink: &Sink) -> Result<Finish, Failure> {
        sink.say(progress("rag_retrieval", "Searching knowledge base...")).await?;
        let found = self.corpus.find(job).await?;
        sink.say(progress("generating", "Generating response...")).await?;
        let mut pace = self.pace();
        for word in words(&text(&found)) {
            match &mut pace {
                Some(pace) => drop(pace.tick().await),
                // The runtime has others to serve, and the turn may be cancelled.
                None => tokio::task::yield_now().await,
            }
            sink.say(Step::Text(word.into())).await?;
        }
        Ok(Finish { confidence: Some(rounded(found.confidence)), sources: sources(&found), agent: None })
    }

    /// Time for each word but the first.
    fn pace(&self) -> Option<Interval> {
        let mut pace = interval(Duration::from_secs(1).checked_div(self.words_per_second)?);
        pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Some(pace)
    }
}

impl Responder for Embedded {
    fn kind(&self) -> &'static str {
        "embedded"
    }

    fn answer<'a>(&'a self, job: &'a Job, sink: &'a Sink) -> Answering<'a> {
        Box::pin(self.run(job, sink))
    }
}

fn progress(step: &str, message: &str) -> Step {
    Step::Progress(step.into(), message.into())
}

/// The answer.
fn text(found: &Found) -> String {
    if found.passages.is_empty() {
        return NOTHING.into();
    }
    let quotes: Vec<String> = found.passages.iter().map(quote).collect();
    let doubt = if found.confidence < SURE { UNSURE } else { "" };
    format!("{doubt}{}", quotes.join("\n\n"))
}

/// A passage and where it stands.
fn quote(Passage { source, heading, text }: &Passage) -> String {
    let place = if heading.is_empty() { source.clone() } else { format!("{source}, {heading}") };
    format!("{text}\n({place})")
}

/// The documents, each once.
fn sources(found: &Found) -> Vec<String> {
    let mut sources: Vec<String> = Vec::new();
    for passage in &found.passages {
        if !sources.contains(&passage.source) {
            sources.push(passage.source.clone());
        }
    }
    sources
}

/// The words of an answer, each with the blanks behind it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let blanks = rest[word..].find(|c: char| !c.is_whitespace()).unwrap_or(rest.len() - word);
        let (piece, behind) = rest.split_at(word + blanks);
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Two digits: more would say more than is known.
fn rounded(confidence: f64) -> f64 {
    (confidence * 100.0).round() / 100.0
}
