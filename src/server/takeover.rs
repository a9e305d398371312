//! One connection while it speaks HTTP, and the moment when its socket is taken away from hyper.
//!
//! The service never answers a request for a stream: it leaves a [`Takeover`] and stays pending. The task,
//! which polls hyper, finds it right after the poll, and dismantles the connection. Nothing of a response has
//! been written then, earlier responses are flushed, and hyper's read buffer holds what followed the request.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;

use super::accept::{self, Accepted};
use super::admission::Full;
use super::answer::{Answer, Fault};
use super::body::Body;
use super::node::Node;
use super::patient::Patient;
use super::proxies::{self, Peer};
use super::routes;
use super::socket::{Ahead, Reclaim};
use crate::auth::Identity;
use crate::delivery::{Consulted, Handoff, Leases};
use crate::dialect::refuse::Refuse;
use crate::dialect::{Dialect, Transport, protocol};
use crate::engine::Lease;
use crate::metrics::{Limit, LimitMetrics};

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
    /// Its places under limits besides those of its connection.
    pub leases: Leases,
    /// What others were asked about it.
    pub consulted: Consulted,
    /// How its client is told, if they refuse it.
    pub refuse: Refuse,
}

/// Serves one connection until it ends or becomes a stream.
pub async fn serve(
    node: Arc<Node>,
    (socket, peer): (Accepted, Peer),
    leases: Leases,
    draining: watch::Receiver<bool>,
) {
    match socket {
        Accepted::Tcp(socket) => serve_socket(&node, (socket, peer), leases, draining).await,
        Accepted::Unix(socket) => serve_socket(&node, (socket, peer), leases, draining).await,
    }
}

async fn serve_socket<S: Reclaim>(
    node: &Arc<Node>,
    (socket, peer): (S, Peer),
    mut leases: Leases,
    draining: watch::Receiver<bool>,
) {
    let Some((socket, peer)) = meet(node, socket, peer, &mut leases).await else { return };
    let Some((takeover, socket, read)) = http(node, socket, peer, draining).await else { return };
    let Takeover { dialect, transport, head, identity, leases: more, consulted, .. } = takeover;
    leases.become_stream(more);
    let (socket, unread) = socket.into_parts();
    let read_ahead = if unread.is_empty() { read } else { [read, unread].concat().into() };
    match socket.reclaim() {
        Ok(socket) => {
            let handoff =
                Handoff { socket, dialect, transport, head, read_ahead, identity, leases, consulted };
            node.shards.hand_over(Box::new(handoff));
        }
        Err(error) => tracing::warn!(%error, "a socket could not be taken over"),
    }
}

/// Lets a proxy say whom it connects, and that one in; `None` when the connection has ended with that.
async fn meet<S: Reclaim>(
    node: &Node,
    mut socket: S,
    peer: Peer,
    leases: &mut Leases,
) -> Option<(Ahead<S>, Peer)> {
    if !node.proxies.announces(peer) {
        return Some((Ahead::new(socket, Vec::new()), peer));
    }
    let limit = node.config.limits.header_seconds;
    let said = match tokio::time::timeout(limit, proxies::read_header(&mut socket)).await {
        Ok(Ok(said)) => said,
        failed => {
            let why = failed.map_or_else(|late| late.to_string(), |ended| format!("{:?}", ended.err()));
            node.http_metrics.bad_proxy_headers.add(1);
            tracing::warn!(proxy = ?peer.address, %why, "a proxy sent no PROXY protocol header");
            return None;
        }
    };
    let (address, ahead) = said;
    let client = address.map_or(peer, |address| node.proxies.peer(Some(address)));
    let socket = Ahead::new(socket, ahead);
    match admit(node, client, leases) {
        Ok(()) => Some((socket, client)),
        Err(full) => {
            node.http_metrics.refused_connections.add(1);
            accept::turn_away(socket, full).await;
            None
        }
    }
}

/// Counts a client that a proxy has connected.
fn admit(node: &Node, client: Peer, leases: &mut Leases) -> Result<(), Full> {
    let address = client.address.filter(|_| !client.trusted);
    node.admission.connect(address, node.clock.now())?;
    leases.count_address(node.admission.place(address)?);
    Ok(())
}

type Taken<S> = (Takeover, Ahead<S>, bytes::Bytes);

/// Drives hyper until the connection ends (`None`) or one of its requests asks for a stream.
async fn http<S: Reclaim>(
    node: &Arc<Node>,
    socket: Ahead<S>,
    peer: Peer,
    mut draining: watch::Receiver<bool>,
) -> Option<Taken<S>> {
    let left: Slot = Arc::default();
    let service = {
        let (node, left) = (Arc::clone(node), Arc::clone(&left));
        service_fn(move |request| Box::pin(respond(Arc::clone(&node), peer, Arc::clone(&left), request)))
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
            None => ended.map(|ended| {
                count_failure(&node.limits, ended);
                None
            }),
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

/// A head that is too large or too slow is refused by hyper itself.
fn count_failure(limits: &LimitMetrics, ended: hyper::Result<()>) {
    match ended {
        Err(error) if error.is_parse_too_large() => limits.of(Limit::HeaderBytes).add(1),
        Err(error) if error.is_timeout() => limits.of(Limit::HeaderSeconds).add(1),
        _ => {}
    }
}

async fn respond(
    node: Arc<Node>,
    peer: Peer,
    left: Slot,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    node.http_metrics.requests.add(1);
    let client = node.proxies.client(peer, request.headers());
    // Whoever is its own peer was counted when it came.
    let newcomer = client.address.filter(|_| peer.trusted && !client.trusted);
    let connects = routes::asks_for_stream(&request);
    let place = match admit_request(&node, newcomer, connects) {
        Ok(place) => place,
        Err(full) => return Ok(refusal(full)),
    };
    match routes::route(&node, client.address, request).await {
        Answer::Response(response) => Ok(response),
        Answer::Stream(mut takeover) => {
            // One that does not look like a stream from outside.
            if let Err(full) = node.admission.connect(newcomer.filter(|_| !connects), node.clock.now()) {
                return Ok(refusal(full));
            }
            takeover.leases.count_address(place);
            *crate::sync::lock(&left) = Some(*takeover);
            pending().await
        }
    }
}

/// Counts a request of a client that comes through a proxy, before anything is done for it; one for a stream is a connection
/// that it opens.
fn admit_request(node: &Node, newcomer: Option<IpAddr>, connects: bool) -> Result<Option<Lease>, Full> {
    node.admission.connect(newcomer.filter(|_| connects), node.clock.now())?;
    node.admission.place(newcomer)
}

fn refusal(full: Full) -> Response<Body> {
    Fault::from(protocol::Fault::from(full)).response()
}
