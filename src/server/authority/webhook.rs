//! The backend that is asked whether a stream may begin and topics may be read. It can only refuse what grants allow. Whatever
//! is not a clear yes is a no: no answer in time, an answer that cannot be understood, too many questions at once.

use anyhow::{Context, bail};
use aws_lc_rs::hmac;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::keys;
use crate::auth::{AuthError, Caller, Hash, Identity, Permits, Remembered};
use crate::client::Client;
use crate::config::{self, Asked};
use crate::delivery::Clock;
use crate::json::time;
use crate::limits::{
    WEBHOOK_ANSWER_BYTES_MAX, WEBHOOK_ANSWERS_REMEMBERED, WEBHOOK_QUIET_MS, WEBHOOK_REQUESTS_MAX,
};
use crate::metrics::AuthMetrics;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// Asks.
pub struct Webhook {
    client: Client,
    key: Option<hmac::Key>,
    settings: config::Webhook,
    clock: Clock,
    /// Answers, and until when they hold (monotonic milliseconds).
    known: Mutex<Remembered<(bool, u64)>>,
    places: Semaphore,
    /// When a failure may be logged again, monotonic milliseconds: an outage is told once a second, not once for each client.
    quiet_until_ms: AtomicU64,
}

/// Who is asked about.
#[derive(Clone, Copy)]
pub struct About<'a> {
    /// Who it is.
    pub identity: &'a Identity,
    /// Where it comes from.
    pub caller: Option<&'a Caller>,
}

/// What the backend says: for all that it was asked about, or the topics that may be read.
#[derive(Deserialize)]
#[serde(untagged)]
enum Allow {
    All(bool),
    These(Vec<String>),
}

#[derive(Deserialize)]
struct Answer {
    allow: Allow,
}

impl Webhook {
    /// As a configuration says; `None` when nobody is asked.
    ///
    /// # Errors
    /// No URL, no certificates to check its server by, or a secret that is missing.
    pub fn new(settings: &config::Webhook, clock: Clock) -> anyhow::Result<Option<Self>> {
        if settings.url.is_empty() {
            return Ok(None);
        }
        let secrets = keys::secrets("webhook", &settings.secret_env, &settings.secret_file)?;
        if secrets.iter().any(Vec::is_empty) {
            bail!("webhook: the secret is empty");
        }
        Ok(Some(Self {
            client: Client::new(&settings.url, settings.timeout_ms, WEBHOOK_ANSWER_BYTES_MAX)?,
            key: secrets.first().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret)),
            settings: settings.clone(),
            clock,
            known: Mutex::new(Remembered::new(WEBHOOK_ANSWERS_REMEMBERED)),
            places: Semaphore::new(WEBHOOK_REQUESTS_MAX),
            quiet_until_ms: AtomicU64::new(0),
        }))
    }

    /// Whether it is asked about `what`.
    pub fn is_asked(&self, what: Asked) -> bool {
        self.settings.is_asked(what)
    }

    /// Whether a stream may begin.
    ///
    /// # Errors
    /// It may not, or that cannot be found out.
    pub async fn connect(&self, about: About<'_>, metrics: &AuthMetrics) -> Result<(), AuthError> {
        let hash = hash(Asked::Connect, about, "");
        let allowed = match self.known(&hash) {
            Some(allowed) => allowed,
            None => {
                let answer = self
                    .ask(Asked::Connect, about, &[], metrics)
                    .await
                    .map_err(|_| AuthError::Unavailable)?;
                let allowed = matches!(answer, Allow::All(true));
                self.remember(hash, allowed);
                allowed
            }
        };
        if allowed { Ok(()) } else { Err(AuthError::Denied) }
    }

    /// Which of `topics` may be read, if all that is known already.
    pub fn permits(&self, about: About<'_>, topics: &[String]) -> Option<Permits> {
        let known =
            |topic: &String| Some((topic.clone(), self.known(&hash(Asked::Subscribe, about, topic))?));
        topics.iter().map(known).collect()
    }

    /// Which of `topics` may be read; none of those that nothing can be found out about.
    pub async fn subscribe(&self, about: About<'_>, topics: Vec<String>, metrics: &AuthMetrics) -> Permits {
        let hashes: Vec<Hash> = topics.iter().map(|topic| hash(Asked::Subscribe, about, topic)).collect();
        let known: Vec<Option<bool>> = hashes.iter().map(|hash| self.known(hash)).collect();
        let unknown = topics.iter().zip(&known).filter(|(_, known)| known.is_none());
        let unknown: Vec<&str> = unknown.map(|(topic, _)| topic.as_str()).collect();
        let answer = match unknown.is_empty() {
            true => None,
            false => self.ask(Asked::Subscribe, about, &unknown, metrics).await.ok(),
        };
        let each = topics.into_iter().zip(hashes).zip(known);
        each.map(|((topic, hash), known)| {
            let said = answer.as_ref().map(|answer| allows(answer, &topic)).filter(|_| known.is_none());
            said.iter().for_each(|allowed| self.remember(hash, *allowed));
            (topic, known.or(said).unwrap_or(false))
        })
        .collect()
    }

    fn known(&self, hash: &Hash) -> Option<bool> {
        let (allowed, until_ms) = lock(&self.known).get(hash)?;
        (self.clock.now().millis() < until_ms).then_some(allowed)
    }

    fn remember(&self, hash: Hash, allowed: bool) {
        let span_ms = self.settings.cache_seconds.as_millis() as u64;
        if span_ms > 0 {
            lock(&self.known).insert(hash, (allowed, self.clock.now().millis() + span_ms));
        }
    }

    async fn ask(
        &self,
        what: Asked,
        about: About<'_>,
        topics: &[&str],
        metrics: &AuthMetrics,
    ) -> anyhow::Result<Allow> {
        let answer = tokio::time::timeout(self.settings.timeout_ms, self.exchange(what, about, topics)).await;
        let answer = answer.context("no answer in time").and_then(|answer| answer);
        match &answer {
            Ok(answer) if allows_any(answer, topics) => metrics.webhook_allowed.add(1),
            Ok(_) => metrics.webhook_denied.add(1),
            Err(error) => {
                metrics.webhook_failed.add(1);
                self.complain(what, error);
            }
        }
        answer
    }

    fn complain(&self, what: Asked, error: &anyhow::Error) {
        let now_ms = self.clock.now().millis();
        if self.quiet_until_ms.load(Ordering::Relaxed) <= now_ms {
            self.quiet_until_ms.store(now_ms + WEBHOOK_QUIET_MS, Ordering::Relaxed);
            let error = format!("{error:#}");
            tracing::warn!(error, asked = what.word(), "the webhook gives no answer; the client is refused");
        }
    }

    async fn exchange(&self, what: Asked, about: About<'_>, topics: &[&str]) -> anyhow::Result<Allow> {
        let _place = self.places.acquire().await?;
        let (status, body) = self.client.send(self.request(what, about, topics)?).await?;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Allow::All(false)),
            status if status.is_success() => {
                let answer: Answer = serde_json::from_slice(&body).context("the answer has no `allow`")?;
                Ok(answer.allow)
            }
            status => bail!("the answer is {status}"),
        }
    }

    /// The question, signed where there is a secret: HMAC-SHA256 of the body, which says when it was asked.
    fn request(
        &self,
        what: Asked,
        about: About<'_>,
        topics: &[&str],
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut body = question(what, about);
        let mut now = Vec::new();
        time::write(&mut now, self.clock.now().unix_ms);
        body["topics"] = json!(topics);
        body["time"] = json!(String::from_utf8_lossy(&now));
        let body = body.to_string().into_bytes();
        let mut request = Request::builder().method(Method::POST);
        if let Some(key) = &self.key {
            let tag = hmac::sign(key, &body);
            let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            request = request.header("millrace-signature", format!("sha256={hex}"));
        }
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(request.body(Full::new(body.into()))?)
    }
}

/// Whether anything that was asked about may be: the connection, or one of its topics.
fn allows_any(answer: &Allow, topics: &[&str]) -> bool {
    match topics.is_empty() {
        true => matches!(answer, Allow::All(true)),
        false => topics.iter().any(|topic| allows(answer, topic)),
    }
}

fn allows(answer: &Allow, topic: &str) -> bool {
    match answer {
        Allow::All(allowed) => *allowed,
        Allow::These(topics) => topics.iter().any(|allowed| allowed == topic),
    }
}

fn question(what: Asked, about: About<'_>) -> Value {
    let address = about.caller.and_then(|caller| caller.address).map(|address| address.to_string());
    json!({
        "event": what.word(),
        "user": about.identity.name,
        "role": about.identity.role.name(),
        "address": address,
        "path": about.caller.map(|caller| &*caller.path),
    })
}

/// Equal questions have equal answers.
fn hash(what: Asked, about: About<'_>, topic: &str) -> Hash {
    let mut question = question(what, about);
    question["topic"] = json!(topic);
    Sha256::digest(question.to_string()).into()
}
