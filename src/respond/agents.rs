//! Who can be asked: agents by name, and which of them a question is for.
//!
//! A question is for the agent most of whose keywords it has; one of two words counts twice, as it says more. Among equals the
//! words of the descriptions decide, and then the order of the configuration. What is for nobody is for the fallback.

use std::fmt;
use std::sync::Arc;

use super::Responder;
use super::words::{is_common, singular, words};

/// Somebody who can be asked.
pub struct Agent {
    /// Its name.
    pub name: Arc<str>,
    /// What it knows about, for people and models.
    pub description: String,
    /// Words of questions that are for it.
    pub keywords: Vec<String>,
    /// Who answers for it.
    pub responder: Arc<dyn Responder>,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What speaks for an agent, the stronger first: words of its keywords, words of its description.
type Evidence = (usize, usize);

/// An agent and what it is known by.
#[derive(Debug)]
struct Known {
    agent: Arc<Agent>,
    keywords: Vec<Vec<String>>,
    description: Vec<String>,
}

/// All agents.
#[derive(Debug)]
pub struct Agents {
    all: Vec<Known>,
    fallback: Arc<Agent>,
}

impl Agents {
    /// These; `fallback` answers what is for none of them.
    pub fn new(all: Vec<Arc<Agent>>, fallback: Arc<Agent>) -> Self {
        Self { all: all.into_iter().map(Known::new).collect(), fallback }
    }

    /// The agent of this name; the fallback answers for names that nobody has.
    pub fn named(&self, name: &str) -> Arc<Agent> {
        let mut agents = self.all.iter().map(|known| &known.agent);
        Arc::clone(agents.find(|agent| &*agent.name == name).unwrap_or(&self.fallback))
    }

    /// The agent that a question is for. One that has nothing to tell by goes where the one before it went: `earlier` are the
    /// questions before, the newest first.
    pub fn route<'a>(&self, question: &'a str, earlier: impl IntoIterator<Item = &'a str>) -> Arc<Agent> {
        let mut questions = std::iter::once(question).chain(earlier);
        Arc::clone(questions.find_map(|question| self.best(question)).unwrap_or(&self.fallback))
    }

    fn best(&self, question: &str) -> Option<&Arc<Agent>> {
        let asked = forms(question);
        let judged = self.all.iter().map(|known| (known.evidence(&asked), &known.agent));
        // The last of equals is taken, so the first of them must come last.
        let (evidence, agent) = judged.rev().max_by_key(|(evidence, _)| *evidence)?;
        (evidence != (0, 0)).then_some(agent)
    }
}

impl Known {
    fn new(agent: Arc<Agent>) -> Self {
        let keywords =
            agent.keywords.iter().map(|keyword| forms(keyword)).filter(|k| !k.is_empty()).collect();
        let mut description = forms(&agent.description);
        description.retain(|word| !is_common(word));
        Self { agent, keywords, description }
    }

    fn evidence(&self, asked: &[String]) -> Evidence {
        let is_said = |keyword: &&Vec<String>| asked.windows(keyword.len()).any(|run| run == &keyword[..]);
        let keywords = self.keywords.iter().filter(is_said).map(Vec::len).sum();
        (keywords, self.description.iter().filter(|word| asked.contains(word)).count())
    }
}

/// The words of a text as they are compared.
fn forms(text: &str) -> Vec<String> {
    words(text).map(|word| singular(&word).to_owned()).collect()
}

#[cfg(test)]
#[path = "agents_tests.rs"]
mod tests;
