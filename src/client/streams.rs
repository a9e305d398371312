//! Answers that come piece by piece, for as long as they come.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Request, StatusCode};
use tokio::time::timeout;

use super::Trouble;
use super::address::Address;
use super::exchange::Exchange;

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection, with TLS where it is wanted.
    pub connect: Duration,
    /// From the request to the head of the answer.
    pub head: Duration,
    /// For each piece of the answer.
    pub piece: Duration,
}

/// Makes requests to one address.
#[derive(Clone)]
pub struct Streams {
    address: Address,
    patience: Patience,
}

/// An answer under way. Holds what the connection has read ahead, at most
/// [`CLIENT_BUFFER_BYTES_MAX`](crate::limits::CLIENT_BUFFER_BYTES_MAX); dropping it closes the connection.
pub struct Stream {
    exchange: Exchange,
    patience: Duration,
}

impl Streams {
    /// For requests to `url`.
    ///
    /// # Errors
    /// No URL, or no certificates to check its server by.
    pub fn new(url: &str, patience: Patience) -> anyhow::Result<Self> {
        Ok(Self { address: Address::new(url)?, patience })
    }

    /// Makes a request and waits for the head of its answer; redirects are not followed.
    ///
    /// # Errors
    /// There is none.
    pub async fn open(&self, mut request: Request<Full<Bytes>>) -> Result<Stream, Trouble> {
        let refused = |error: anyhow::Error| Trouble::Connect(error.to_string());
        self.address.direct(&mut request).map_err(refused)?;
        let socket = within(self.patience.connect, self.address.connect()).await?;
        let exchange = within(self.patience.head, Exchange::begin(socket, request)).await?;
        Ok(Stream { exchange, patience: self.patience.piece })
    }
}

impl Stream {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.exchange.status
    }

    /// The headers of the answer.
    pub fn headers(&self) -> &HeaderMap {
        &self.exchange.headers
    }

    /// The next piece of the body; `None` at its end. May be given up and called again.
    ///
    /// # Errors
    /// None came in time, or the connection has ended before the body has.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Trouble> {
        within(self.patience, self.exchange.piece()).await
    }

    /// What is left of the body, for which there is as much time as for a piece.
    ///
    /// # Errors
    /// As [`Self::piece`], or it is longer than `bytes_max`.
    pub async fn rest(&mut self, bytes_max: usize) -> Result<Bytes, Trouble> {
        within(self.patience, self.exchange.rest(bytes_max)).await
    }
}

async fn within<T>(limit: Duration, wanted: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout(limit, wanted).await.unwrap_or(Err(Trouble::Late(limit)))
}
