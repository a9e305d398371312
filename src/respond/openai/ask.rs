//! Makes a request, and makes it again where it fails before anything of its answer was said.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use serde_json::{Number, Value, json};
use tokio::sync::Semaphore;

use super::listen::listen;
use super::reply::Reply;
use super::tools::Tools;
use super::trouble::{Trouble, retry_after_ms};
use crate::client::{Patience, Stream, Streams};
use crate::config;
use crate::dialect::sessions::Step;
use crate::limits::{
    OPENAI_BACKOFF_MS, OPENAI_BACKOFF_MS_MAX, OPENAI_LOG_BYTES_MAX, OPENAI_TOLD_MS, OPENAI_WHOLE_BYTES_MAX,
};
use crate::respond::words::beginning;
use crate::respond::{Failure, Job, Sink};

/// A model, and how it is asked.
#[derive(Clone)]
pub struct Model {
    streams: Streams,
    name: String,
    key: Option<Key>,
    temperature: Option<Number>,
    max_tokens: usize,
    retries: usize,
    /// For requests at the same time.
    places: Arc<Semaphore>,
}

#[derive(Clone)]
struct Key {
    header: HeaderValue,
    /// To be found in what the other side says.
    text: Arc<str>,
}

impl Key {
    fn new(text: &str) -> anyhow::Result<Self> {
        let header = HeaderValue::from_str(&format!("Bearer {text}"));
        let mut header = header.context("openai: the key has characters that no key has")?;
        header.set_sensitive(true);
        Ok(Self { header, text: text.into() })
    }
}

impl Model {
    /// As configured.
    ///
    /// # Errors
    /// The URL cannot be asked, there are no certificates to check its server by, or the key cannot be sent.
    pub fn new(settings: &config::OpenAi, key: Option<&str>) -> anyhow::Result<Self> {
        let patience = Patience {
            connect: settings.connect_seconds,
            head: settings.first_seconds,
            piece: settings.stall_seconds,
        };
        let url = format!("{}/chat/completions", settings.url.trim_end_matches('/'));
        Ok(Self {
            streams: Streams::new(&url, patience).context("openai.url")?,
            name: settings.model.clone(),
            key: key.map(Key::new).transpose()?,
            temperature: serde_json::from_str(&settings.temperature).ok(),
            max_tokens: settings.max_tokens,
            retries: settings.retries,
            places: Arc::new(Semaphore::new(settings.requests)),
        })
    }

    /// Another model that is asked in the same way, and with the same bound on requests.
    pub fn named(&self, name: &str) -> Self {
        Self { name: name.into(), ..self.clone() }
    }

    /// What the model answers. Its text has been said when this is there.
    ///
    /// # Errors
    /// There is no answer, or only a part of one.
    pub async fn ask(
        &self,
        messages: &[Value],
        tools: &Tools,
        may_call: bool,
        job: &Job,
        sink: &Sink,
    ) -> Result<Reply, Failure> {
        let body = Bytes::from(self.body(messages, tools, may_call));
        let said_before = sink.tokens();
        let mut attempt = 0;
        loop {
            let trouble = match self.once(body.clone(), sink).await {
                Ok(reply) => return Ok(reply),
                Err(Trouble::Reader(failure)) => return Err(failure),
                Err(trouble) => trouble,
            };
            let wait_ms = trouble.retry_after_ms().unwrap_or_else(|| backoff_ms(attempt));
            let is_in_time = sink.now().millis().saturating_add(wait_ms) < job.deadline_ms;
            let is_unsaid = sink.tokens() == said_before;
            let again = trouble.may_pass() && attempt < self.retries && is_in_time && is_unsaid;
            self.log(&trouble, job, again);
            if !again {
                return Err(trouble.failure(wait_ms));
            }
            wait(wait_ms, sink).await?;
            attempt += 1;
        }
    }

    async fn once(&self, body: Bytes, sink: &Sink) -> Result<Reply, Trouble> {
        // The semaphore is never closed, and a request without a place would only be one too many.
        let _place = self.places.acquire().await.ok();
        let mut stream = self.streams.open(self.request(body)?).await?;
        match stream.status().is_success() {
            true => listen(&mut stream, sink).await,
            false => Err(refused(&mut stream, sink.now().unix_ms).await),
        }
    }

    fn body(&self, messages: &[Value], tools: &Tools, may_call: bool) -> Vec<u8> {
        let mut body = json!({"model": self.name, "messages": messages, "stream": true});
        if let Some(temperature) = &self.temperature {
            body["temperature"] = temperature.clone().into();
        }
        if self.max_tokens > 0 {
            body["max_tokens"] = self.max_tokens.into();
        }
        if !tools.is_empty() {
            body["tools"] = tools.offered();
        }
        if !tools.is_empty() && !may_call {
            body["tool_choice"] = "none".into();
        }
        body.to_string().into_bytes()
    }

    fn request(&self, body: Bytes) -> Result<Request<Full<Bytes>>, Trouble> {
        let agent = concat!("millrace/", env!("CARGO_PKG_VERSION"));
        let request = Request::post("/").header(CONTENT_TYPE, "application/json");
        let request = request.header(ACCEPT, "text/event-stream").header(USER_AGENT, agent);
        let mut request = request
            .body(Full::new(body))
            .map_err(|error| Trouble::Malformed(format!("the request cannot be made: {error}")))?;
        if let Some(key) = &self.key {
            request.headers_mut().insert(AUTHORIZATION, key.header.clone());
        }
        Ok(request)
    }

    fn log(&self, trouble: &Trouble, job: &Job, again: bool) {
        let mut why = trouble.to_string();
        if let Some(key) = &self.key {
            why = why.replace(&*key.text, "[key]");
        }
        let (why, session, model) = (beginning(&why, OPENAI_LOG_BYTES_MAX), &*job.session, &*self.name);
        match (trouble.is_operators(), again) {
            (true, _) => tracing::error!(
                why,
                session,
                model,
                has_key = self.key.is_some(),
                "the model cannot be asked; look at openai.url, openai.model and the key"
            ),
            (false, true) => tracing::warn!(why, session, model, "the model is asked again"),
            (false, false) => tracing::warn!(why, session, model, "the model gives no answer"),
        }
    }
}

/// Why there is no answer, as the other side says it.
async fn refused(stream: &mut Stream, now_unix_ms: u64) -> Trouble {
    let (status, retry_after_ms) = (stream.status().as_u16(), retry_after_ms(stream.headers(), now_unix_ms));
    let body = stream.rest(OPENAI_WHOLE_BYTES_MAX).await.unwrap_or_default();
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let said = json["error"]["message"].as_str().or(json["error"].as_str()).map(str::to_owned);
    let said = said.unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
    Trouble::Refused { status, said, retry_after_ms }
}

/// Waits before a request is made again. Readers are told when that takes longer than a moment.
async fn wait(wait_ms: u64, sink: &Sink) -> Result<(), Failure> {
    if wait_ms >= OPENAI_TOLD_MS {
        let seconds = wait_ms.div_ceil(1000);
        let said = format!("The model is busy; it is asked again in {seconds} s...");
        sink.say(Step::Progress("waiting".into(), said)).await?;
    }
    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    Ok(())
}

/// Twice as long each time, and between half of that and all of it, so that questions that failed together do not return together.
fn backoff_ms(attempt: usize) -> u64 {
    let whole = (OPENAI_BACKOFF_MS << attempt.min(16)).min(OPENAI_BACKOFF_MS_MAX);
    whole / 2 + RandomState::new().hash_one(attempt) % (whole / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_bound() {
        for attempt in 0..40 {
            let whole = (OPENAI_BACKOFF_MS << attempt.min(16)).min(OPENAI_BACKOFF_MS_MAX);
            assert!((whole / 2..=whole).contains(&backoff_ms(attempt)));
        }
        assert_eq!(backoff_ms(40).max(OPENAI_BACKOFF_MS_MAX), OPENAI_BACKOFF_MS_MAX);
    }
}
