//! What is known about a question, for the model to go by.

use std::pin::Pin;

use crate::respond::{Corpus, Failure, Job};

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Where it stands, for people.
    pub source: String,
    /// What it says.
    pub text: String,
}

/// A search under way.
pub type Finding<'a> = Pin<Box<dyn Future<Output = Result<Vec<Passage>, Failure>> + Send + 'a>>;

/// Finds passages.
pub trait Knowledge: Send + Sync {
    /// Passages about the question of `job`, the best first. Must not block.
    fn passages<'a>(&'a self, job: &'a Job) -> Finding<'a>;
}

/// Knows nothing.
pub struct Nothing;

impl Knowledge for Nothing {
    fn passages<'a>(&'a self, _job: &'a Job) -> Finding<'a> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

/// The sources of passages, each once.
pub(super) fn sources(passages: &[Passage]) -> Vec<String> {
    let mut sources: Vec<String> = Vec::new();
    for passage in passages {
        if !sources.contains(&passage.source) {
            sources.push(passage.source.clone());
        }
    }
    sources
}

impl Knowledge for Corpus {
    fn passages<'a>(&'a self, job: &'a Job) -> Finding<'a> {
        Box::pin(async move {
            let found = self.find(job).await?.passages.into_iter();
            // Without its headings a passage often does not say what it is about.
            let text = |heading: &str, text: &str| format!("{heading}\n{text}").trim_start().to_owned();
            Ok(found.map(|p| Passage { text: text(&p.heading, &p.text), source: p.source }).collect())
        })
    }
}
