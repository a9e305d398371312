//! Answers by asking a language model: any server that speaks the OpenAI-compatible `/chat/completions` with `stream: true`.
//!
//! What the model is told is made in `prompt`; what it says is read in `listen` and put together in `reply`; what it wants done is
//! done in `tools`, and it is asked again with what came of it, so many times at most. A request that fails before anything of its
//! answer was said is made again (`ask`); afterwards readers are told what has gone wrong (`trouble`).
//!
//! The connection is read only while readers take what comes of it, and is closed when the turn is cancelled.
//! Never here: the key in a log, or what the other side says about it in an event.

mod ask;
mod chunk;
mod halves;
mod listen;
mod passages;
mod prompt;
mod reply;
mod tools;
mod trouble;

use std::sync::Arc;

use serde_json::Value;

use self::ask::Model;
use self::reply::Reply;
use super::{Answering, Failure, Finish, Job, Responder, Sink};
use crate::config;
use crate::dialect::sessions::Step;
use crate::dialect::sessions::step::Code;

pub use self::passages::{Finding, Knowledge, Nothing, Passage};
pub use self::tools::{Tool, Tools};

/// Has questions answered by a model.
pub struct OpenAi {
    model: Model,
    prompt: String,
    passages: usize,
    tool_rounds: usize,
    tools: Arc<Tools>,
    knowledge: Arc<dyn Knowledge>,
}

impl OpenAi {
    /// As configured. `key` is sent with each request; `knowledge` is where passages come from.
    ///
    /// # Errors
    /// The URL cannot be asked, there are no certificates to check its server by, or the key cannot be sent.
    pub fn new(
        settings: &config::OpenAi,
        key: Option<&str>,
        tools: Arc<Tools>,
        knowledge: Arc<dyn Knowledge>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            model: Model::new(settings, key)?,
            prompt: settings.prompt.clone(),
            passages: settings.passages,
            tool_rounds: settings.tool_rounds,
            tools,
            knowledge,
        })
    }

    /// The same with another model.
    pub fn with_model(&self, name: &str) -> Self {
        Self {
            model: self.model.named(name),
            prompt: self.prompt.clone(),
            tools: Arc::clone(&self.tools),
            knowledge: Arc::clone(&self.knowledge),
            ..*self
        }
    }

    async fn converse(&self, job: &Job, sink: &Sink) -> Result<Finish, Failure> {
        sink.say(Step::Progress("rag_retrieval".into(), "Searching knowledge base...".into())).await?;
        let mut passages = self.knowledge.passages(job).await?;
        passages.truncate(self.passages);
        sink.say(Step::Progress("generating".into(), "Generating response...".into())).await?;
        let mut messages = prompt::messages(&self.prompt, job, &passages);
        let mut rounds_left = self.tool_rounds;
        let reply = loop {
            let reply = self.model.ask(&messages, &self.tools, rounds_left > 0, job, sink).await?;
            if reply.calls.is_empty() {
                break reply;
            }
            let endless = || Failure::new(Code::Failed, "the model calls tools without end");
            rounds_left = rounds_left.checked_sub(1).ok_or_else(endless)?;
            messages.push(prompt::called(&reply));
            self.work(&reply, &mut messages, job, sink).await?;
        };
        tell_end(&reply, sink).await?;
        Ok(Finish { sources: passages::sources(&passages), ..Finish::default() })
    }

    /// Does what the model wants done, and adds what comes of it to `messages`.
    async fn work(
        &self,
        reply: &Reply,
        messages: &mut Vec<Value>,
        job: &Job,
        sink: &Sink,
    ) -> Result<(), Failure> {
        for call in reply.calls.all() {
            let tool = call.name.clone();
            sink.say(Step::ToolCall { tool: tool.clone(), args: call.args() }).await?;
            let result = self.tools.call(call, job).await;
            messages.push(prompt::returned(call, &result));
            sink.say(Step::ToolResult { tool, result }).await?;
        }
        Ok(())
    }
}

/// Says what readers should know about how the answer ends.
async fn tell_end(reply: &Reply, sink: &Sink) -> Result<(), Failure> {
    let said = match reply.finish.as_deref() {
        Some("length") => {
            "The answer was cut off: it had reached the longest length that the model may give."
        }
        Some("content_filter") => "The answer was cut off: the model's provider has filtered its content.",
        _ if sink.tokens() == 0 => return Err(Failure::new(Code::Failed, "the model has answered nothing")),
        _ => return Ok(()),
    };
    let reason = reply.finish.clone().unwrap_or_default();
    sink.say(Step::Progress(reason, said.into())).await
}

impl Responder for OpenAi {
    fn kind(&self) -> &'static str {
        "openai"
    }

    fn answer<'a>(&'a self, job: &'a Job, sink: &'a Sink) -> Answering<'a> {
        Box::pin(self.converse(job, sink))
    }
}
