//! Requests that become streams: what they ask for, and the head of the response.

use std::sync::Arc;

use hyper::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};

use super::answer::{Answer, Fault};
use super::node::Node;
use super::query;
use super::routes::Call;
use super::takeover::Takeover;
use crate::auth::{Action, subprotocol};
use crate::delivery::{Consulted, Leases};
use crate::dialect::echo::Echo;
use crate::dialect::refuse::Refuse;
use crate::dialect::topics::{Multiplex, MultiplexSse, Publisher, Reader, parse_reader, parse_sse};
use crate::dialect::{Dialect, Refusal, Start, Transport, protocol};
use crate::engine::name::{Pattern, validate_readable};
use crate::engine::{Lease, Topic, TopicError};
use crate::ingest::publisher::check_name;
use crate::metrics::Limit;
use crate::wire::websocket;

/// Whether a read of one topic is a stream.
pub fn is_stream(call: &Call) -> bool {
    call.is_upgrade() || call.accepts("text/event-stream") || call.accepts("application/x-ndjson")
}

/// One topic or pattern, over any transport.
pub fn read(node: &Node, call: &Call, topic: &str) -> Result<Answer, Fault> {
    check_readable(topic)?;
    call.check(Action::Subscribe, topic)?;
    let wanted = parse_reader(topic, &call.query, query::header(&call.headers, "last-event-id"))?;
    if wanted.start != Start::Now {
        call.check(Action::History, topic)?;
    }
    check_room(node, topic)?;
    let (transport, head) = begin(node, call)?;
    stream(node, call, (transport, head), Box::new(Reader::new(transport, wanted)))
}

/// Many topics over a WebSocket.
pub fn multiplex(node: &Node, call: &Call) -> Result<Answer, Fault> {
    let (transport, head) = upgrade(node, call)?;
    stream(node, call, (transport, head), Box::new(Multiplex::new(transport)))
}

/// Many topics over SSE.
pub fn multiplex_sse(node: &Node, call: &Call) -> Result<Answer, Fault> {
    let (wanted, positions) = parse_sse(&call.query, query::header(&call.headers, "last-event-id"))?;
    for wanted in &wanted {
        check_readable(&wanted.topic)?;
        call.check(Action::Subscribe, &wanted.topic)?;
    }
    let (transport, head) = event_stream(call);
    stream(node, call, (transport, head), Box::new(MultiplexSse::new(transport, wanted, positions)))
}

/// Publishing over a WebSocket.
pub fn publish(node: &Node, call: &Call) -> Result<Answer, Fault> {
    let topic = query::find(&call.query, "topic");
    if let Some(topic) = topic {
        check_name(topic)?;
        call.check(Action::Publish, topic)?;
    }
    let (transport, head) = upgrade(node, call)?;
    stream(node, call, (transport, head), Box::new(Publisher::new(topic)))
}

/// The route for conformance suites.
pub fn echo(node: &Node, call: &Call) -> Result<Answer, Fault> {
    let (transport, head) = upgrade(node, call)?;
    stream(node, call, (transport, head), Box::new(Echo))
}

/// A stream, if its user may have one more.
///
/// # Errors
/// The user may not.
pub fn stream(
    node: &Node,
    call: &Call,
    opened: (Transport, Vec<u8>),
    dialect: Box<dyn Dialect>,
) -> Result<Answer, Fault> {
    let user = node.admission.seat(&call.identity)?;
    Ok(seated(call, opened, dialect, user))
}

/// A stream whose user has `user` as its place, if it needs one.
pub fn seated(
    call: &Call,
    (transport, head): (Transport, Vec<u8>),
    dialect: Box<dyn Dialect>,
    user: Option<Lease>,
) -> Answer {
    let identity = Arc::clone(&call.identity);
    tracing::debug!(user = identity.name, address = ?call.address, ?transport, "a stream begins");
    let leases = Leases::of_user(user);
    Answer::Stream(Box::new(Takeover {
        dialect,
        transport,
        head,
        identity,
        leases,
        consulted: Consulted { caller: call.caller.clone(), ..Consulted::default() },
        refuse: Refuse::Http,
    }))
}

/// Whether one more may read a topic; asked before the head is written, and again, without a race, when reading begins.
fn check_room(node: &Node, topic: &str) -> Result<(), Fault> {
    let limit = node.config.limits.connections_per_topic;
    let full = |topic: Arc<Topic>| limit > 0 && topic.subscribers() >= limit;
    if !node.registry.find(topic).is_some_and(full) {
        return Ok(());
    }
    node.limits.of(Limit::ConnectionsPerTopic).add(1);
    let refusal = Refusal::TopicFull;
    let wait_ms = refusal.retry_after_ms().unwrap_or_default();
    let fault =
        protocol::Fault { code: refusal.code(), ..protocol::Fault::limited(refusal.to_string(), wait_ms) };
    Err(fault.into())
}

/// A name that can be read, or a pattern.
pub fn check_readable(topic: &str) -> Result<(), TopicError> {
    let checked =
        if topic.contains('*') { Pattern::parse(topic).map(drop) } else { validate_readable(topic) };
    Ok(checked?)
}

fn begin(node: &Node, call: &Call) -> Result<(Transport, Vec<u8>), Fault> {
    if call.is_upgrade() {
        upgrade(node, call)
    } else if call.accepts("text/event-stream") {
        Ok(event_stream(call))
    } else {
        Ok(lines(call))
    }
}

/// Checks a WebSocket handshake and writes its answer (RFC 6455 section 4.2).
pub fn upgrade(node: &Node, call: &Call) -> Result<(Transport, Vec<u8>), Fault> {
    if !call.is_upgrade() {
        return Err(Fault::Bad(
            "upgrade_required",
            "this path speaks WebSocket: send Upgrade: websocket".into(),
        ));
    }
    let bad = |what: &str| Fault::Bad("bad_handshake", what.into());
    if query::header(&call.headers, "sec-websocket-version") != Some("13") {
        return Err(bad("Sec-WebSocket-Version must be 13"));
    }
    let key = call.headers.get("sec-websocket-key").map(|key| key.as_bytes()).unwrap_or_default();
    if !websocket::is_valid_key(key) || !query::lists(&call.headers, "connection", "upgrade") {
        return Err(bad("Sec-WebSocket-Key or Connection: Upgrade is missing or malformed"));
    }
    let offers = call.headers.get_all("sec-websocket-extensions").iter().map(HeaderValue::as_bytes);
    let deflate = if node.config.delivery.deflate { websocket::negotiate(offers) } else { None };
    let mut head = Vec::with_capacity(192);
    let protocols = query::all(&call.headers, SEC_WEBSOCKET_PROTOCOL);
    websocket::write_switching_protocols(&mut head, key, deflate, subprotocol(&protocols));
    Ok((if deflate.is_some() { Transport::Deflate } else { Transport::WebSocket }, head))
}

pub fn event_stream(call: &Call) -> (Transport, Vec<u8>) {
    let transport = if call.chunks { Transport::SseChunked } else { Transport::Sse };
    (transport, stream_head(call, "text/event-stream"))
}

fn lines(call: &Call) -> (Transport, Vec<u8>) {
    let transport = if call.chunks { Transport::LinesChunked } else { Transport::Lines };
    (transport, stream_head(call, "application/x-ndjson"))
}

/// A stream's head. Proxies must neither buffer nor cache it, and nothing can follow it on its connection.
fn stream_head(call: &Call, content_type: &str) -> Vec<u8> {
    let (version, framing) = match call.chunks {
        true => ("1.1", "transfer-encoding: chunked\r\n"),
        false => ("1.0", ""),
    };
    format!(
        "HTTP/{version} 200 OK\r\ncontent-type: {content_type}\r\ncache-control: no-store\r\nx-accel-buffering: no\r\n{framing}connection: close\r\n\r\n"
    )
    .into_bytes()
}
