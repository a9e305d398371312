//! From the configuration to those who answer.

use std::sync::Arc;

use anyhow::Context;

use super::models;
use crate::config::{self, Config};
use crate::dialect::work::topic;
use crate::engine::name::validate;
use crate::respond::openai::{Knowledge, Nothing, OpenAi};
use crate::respond::worker::{self, Workshop};
use crate::respond::{self, Agent, Agents, Corpus, Embedded, Responder};

/// Where questions wait for workers.
pub fn workshop(config: &Config) -> Arc<Workshop> {
    let said = &config.worker;
    Arc::new(Workshop::new(worker::Settings {
        lease: said.lease_seconds,
        retries: said.on_lost == config::OnLost::Retry,
        attempts: said.attempts,
        queue_jobs: said.queue_jobs,
        wait: said.wait_seconds,
    }))
}

/// Who answers.
///
/// # Errors
/// Documents that cannot be read, a model that cannot be asked, or a queue that workers cannot name.
pub fn agents(config: &Config, workshop: &Arc<Workshop>) -> anyhow::Result<Agents> {
    let mut responders = Responders { config, workshop, corpus: None, openai: None };
    let all = config.agents.0.iter().map(|(name, said)| responders.agent(name, said));
    let all = all.collect::<anyhow::Result<_>>()?;
    Ok(Agents::new(all, responders.agent(&config.respond.agent, &config::Agent::default())?))
}

/// Makes responders; what several of them need is made once.
struct Responders<'a> {
    config: &'a Config,
    workshop: &'a Arc<Workshop>,
    corpus: Option<Corpus>,
    openai: Option<OpenAi>,
}

impl Responders<'_> {
    fn agent(&mut self, name: &str, said: &config::Agent) -> anyhow::Result<Arc<Agent>> {
        let responder = match self.config.test_echo && name == respond::SCRIPT {
            true => Arc::new(respond::Script),
            false => self.responder(name, said)?,
        };
        let (description, keywords) = (said.description.clone(), said.keywords.clone());
        Ok(Arc::new(Agent { name: name.into(), description, keywords, responder }))
    }

    fn responder(&mut self, name: &str, said: &config::Agent) -> anyhow::Result<Arc<dyn Responder>> {
        let words_per_second = self.config.respond.words_per_second as u32;
        Ok(match said.responder.unwrap_or(self.config.respond.responder) {
            config::Responder::Embedded => Arc::new(Embedded::new(self.corpus()?, words_per_second)),
            config::Responder::Openai => Arc::new(self.openai(&said.model)?),
            config::Responder::Worker => Arc::new(self.workshop.queue(queue(name, said)?)),
            config::Responder::None => Arc::new(respond::Nobody),
        })
    }

    /// The documents that answers rest on.
    fn corpus(&mut self) -> anyhow::Result<Corpus> {
        if let Some(corpus) = &self.corpus {
            return Ok(corpus.clone());
        }
        let folder = &self.config.respond.documents;
        let given = (!folder.as_os_str().is_empty()).then_some(&**folder);
        let corpus = Corpus::start(given).with_context(|| {
            format!("cannot read the documents of respond.documents ({})", folder.display())
        })?;
        Ok(self.corpus.insert(corpus).clone())
    }

    /// The model of this name; that of `[openai]` without one.
    fn openai(&mut self, name: &str) -> anyhow::Result<OpenAi> {
        let openai = match self.openai.take() {
            Some(openai) => openai,
            None => models::openai(self.config, self.knowledge()?)?,
        };
        let name = if name.is_empty() { &self.config.openai.model } else { name };
        Ok(self.openai.insert(openai).with_model(name))
    }

    /// What models go by: documents that were given. The manual that comes with the program is for whoever tries that out.
    fn knowledge(&mut self) -> anyhow::Result<Arc<dyn Knowledge>> {
        Ok(match self.config.respond.documents.as_os_str().is_empty() {
            true => Arc::new(Nothing),
            false => Arc::new(self.corpus()?),
        })
    }
}

/// The queue of an agent: the one that is said, or that of its name.
fn queue<'a>(name: &'a str, said: &'a config::Agent) -> anyhow::Result<&'a str> {
    let queue = if said.queue.is_empty() { name } else { &said.queue };
    validate(&topic(queue)).with_context(|| {
        format!(
            "workers cannot name the queue {queue:?}; set agents.{name:?}.queue, of A-Z a-z 0-9 _ - and dots"
        )
    })?;
    Ok(queue)
}
