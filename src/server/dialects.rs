//! Requests of the protocols that know neither hyper nor sockets: put to them, and what they reply carried out.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Method as HttpMethod, StatusCode};
use tokio::time::Sleep;

use super::answer::{Answer, Fault, json};
use super::bell::Bell;
use super::node::Node;
use super::routes::Call;
use super::{assembly, consult, publish, query, streams};
use crate::auth::{AuthError, Permits, Verdict};
use crate::dialect::protocol::{self, Later, Method, Open, Protocols, Reply};
use crate::engine::Topic;
use crate::error::Disconnect;
use crate::limits::LAST_ANSWERS_MS;

/// What has become known since the request was first put to its protocol.
#[derive(Default)]
struct Progress {
    body: Option<Vec<u8>>,
    waited: bool,
    permits: Option<Permits>,
}

fn method(method: &HttpMethod) -> Method {
    match *method {
        HttpMethod::GET | HttpMethod::HEAD => Method::Get,
        HttpMethod::POST => Method::Post,
        HttpMethod::DELETE => Method::Delete,
        _ => Method::Other,
    }
}

/// Puts a request to the protocols.
fn put<T>(
    node: &Node,
    (path, call, verdict): Asked<'_>,
    so_far: &Progress,
    to: impl FnOnce(&Protocols, &protocol::Call<'_>) -> T,
) -> T {
    let header = |name: &str| query::header(&call.headers, name).map(str::to_owned);
    let asked = protocol::Call {
        method: method(&call.method),
        path,
        query: &call.query,
        header: &header,
        upgrade: call.is_upgrade(),
        credential: verdict,
        body: so_far.body.as_deref(),
        waited: so_far.waited,
        permits: so_far.permits.as_ref(),
        node: protocol::Node {
            registry: &node.registry,
            publisher: &*node.publisher,
            counts: &node.counts,
            now: node.clock.now(),
        },
    };
    to(&node.protocols, &asked)
}

type Asked<'a> = (&'a str, &'a Call, &'a Verdict);

/// What its protocol replies to a request; `None` when no protocol has the path.
fn ask(node: &Node, asked: Asked<'_>, so_far: &Progress) -> Option<Result<Reply, Fault>> {
    let reply = put(node, asked, so_far, |protocols, call| protocols.serve(call));
    reply.map(|reply| reply.map_err(Fault::from))
}

/// What the backend says about the topics that an answer would tell of; `None` where there are none, or nobody is asked.
async fn permits(node: &Node, asked: Asked<'_>) -> Option<Permits> {
    let (_, call, verdict) = asked;
    call.caller.as_ref().filter(|_| verdict.is_ok())?;
    let topics = put(node, asked, &Progress::default(), |protocols, call| protocols.reads(call));
    if topics.is_empty() { None } else { consult::topics(node, call, topics).await }
}

/// Serves a request of a protocol; `None` when no protocol has the path.
pub async fn serve(
    node: &Arc<Node>,
    path: &str,
    call: &Call,
    verdict: &Verdict,
    body: &mut Incoming,
) -> Option<Result<Answer, Fault>> {
    let asked = (path, call, verdict);
    let mut so_far = Progress { permits: permits(node, asked).await, ..Progress::default() };
    let reply = ask(node, asked, &so_far)?;
    let reply = match reply {
        Ok(Reply::NeedBody) => match publish::whole(node, body).await {
            Ok(whole) => {
                so_far.body = Some(whole.to_vec());
                ask(node, asked, &so_far)?
            }
            Err(fault) => Err(fault),
        },
        reply => reply,
    };
    Some(match reply {
        Ok(Reply::Wait(topics, seconds)) => {
            let over = tokio::time::sleep(Duration::from_secs(seconds));
            wait(node, asked, so_far, Bell::on(topics), over).await
        }
        Ok(Reply::Later(later)) => answer_later(node, call, later).await,
        Ok(Reply::Publish(topic)) => match so_far.body {
            Some(whole) => publish::whole_event(node, call, &topic, &whole),
            None => publish::one_topic(node, call, &topic, body).await,
        },
        Ok(reply) => carry_out(node, call, reply),
        Err(fault) => Err(fault),
    })
}

/// Asks again at every news, until the protocol has an answer or the time is over.
async fn wait(
    node: &Arc<Node>,
    asked: Asked<'_>,
    mut so_far: Progress,
    bell: Bell,
    over: Sleep,
) -> Result<Answer, Fault> {
    let _place = node.wait()?;
    let mut over = std::pin::pin!(over);
    loop {
        bell.clear();
        let reply = ask(node, asked, &so_far).ok_or(Fault::NotFound("nothing is here"))?;
        match reply? {
            Reply::Wait(..) if !so_far.waited => {
                tokio::select! {
                    () = &mut over => so_far.waited = true,
                    () = node.drains() => so_far.waited = true,
                    () = bell.rung() => {}
                }
                asked.1.check_lasting(node)?;
            }
            reply => return carry_out(node, asked.1, reply),
        }
    }
}

/// Readers of topics that are no subscribers.
struct Reading<'n>(&'n Node, Vec<Arc<Topic>>);

impl<'n> Reading<'n> {
    /// One that was removed just now has nothing to be read.
    fn of(node: &'n Node, topics: &[Arc<Topic>]) -> Self {
        Self(node, topics.iter().filter(|topic| topic.join(0).is_ok()).cloned().collect())
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.1.iter().for_each(|topic| topic.leave(self.0.clock.now()));
    }
}

/// Waits for an answer that comes of what happens in topics.
async fn answer_later(node: &Arc<Node>, call: &Call, mut later: Later) -> Result<Answer, Fault> {
    let _place = node.wait()?;
    let _reading = Reading::of(node, &later.topics);
    let over = tokio::time::sleep(Duration::from_secs(later.seconds));
    let (bell, mut over, mut is_over) = (Bell::on(later.topics), std::pin::pin!(over), false);
    let mut drains = false;
    loop {
        bell.clear();
        if let Some((status, body)) = (later.answer)(is_over) {
            return carry_out(node, call, Reply::Json(status, body));
        }
        tokio::select! {
            () = &mut over, if !is_over => is_over = true,
            // What is answered now ends with the server: how, is about to be said.
            () = node.drains(), if !drains => {
                drains = true;
                over.set(tokio::time::sleep(Duration::from_millis(LAST_ANSWERS_MS)));
            }
            () = bell.rung(), if !is_over => {}
            else => return Err(Fault::Bad("not_possible", "the request has no answer".into())),
        }
        call.check_lasting(node)?;
    }
}

fn carry_out(node: &Node, call: &Call, reply: Reply) -> Result<Answer, Fault> {
    match reply {
        Reply::WebSocket(open) => {
            let (transport, head) = streams::upgrade(node, call)?;
            match node.admission.seat(&call.identity) {
                Ok(user) => {
                    let answer = streams::seated(call, (transport, head), open(transport), user);
                    Ok(answer.refused_by(assembly::refuse(&node.config)))
                }
                Err(crowded) => refuse(node, call, crowded),
            }
        }
        Reply::Refused(open, fault) => turn_away(node, call, open, fault),
        Reply::Sse(open) => {
            let (transport, head) = streams::event_stream(call);
            streams::stream(node, call, (transport, head), open(transport))
        }
        Reply::Json(status, body) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ok(Answer::Response(json(status, body)))
        }
        Reply::Event(topic, body) => publish::event(node, call, &topic, body),
        Reply::Publish(_) | Reply::NeedBody | Reply::Wait(..) | Reply::Later(_) => {
            Err(Fault::Bad("not_possible", "the request cannot be served like this".into()))
        }
    }
}

/// Says no to a client that wants a WebSocket, in the way that the configuration wants.
fn refuse(node: &Node, call: &Call, error: AuthError) -> Result<Answer, Fault> {
    let why = Disconnect::policy("Connection limit reached");
    carry_out(node, call, assembly::refuse(&node.config).web_socket(why, None, error.into())?)
}

/// Opens a WebSocket that only says no. It is nobody's: it needs no place, and nobody is asked about it.
fn turn_away(node: &Node, call: &Call, open: Open, fault: protocol::Fault) -> Result<Answer, Fault> {
    let (transport, mut head) = streams::upgrade(node, call)?;
    if let Some(wait_ms) = fault.retry_after_ms {
        hint(&mut head, wait_ms);
    }
    if let Some(limit) = Fault::from(fault).limit() {
        node.limits.of(limit).add(1);
    }
    let mut answer = streams::seated(call, (transport, head), open(transport), None);
    if let Answer::Stream(takeover) = &mut answer {
        takeover.identity = Arc::clone(&node.nobody);
    }
    Ok(answer)
}

/// Says in the head of a response when to come again. The close that follows has no room for it.
fn hint(head: &mut Vec<u8>, wait_ms: u64) {
    head.truncate(head.len().saturating_sub(2));
    head.extend_from_slice(format!("retry-after: {}\r\n\r\n", wait_ms.div_ceil(1000)).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_the_last_header() {
        let mut head = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n".to_vec();
        hint(&mut head, 1001);
        assert!(head.ends_with(b"\r\nupgrade: websocket\r\nretry-after: 2\r\n\r\n"));
    }
}
