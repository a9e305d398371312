//! Settings of the models that answer questions, and of what they can have done.

use std::time::Duration;

use super::kind::{Count, Kind, Seconds, Word, quote};
use super::lists::{MaybeText, MaybeUrl, Texts};
use super::section::section;
use crate::limits;

/// What a model is told first, unless the configuration says otherwise.
const PROMPT: &str = "You answer questions for the users of a product. Go by the passages from documents where there are any, and by \
                      what was said before. Say so when you do not know. Answer briefly, in the language of the question.";

/// A decimal number of at least 0; empty for none. Kept as text, so that it leaves as it came.
pub struct MaybeNumber;

impl Kind for MaybeNumber {
    type Value = String;
    const NAME: &'static str = "number";

    fn read(word: &Word) -> Result<String, String> {
        let text = match word {
            Word::Number(number) => number.to_string(),
            Word::Decimal(text) | Word::Text(text) => text.trim().to_owned(),
            _ => "none".into(),
        };
        let is_number = serde_json::from_str(&text).is_ok_and(|number: f64| number >= 0.0);
        let hint = || "write a number of at least 0, such as 0.7".to_owned();
        if text.is_empty() || is_number { Ok(text) } else { Err(hint()) }
    }

    fn show(value: &String) -> String {
        if value.is_empty() { quote(value) } else { value.clone() }
    }
}

section! {
    /// Answers by a language model, from any server with an OpenAI-compatible `/chat/completions`.
    OpenAi = "openai" {
        /// Where the API is: what stands before `/chat/completions`. `http` only for models on this machine or in a network that is trusted.
        url: MaybeUrl = "https://openrouter.ai/api/v1".into();
        /// The model, by the name that its provider has for it. An agent may have another.
        model: MaybeText = String::new();
        /// Environment variables that may hold the API key; the first one that is set counts, at `openrouter.ai` its own before others. An empty list sends no key.
        key_env: Texts = vec!["OPENAI_API_KEY".into(), "OPENROUTER_API_KEY".into()];
        /// What the model is told first. Behind it come the agent's description, the session's context and the passages.
        prompt: MaybeText = PROMPT.into();
        /// How freely the model chooses its words; its own default when empty.
        temperature: MaybeNumber = String::new();
        /// Longest answer, in tokens of the model; its own default when 0.
        max_tokens: Count<0> = 0;
        /// Passages of documents that the model is told, of those that a search finds: three at most. Without `respond.documents` there are none.
        passages: Count<0> = limits::OPENAI_PASSAGES;
        /// Time for a connection.
        connect_seconds: Seconds<1> = Duration::from_secs(limits::OPENAI_CONNECT_SECONDS);
        /// Time from the question to the head of the answer.
        first_seconds: Seconds<1> = Duration::from_secs(limits::OPENAI_FIRST_SECONDS);
        /// Time for which nothing may come in the middle of an answer.
        stall_seconds: Seconds<1> = Duration::from_secs(limits::OPENAI_STALL_SECONDS);
        /// How often a request is made again that has failed before anything of its answer was said.
        retries: Count<0> = limits::OPENAI_RETRIES;
        /// Requests at the same time; further ones wait. About 100 KiB each.
        requests: Count<1> = limits::OPENAI_REQUESTS_MAX;
        /// How often the model may have tools called for one answer.
        tool_rounds: Count<0> = limits::OPENAI_TOOL_ROUNDS;
    }
}
