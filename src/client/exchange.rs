//! One request and its answer, on a connection of their own. The connection is driven by whoever waits for the next piece:
//! while nobody does, nothing is read, and the other side has to wait too.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;

use super::Trouble;
use super::address::Socket;
use crate::limits::CLIENT_BUFFER_BYTES_MAX;

type Connection = Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>;

/// An answer whose head has come.
pub struct Exchange {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    /// Absent once it has ended; what was read until then may still be taken.
    connection: Option<Connection>,
    /// A connection without one is closed before the answer is there.
    _sender: SendRequest<Full<Bytes>>,
}

fn broken(error: hyper::Error) -> Trouble {
    use std::error::Error;
    // What went wrong stands in the source; the error itself says where.
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    Trouble::Broken(format!("{error}{source}"))
}

impl Exchange {
    /// Sends `request` over `socket` and waits for the head of its answer.
    ///
    /// # Errors
    /// There is none.
    pub async fn begin(socket: Box<dyn Socket>, request: Request<Full<Bytes>>) -> Result<Self, Trouble> {
        let builder = Builder::new().max_buf_size(CLIENT_BUFFER_BYTES_MAX).clone();
        let (mut sender, connection) = builder.handshake(TokioIo::new(socket)).await.map_err(broken)?;
        let mut connection: Option<Connection> = Some(Box::pin(connection));
        let response = {
            let answer = std::pin::pin!(sender.send_request(request));
            driven(&mut connection, answer).await.map_err(broken)?
        };
        let (head, body) = response.into_parts();
        Ok(Self { status: head.status, headers: head.headers, body, connection, _sender: sender })
    }

    /// The next piece of the body; `None` at its end. May be given up and called again.
    ///
    /// # Errors
    /// The connection has ended before the body has.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Trouble> {
        loop {
            let frame = std::pin::pin!(self.body.frame());
            let frame = driven(&mut self.connection, frame).await;
            match frame.transpose().map_err(broken)?.map(|frame| frame.into_data()) {
                None => return Ok(None),
                Some(Ok(piece)) => return Ok(Some(piece)),
                // Trailers.
                Some(Err(_)) => {}
            }
        }
    }

    /// What is left of the body.
    ///
    /// # Errors
    /// It is longer than `bytes_max`, or the connection has ended before it has.
    pub async fn rest(&mut self, bytes_max: usize) -> Result<Bytes, Trouble> {
        let mut rest = BytesMut::new();
        while let Some(piece) = self.piece().await? {
            if rest.len() + piece.len() > bytes_max {
                return Err(Trouble::TooLarge(bytes_max));
            }
            rest.extend_from_slice(&piece);
        }
        Ok(rest.freeze())
    }
}

/// Waits for `wanted`, and drives the connection meanwhile.
async fn driven<T>(connection: &mut Option<Connection>, mut wanted: Pin<&mut impl Future<Output = T>>) -> T {
    if let Some(open) = connection {
        tokio::select! {
            biased;
            there = &mut wanted => return there,
            _ended = open => *connection = None,
        }
    }
    wanted.await
}
