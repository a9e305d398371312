//! Keys of tokens that are fetched: at the start, every so often, and when a token names one that is not known. While they
//! cannot be fetched the old ones stay.

use std::time::Duration;

use anyhow::bail;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, HeaderValue};
use hyper::{Request, StatusCode};
use tokio::sync::Mutex;

use crate::auth::jwt::{Allowed, Tokens, allowed, key_set};
use crate::client::Client;
use crate::config::Jwt;
use crate::delivery::Clock;
use crate::limits::{JWKS_BYTES_MAX, JWKS_TIMEOUT_MS};
use crate::metrics::AuthMetrics;

/// Fetches keys.
pub struct Jwks {
    client: Client,
    allowed: Allowed,
    refresh: Duration,
    retry: Duration,
    clock: Clock,
    last: Mutex<Last>,
}

/// The last fetch.
#[derive(Default)]
struct Last {
    /// When it began, monotonic milliseconds; `None` before the first.
    began_ms: Option<u64>,
    failed: bool,
    /// What came last, so that verified tokens need not be forgotten when nothing has changed.
    body: Bytes,
}

impl Jwks {
    /// As a configuration says; `None` when it fetches none.
    ///
    /// # Errors
    /// No URL, or no certificates to check its server by.
    pub fn new(jwt: &Jwt, clock: Clock) -> anyhow::Result<Option<Self>> {
        if jwt.jwks_url.is_empty() {
            return Ok(None);
        }
        let client = Client::new(&jwt.jwks_url, Duration::from_millis(JWKS_TIMEOUT_MS), JWKS_BYTES_MAX)?;
        Ok(Some(Self {
            client,
            allowed: allowed(&jwt.algorithms),
            refresh: jwt.jwks_refresh_seconds,
            retry: jwt.jwks_retry_seconds,
            clock,
            last: Mutex::default(),
        }))
    }

    /// Fetches for ever.
    pub async fn keep_fresh(&self, tokens: &Tokens, metrics: &AuthMetrics) {
        let soon = self.retry.min(self.refresh);
        loop {
            let fetched = self.fetch_unless_done(soon, tokens, metrics).await;
            tokio::time::sleep(if fetched { self.refresh } else { soon }).await;
        }
    }

    /// Fetches because a token names a key that is not known, unless somebody just did; whether the keys are the newest now.
    /// Many who ask at the same time wait for one fetch.
    pub async fn look_again(&self, tokens: &Tokens, metrics: &AuthMetrics) -> bool {
        self.fetch_unless_done(self.retry, tokens, metrics).await
    }

    async fn fetch_unless_done(&self, within: Duration, tokens: &Tokens, metrics: &AuthMetrics) -> bool {
        let mut last = self.last.lock().await;
        let now_ms = self.clock.now().millis();
        let within_ms = within.as_millis() as u64;
        if last.began_ms.is_some_and(|began| now_ms.saturating_sub(began) < within_ms) {
            return !last.failed;
        }
        last.began_ms = Some(now_ms);
        let fetched = self.fetch(tokens, &mut last.body).await;
        last.failed = fetched.is_err();
        match fetched {
            Ok(()) => metrics.jwks_fetched.add(1),
            Err(error) => {
                metrics.jwks_failed.add(1);
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the keys of tokens cannot be fetched; the old ones stay"
                );
            }
        }
        !last.failed
    }

    async fn fetch(&self, tokens: &Tokens, known: &mut Bytes) -> anyhow::Result<()> {
        let mut request = Request::new(Full::default());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let (status, body) = self.client.send(request).await?;
        if status != StatusCode::OK {
            bail!("the answer is {status}");
        }
        if body != *known {
            let keys = key_set(&body, &self.allowed, false)?;
            tracing::info!(keys = keys.len(), "keys of tokens fetched");
            tokens.replace_fetched(keys);
            *known = body;
        }
        Ok(())
    }
}
