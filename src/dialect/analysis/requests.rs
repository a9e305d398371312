//! Requests of the protocol: a connection is opened or refused, an event is taken to be published, status and statistics are told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::connection::{Connection, Wanted};
use super::messages::{put, put_number, put_string};
use super::paths::Path;
use super::progress::Progress;
use super::{ALL, PREFIX, Shared, count_name};
use crate::auth::Action;
use crate::dialect::Start;
use crate::dialect::protocol::{Call, Fault, Method, Reply, TOO_MANY};
use crate::dialect::refuse::disconnect;
use crate::engine::TopicError;
use crate::engine::name::validate;
use crate::error::Disconnect;

/// After how long a client that found no place may try again, milliseconds.
const NO_PLACE_MS: u64 = 5000;

/// Answers a request for `path`.
pub(super) fn serve(shared: &Arc<Shared>, path: &Path, call: &Call<'_>) -> Result<Reply, Fault> {
    match (path, call.method) {
        (Path::Stream(id), Method::Get) => stream(shared, id, call),
        (Path::Status(id), Method::Get) => status(id, call),
        (Path::Stats, Method::Get) => stats(shared, call),
        (Path::Events(id), Method::Post) => publish(id, call),
        (Path::Events(_), _) => Err(Fault::method("POST")),
        _ => Err(Fault::method("GET")),
    }
}

fn topic_of(id: &str) -> Result<String, Fault> {
    let topic = format!("{PREFIX}{id}");
    validate(&topic)
        .map_err(|error| Fault::new(400, "invalid_topic", TopicError::from(error).to_string()))?;
    Ok(topic)
}

/// Why a connection is refused: as a close, and as an answer.
type Refused = (Disconnect, Fault);

fn stream(shared: &Arc<Shared>, id: &str, call: &Call<'_>) -> Result<Reply, Fault> {
    match admit(shared, id, call) {
        Ok(wanted) => {
            let shared = Arc::clone(shared);
            Ok(Reply::WebSocket(Box::new(move |transport| {
                Box::new(Connection::new(shared, transport, wanted))
            })))
        }
        Err((why, fault)) => shared.settings.refuse.web_socket(why, None, fault),
    }
}

fn admit(shared: &Shared, id: &str, call: &Call<'_>) -> Result<Wanted, Refused> {
    let topic = topic_of(id).map_err(|fault| (Disconnect::policy("Invalid analysis id"), fault))?;
    let last_sequence = last_sequence(call)?;
    for action in [Action::Subscribe, Action::History].iter().take(1 + usize::from(last_sequence.is_some())) {
        call.allowed(*action, &topic).map_err(|fault| (closing(call), fault))?;
    }
    check_room(shared, id, call)?;
    Ok(Wanted { topic, start: start(last_sequence), last_sequence })
}

fn closing(call: &Call<'_>) -> Disconnect {
    match call.credential {
        Ok(_) => Disconnect::policy("Not allowed"),
        Err(error) => disconnect(*error, "Authentication required"),
    }
}

/// The last event that the client has, where it says so. A number beyond all numbers is one that it cannot have.
fn last_sequence(call: &Call<'_>) -> Result<Option<u64>, Refused> {
    let Some(text) = call.parameter("last_sequence") else { return Ok(None) };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        let fault = Fault::bad("last_sequence", "must be a whole number, not negative");
        return Err((Disconnect::policy("Invalid last_sequence"), fault));
    }
    Ok(Some(text.parse().unwrap_or(u64::MAX)))
}

fn start(last_sequence: Option<u64>) -> Start {
    match last_sequence {
        None => Start::Now,
        Some(0) => Start::Oldest,
        Some(offset) => Start::After { epoch: None, offset },
    }
}

/// Looked at before a place is taken as well, so that those who are refused take none from others while they leave.
fn check_room(shared: &Shared, id: &str, call: &Call<'_>) -> Result<(), Refused> {
    let (settings, counts) = (&shared.settings, call.node.counts);
    let full = |name: &str, limit: usize| limit > 0 && counts.count(name) >= limit;
    let status = if full(ALL, settings.connections_in_all) {
        503
    } else if full(&count_name(id), settings.connections) {
        429
    } else {
        return Ok(());
    };
    let message = "there are as many connections as there may be; try again later";
    let fault = Fault { retry_after_ms: Some(NO_PLACE_MS), ..Fault::new(status, TOO_MANY, message) };
    Err((no_place(), fault))
}

/// The close of a connection that found no place.
pub(super) fn no_place() -> Disconnect {
    Disconnect::policy("Connection limit reached")
}

fn publish(id: &str, call: &Call<'_>) -> Result<Reply, Fault> {
    let topic = topic_of(id)?;
    call.allowed(Action::Publish, &topic)?;
    Ok(Reply::Publish(topic))
}

fn status(id: &str, call: &Call<'_>) -> Result<Reply, Fault> {
    let topic = topic_of(id)?;
    call.allowed(Action::Subscribe, &topic)?;
    let node = call.node;
    let progress = node.publisher.summary(&topic, node.now);
    let kept = node.registry.find(&topic).map_or(0, |topic| topic.head() + 1 - topic.oldest());
    let mut out = Vec::with_capacity(512);
    put_string(&mut out, "{\"analysis_id\":", id);
    put_number(&mut out, ",\"connections\":", node.counts.count(&count_name(id)) as u64);
    put(&mut out, ",\"progress\":");
    out.extend_from_slice(&progress.unwrap_or_else(|| Progress::new(id).write(node.now)));
    put_number(&mut out, ",\"buffer_size\":", kept);
    out.push(b'}');
    Ok(Reply::Json(200, out))
}

fn stats(shared: &Shared, call: &Call<'_>) -> Result<Reply, Fault> {
    call.identity()?;
    let node = call.node;
    let mut sent = 0;
    node.registry.each(PREFIX, |topic| sent += topic.traffic.sent_so_far().0);
    let mut out = Vec::with_capacity(192);
    put_number(&mut out, "{\"total_connections\":", node.counts.count(ALL) as u64);
    put_number(&mut out, ",\"active_analyses\":", node.counts.list(&count_name("")).len() as u64);
    let connected = shared.connected.load(Ordering::Relaxed);
    put_number(&mut out, ",\"stats\":{\"total_connections\":", connected);
    put_number(&mut out, ",\"total_events_sent\":", sent);
    put_number(&mut out, ",\"total_reconnections\":", shared.resumed.load(Ordering::Relaxed));
    put(&mut out, "}}");
    Ok(Reply::Json(200, out))
}
