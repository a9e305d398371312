//! Answers that are wanted whole: a deadline for the exchange, and a bound on the answer.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};

use super::address::Address;
use super::exchange::Exchange;

/// Makes requests of one kind to one address.
pub struct Client {
    address: Address,
    timeout: Duration,
    answer_bytes: usize,
}

impl Client {
    /// For requests to `url`, which must be answered within `timeout` and `answer_bytes`.
    ///
    /// # Errors
    /// No URL, or no certificates to check its server by.
    pub fn new(url: &str, timeout: Duration, answer_bytes: usize) -> anyhow::Result<Self> {
        Ok(Self { address: Address::new(url)?, timeout, answer_bytes })
    }

    /// Makes a request; redirects are not followed.
    ///
    /// # Errors
    /// No answer in time, or one that is too large.
    pub async fn send(&self, mut request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        self.address.direct(&mut request)?;
        let exchange = tokio::time::timeout(self.timeout, self.exchange(request)).await;
        exchange.with_context(|| format!("no answer within {:?}", self.timeout))?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut exchange = Exchange::begin(self.address.connect().await?, request).await?;
        Ok((exchange.status, exchange.rest(self.answer_bytes).await?))
    }
}
