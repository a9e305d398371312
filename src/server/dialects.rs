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
use super::{assembly, publish, query, streams};
use crate::auth::{AuthError, Verdict};
use crate::dialect::Transport;
use crate::dialect::protocol::{self, Method, Reply};
use crate::error::Disconnect;

/// What has become known since the request was first put to its protocol.
#[derive(Default)]
struct Progress {
    body: Option<Vec<u8>>,
    waited: bool,
}

fn method(method: &HttpMethod) -> Method {
    match *method {
        HttpMethod::GET | HttpMethod::HEAD => Method::Get,
        HttpMethod::POST => Method::Post,
        HttpMethod::DELETE => Method::Delete,
        _ => Method::Other,
    }
}

/// Puts a request to its protocol; `None` when no protocol has the path.
fn ask(
    node: &Node,
    path: &str,
    call: &Call,
    verdict: &Verdict,
    so_far: &Progress,
) -> Option<Result<Reply, Fault>> {
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
        node: protocol::Node {
            registry: &node.registry,
            publisher: &*node.publisher,
            counts: &node.counts,
            now: node.clock.now(),
        },
    };
    node.protocols.serve(&asked).map(|reply| reply.map_err(Fault::from))
}

/// Serves a request of a protocol; `None` when no protocol has the path.
pub async fn serve(
    node: &Arc<Node>,
    path: &str,
    call: &Call,
    verdict: &Verdict,
    body: &mut Incoming,
) -> Option<Result<Answer, Fault>> {
    let mut so_far = Progress::default();
    let reply = ask(node, path, call, verdict, &so_far)?;
    let reply = match reply {
        Ok(Reply::NeedBody) => match publish::whole(node, body).await {
            Ok(whole) => {
                so_far.body = Some(whole.to_vec());
                ask(node, path, call, verdict, &so_far)?
            }
            Err(fault) => Err(fault),
        },
        reply => reply,
    };
    Some(match reply {
        Ok(Reply::Wait(topics, seconds)) => {
            let over = tokio::time::sleep(Duration::from_secs(seconds));
            wait(node, (path, call, verdict), so_far, Bell::on(topics), over).await
        }
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
    (path, call, verdict): (&str, &Call, &Verdict),
    mut so_far: Progress,
    bell: Bell,
    over: Sleep,
) -> Result<Answer, Fault> {
    let _place = node.wait()?;
    let mut over = std::pin::pin!(over);
    loop {
        bell.clear();
        node.authority.still_good(&call.identity)?;
        let reply = ask(node, path, call, verdict, &so_far).ok_or(Fault::NotFound("nothing is here"))?;
        match reply? {
            Reply::Wait(..) if !so_far.waited => {
                tokio::select! {
                    () = &mut over => so_far.waited = true,
                    () = bell.rung() => {}
                }
            }
            reply => return carry_out(node, call, reply),
        }
    }
}

fn carry_out(node: &Node, call: &Call, reply: Reply) -> Result<Answer, Fault> {
    match reply {
        Reply::WebSocket(open) => {
            let (transport, head) = streams::upgrade(node, call)?;
            match node.admission.seat(&call.identity) {
                Ok(user) => Ok(streams::seated(call, (transport, head), open(transport), user)),
                Err(crowded) => refuse(node, call, (transport, head), crowded),
            }
        }
        Reply::Sse(open) => {
            let (transport, head) = streams::event_stream(call);
            streams::stream(node, call, (transport, head), open(transport))
        }
        Reply::Json(status, body) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ok(Answer::Response(json(status, body)))
        }
        Reply::Event(topic, body) => publish::event(node, call, &topic, body),
        Reply::Publish(_) | Reply::NeedBody | Reply::Wait(..) => {
            Err(Fault::Bad("not_possible", "the request cannot be served like this".into()))
        }
    }
}

/// Says no to a client that wants a WebSocket, in the way that the configuration wants.
fn refuse(
    node: &Node,
    call: &Call,
    (transport, head): (Transport, Vec<u8>),
    error: AuthError,
) -> Result<Answer, Fault> {
    let why = Disconnect::policy("Connection limit reached");
    match assembly::refuse(&node.config).web_socket(why, None, error.into())? {
        Reply::WebSocket(open) => Ok(streams::seated(call, (transport, head), open(transport), None)),
        _ => Err(error.into()),
    }
}
