//! One connection while it speaks HTTP, and the moment when its socket is taken away from hyper.
//!
//! The service never answers a request for a stream: it leaves a [`Takeover`] and stays pending. The task,
//! which polls hyper, finds it right after the poll, and dismantles the connection. Nothing of a response has
//! been written then, earlier responses are flushed, and hyper's read buffer holds what followed the request.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;

use super::accept::Accepted;
use super::answer::{Answer, Body};
use super::node::Node;
use super::patient::Patient;
use super::routes;
use super::socket::Reclaim;
use crate::auth::Identity;
use crate::delivery::{Handoff, Leases};
use crate::dialect::{Dialect, Transport};

/// A stream that begins: everything about it but the socket.
pub struct Takeover {
    /// What it speaks.
    pub dialect: Box<dyn Dialect>,
    /// How it is framed.
    pub transport: Transport,
    /// The head of the response.
    pub head: Vec<u8>,
    /// Who it is.
    pub identity: Arc<Identity>,
}

/// Serves one connection until it ends or becomes a stream.
pub async fn serve(node: Arc<Node>, socket: Accepted, leases: Leases, draining: watch::Receiver<bool>) {
    match socket {
        Accepted::Tcp(socket) => serve_socket(&node, socket, leases, draining).await,
        Accepted::Unix(socket) => serve_socket(&node, socket, leases, draining).await,
    }
}

async fn serve_socket(
    node: &Arc<Node>,
    socket: impl Reclaim,
    leases: Leases,
    draining: watch::Receiver<bool>,
) {
    let Some((takeover, socket, read_ahead)) = http(node, socket, draining).await else { return };
    let Takeover { dialect, transport, head, identity } = takeover;
    match socket.reclaim() {
        Ok(socket) => {
            let handoff = Handoff { socket, dialect, transport, head, read_ahead, identity, leases };
            node.shards.hand_over(Box::new(handoff));
        }
        Err(error) => tracing::warn!(%error, "a socket could not be taken over"),
    }
}

type Taken<S> = (Takeover, S, bytes::Bytes);

/// Drives hyper until the connection ends (`None`) or one of its requests asks for a stream.
async fn http<S>(node: &Arc<Node>, socket: S, mut draining: watch::Receiver<bool>) -> Option<Taken<S>>
where
    S: Reclaim,
{
    let left: Slot = Arc::default();
    let service = {
        let (node, left) = (Arc::clone(node), Arc::clone(&left));
        service_fn(move |request| Box::pin(respond(Arc::clone(&node), Arc::clone(&left), request)))
    };
    let limits = &node.config.limits;
    let socket = Patient::new(socket, node.config.timing.write_seconds);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_seconds)
        .max_buf_size(limits.header_bytes.max(8192))
        // While a request is parked hyper would read on to see the peer leave, which registers the socket with
        // the runtime in vain when it becomes a stream. A long-poll whose client left ends with its wait.
        .half_close(true)
        .serve_connection(TokioIo::new(socket), service);
    let mut told = std::pin::pin!(async move {
        // The sender lives as long as the server.
        let _gone = draining.wait_for(|draining| *draining).await;
    });
    let mut asked = false;
    let takeover = poll_fn(|cx| {
        if !asked && told.as_mut().poll(cx).is_ready() {
            asked = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        let ended = connection.poll_without_shutdown(cx);
        match take(&left) {
            Some(takeover) => Poll::Ready(Some(takeover)),
            None => ended.map(|_ended| None),
        }
    })
    .await?;
    let parts = connection.into_parts();
    Some((takeover, parts.io.into_inner().into_inner(), parts.read_buf))
}

type Slot = Arc<crate::sync::Mutex<Option<Takeover>>>;

fn take(slot: &Slot) -> Option<Takeover> {
    crate::sync::lock(slot).take()
}

async fn respond(
    node: Arc<Node>,
    left: Slot,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    node.http_metrics.requests.add(1);
    match routes::route(&node, request).await {
        Answer::Response(response) => Ok(response),
        Answer::Stream(takeover) => {
            *crate::sync::lock(&left) = Some(*takeover);
            pending().await
        }
    }
}
