//! Who can be asked: agents by name, and which of them a question is for.

use std::fmt;
use std::sync::Arc;

use super::Responder;

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

/// All agents.
#[derive(Debug)]
pub struct Agents {
    all: Vec<Arc<Agent>>,
    fallback: Arc<Agent>,
}

impl Agents {
    /// These; `fallback` answers what is for none of them.
    pub fn new(all: Vec<Arc<Agent>>, fallback: Arc<Agent>) -> Self {
        Self { all, fallback }
    }

    /// The agent of this name; the fallback answers for names that nobody has.
    pub fn named(&self, name: &str) -> Arc<Agent> {
        let found = self.all.iter().find(|agent| &*agent.name == name);
        Arc::clone(found.unwrap_or(&self.fallback))
    }

    /// The agent whose keywords the question has most of.
    pub fn route(&self, question: &str) -> Arc<Agent> {
        let question = question.to_lowercase();
        let score =
            |agent: &Arc<Agent>| agent.keywords.iter().filter(|word| question.contains(&***word)).count();
        // Of equals the first one configured.
        let best = self.all.iter().rev().max_by_key(|agent| score(agent));
        Arc::clone(best.filter(|agent| score(agent) > 0).unwrap_or(&self.fallback))
    }
}
