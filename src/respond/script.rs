//! A responder that does what the question says, word by word, so that tests of protocols know every event beforehand. It answers
//! as the agent [`SCRIPT`] where [`crate::config::Config::test_echo`] is set, and nowhere else.
//!
//! | word | what it does |
//! |---|---|
//! | `wait:200` | waits for so many milliseconds |
//! | `fail:TIMEOUT` | ends the answer with an error, `RATE_LIMITED`, `TIMEOUT`, `CONNECTION_LOST`, or any other word for `PROCESSING_ERROR` |
//! | `tool:name` | calls a tool, and has its result |
//! | `source:a.md` | names what the answer rests on |
//! | anything else | is a piece of the answer |

use std::time::Duration;

use super::{Answering, Failure, Finish, Job, Responder, Sink};
use crate::dialect::sessions::Step;
use crate::dialect::sessions::step::Code;

/// The name of the agent for which it answers.
pub const SCRIPT: &str = "script";
/// After how long something that was asked too often may be asked again, milliseconds.
const AGAIN_MS: u64 = 1500;

/// See the module.
pub struct Script;

impl Responder for Script {
    fn kind(&self) -> &'static str {
        "script"
    }

    fn answer<'a>(&'a self, job: &'a Job, sink: &'a Sink) -> Answering<'a> {
        Box::pin(play(&job.question.text, sink))
    }
}

async fn play(question: &str, sink: &Sink) -> Result<Finish, Failure> {
    let progress = |step: &str, message: &str| sink.say(Step::Progress(step.into(), message.into()));
    progress("rag_retrieval", "Searching knowledge base...").await?;
    progress("generating", "Generating response...").await?;
    let mut finish = Finish { confidence: Some(0.9), ..Finish::default() };
    for word in question.split_inclusive(' ') {
        match word.trim_end().split_once(':') {
            Some(("wait", millis)) => wait(millis).await,
            Some(("fail", code)) => return Err(failure(code)),
            Some(("tool", tool)) => call(tool, sink).await?,
            Some(("source", source)) => finish.sources.push(source.into()),
            _ => sink.say(Step::Text(word.into())).await?,
        }
    }
    Ok(finish)
}

async fn wait(millis: &str) {
    tokio::time::sleep(Duration::from_millis(millis.parse().unwrap_or_default())).await;
}

fn failure(name: &str) -> Failure {
    let codes = [Code::RateLimited, Code::Timeout, Code::ConnectionLost];
    let code = codes.into_iter().find(|code| code.name() == name).unwrap_or(Code::Failed);
    let retry_after_ms = (code == Code::RateLimited).then_some(AGAIN_MS);
    Failure { retry_after_ms, ..Failure::new(code, "the question asks for this") }
}

async fn call(tool: &str, sink: &Sink) -> Result<(), Failure> {
    sink.say(Step::ToolCall { tool: tool.into(), args: "{\"n\":1}".into() }).await?;
    sink.say(Step::ToolResult { tool: tool.into(), result: "[1]".into() }).await
}
