//! Requests with an answer: what there is, and publishing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::protocol::{Call, Fault, Reply};
use super::session::{PREFIX, session_of};
use super::{request, topic_of};
use crate::auth::{Action, Identity};
use crate::engine::name::Pattern;
use crate::engine::{Misfit, Topic};
use crate::json::envelope::{Invalid, parse_raw};
use crate::limits::PAGE_EVENTS_MAX;

/// Sessions of an answer, where nothing else is asked for.
const PAGE_SESSIONS: usize = 100;

/// What `GET /api/websocket-metrics` answers, in the order of the document.
#[derive(Serialize)]
struct Metrics<'a> {
    active_sessions: usize,
    total_connected_clients: usize,
    total_events_broadcast: u64,
    total_bytes_sent: u64,
    sessions: BTreeMap<&'a str, SessionMetrics>,
}

#[derive(Serialize)]
struct SessionMetrics {
    connected_clients: usize,
    total_events_sent: u64,
    total_bytes_sent: u64,
    uptime_seconds: u64,
}

fn answer(json: &impl Serialize) -> Result<Reply, Fault> {
    let text = serde_json::to_vec(json).map_err(|error| Fault::new(500, "internal", error.to_string()))?;
    Ok(Reply::Json(200, text))
}

/// Sessions with clients that the asker may read, with how many.
fn clients(call: &Call<'_>, identity: &Identity) -> BTreeMap<String, usize> {
    let sessions = call.node.counts.list("events:").into_iter();
    sessions.filter(|(session, _)| may_read(identity, session)).collect()
}

fn may_read(identity: &Identity, session: &str) -> bool {
    topic_of(session).is_ok_and(|topic| identity.may(Action::Subscribe, &topic))
}

/// The topics of sessions that the asker may read.
fn topics(call: &Call<'_>, identity: &Identity) -> Vec<Arc<Topic>> {
    let all = Pattern::parse("events.**").map(|all| call.node.registry.matching(&all));
    let mut topics = all.unwrap_or_default();
    topics.retain(|topic| identity.may(Action::Subscribe, topic.name()));
    topics
}

/// `GET /api/websocket-metrics`, as the document has it. Sums are those of the sessions there are.
pub fn metrics(call: &Call<'_>) -> Result<Reply, Fault> {
    let identity = call.identity()?;
    let clients = clients(call, identity);
    let sent = topics(call, identity).iter().map(|topic| topic.traffic.sent_so_far()).fold((0, 0), plus);
    let shown = clients.iter().take(PAGE_EVENTS_MAX);
    let sessions = shown.map(|(session, count)| (session.as_str(), session_metrics(call, session, *count)));
    answer(&Metrics {
        active_sessions: clients.len(),
        total_connected_clients: clients.values().sum(),
        total_events_broadcast: sent.0,
        total_bytes_sent: sent.1,
        sessions: sessions.collect(),
    })
}

fn plus(sum: (u64, u64), more: (u64, u64)) -> (u64, u64) {
    (sum.0 + more.0, sum.1 + more.1)
}

fn session_metrics(call: &Call<'_>, session: &str, clients: usize) -> SessionMetrics {
    let topic = topic_of(session).ok().and_then(|topic| call.node.registry.find(&topic));
    let (events, bytes) = topic.as_ref().map_or((0, 0), |topic| topic.traffic.sent_so_far());
    let now_ms = call.node.now.millis();
    let age_ms = topic.map_or(0, |topic| now_ms.saturating_sub(topic.created_ms()));
    SessionMetrics {
        connected_clients: clients,
        total_events_sent: events,
        total_bytes_sent: bytes,
        uptime_seconds: age_ms / 1000,
    }
}

/// `GET /api/status`.
pub fn status(call: &Call<'_>) -> Result<Reply, Fault> {
    let clients = clients(call, call.identity()?);
    answer(&json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": call.node.now.millis() / 1000,
        "active_sessions": clients.len(),
        "total_connected_clients": clients.values().sum::<usize>(),
    }))
}

/// `GET /api/sessions`: those that are kept, by name, a page at a time.
pub fn sessions(call: &Call<'_>) -> Result<Reply, Fault> {
    let identity = call.identity()?;
    let limit = request::number(call.query, "limit", &(1..=PAGE_EVENTS_MAX));
    let limit = limit.map_err(|why| Fault::new(400, "invalid_parameter", why))?.unwrap_or(PAGE_SESSIONS);
    let after =
        call.parameter("after").map(topic_of).transpose().map_err(|error| Fault::bad("after", error))?;
    let readable = |topic: &str| identity.may(Action::Subscribe, topic);
    let after = after.as_deref().unwrap_or_default();
    let page = call.node.registry.list_where(PREFIX, after, limit, readable);
    let sessions: Vec<_> = page.iter().filter_map(|topic| session_entry(call, topic)).collect();
    let next = page.last().filter(|_| page.len() == limit).and_then(|topic| session_of(topic.name()));
    answer(&json!({"count": sessions.len(), "sessions": sessions, "next": next}))
}

fn session_entry(call: &Call<'_>, topic: &Topic) -> Option<serde_json::Value> {
    let session = session_of(topic.name())?;
    Some(json!({
        "session_id": session,
        "connected_clients": call.node.counts.count(&super::place_of(&session)),
        "events": topic.head(),
        "events_kept": topic.head() + 1 - topic.oldest(),
        "uptime_seconds": call.node.now.millis().saturating_sub(topic.created_ms()) / 1000,
    }))
}

/// `POST /api/sessions/{id}/events`.
pub fn publish(session: &str) -> Result<Reply, Fault> {
    topic_of(session).map(Reply::Publish).map_err(|error| Fault::bad("session", error))
}

#[derive(Deserialize)]
struct Named {
    session_id: String,
}

/// `POST /api/events`: the event names its session.
pub fn publish_named(call: &Call<'_>) -> Result<Reply, Fault> {
    call.identity()?;
    let Some(body) = call.body else { return Ok(Reply::NeedBody) };
    session_named(body).map(Reply::Publish).inspect_err(|_| call.node.publisher.refused(1))
}

/// The topic of the session that an event names.
fn session_named(event: &[u8]) -> Result<String, Fault> {
    let malformed = |error: Invalid| Fault::new(400, "invalid_event", error.to_string());
    let wrong = |problem: String| Fault::from(Misfit { field: "session_id".into(), problem });
    let event = parse_raw(event).map_err(malformed)?.data;
    let named: Named = serde_json::from_str(event)
        .map_err(|_| wrong("is required: a string, in an object that is the event".into()))?;
    topic_of(&named.session_id).map_err(|error| wrong(error.to_string()))
}
