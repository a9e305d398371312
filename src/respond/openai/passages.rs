//! What is known about a question, for the model to go by.

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Where it stands, for people.
    pub source: String,
    /// What it says.
    pub text: String,
}

/// Finds passages.
pub trait Knowledge: Send + Sync {
    /// At most `count` passages about `question` among those of `agent`, the best first. Must not block.
    fn passages(&self, agent: &str, question: &str, count: usize) -> Vec<Passage>;
}

/// Knows nothing.
pub struct Nothing;

impl Knowledge for Nothing {
    fn passages(&self, _agent: &str, _question: &str, _count: usize) -> Vec<Passage> {
        Vec::new()
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
