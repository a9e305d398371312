//! Which path leads where.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, COOKIE, EXPECT, HOST, HeaderMap, HeaderValue, ORIGIN,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode, Version};

use super::answer::{Answer, Fault, json, with_type};
use super::node::Node;
use super::{blobs, consult, credentials, dialects, history, pages, publish, query, streams};
use crate::admin;
use crate::admin::pages::Asset;
use crate::auth::{Action, AuthError, Caller, Identity, Places, Presented, Verdict, presented};
use crate::json::text::write_string;
use crate::json::time;
use crate::limits::{DISCARD_BYTES_MAX, DISCARD_MS};
use crate::metrics::Refused;

/// What a handler needs of a request besides its body.
pub struct Call {
    /// Who asks.
    pub identity: Arc<Identity>,
    /// From where, as far as that is known.
    pub address: Option<IpAddr>,
    /// The same for the backend that is asked, where there is one.
    pub caller: Option<Arc<Caller>>,
    /// The method.
    pub method: Method,
    /// Decoded parameters.
    pub query: Vec<(String, String)>,
    /// Headers.
    pub headers: HeaderMap,
    /// Whether chunked responses are understood.
    pub chunks: bool,
}

impl Call {
    /// Whether the asker may do `action` with `topic`.
    ///
    /// # Errors
    /// It may not.
    pub fn check(&self, action: Action, topic: &str) -> Result<(), Fault> {
        if self.identity.may(action, topic) { Ok(()) } else { Err(Fault::Forbidden(action.name())) }
    }

    /// Whether the credential still holds: for requests that take longer than a moment.
    ///
    /// # Errors
    /// It has ended, or was taken back.
    pub fn check_lasting(&self, node: &Node) -> Result<(), Fault> {
        Ok(check_lasting(node, &self.identity)?)
    }

    /// Whether the client wants to speak WebSocket.
    pub fn is_upgrade(&self) -> bool {
        query::lists(&self.headers, "upgrade", "websocket")
    }

    /// Whether the client asks for `media_type`.
    pub fn accepts(&self, media_type: &str) -> bool {
        query::lists(&self.headers, "accept", media_type)
    }
}

/// Whether the credential of `identity` still holds.
///
/// # Errors
/// It has ended, or was taken back.
pub fn check_lasting(node: &Node, identity: &Identity) -> Result<(), AuthError> {
    let unix_ms = node.clock.now().unix_ms;
    if identity.has_expired(unix_ms) {
        return Err(AuthError::Expired);
    }
    let revoked = node.authority.credentials().revocations.cover(identity, unix_ms);
    if revoked { Err(AuthError::Revoked) } else { Ok(()) }
}

/// What a path names.
enum Route {
    Topic(String),
    Topics,
    Publish,
    Presence(String),
    Blobs,
    Blob(String),
    Tickets,
    Revocations,
    WhoAmI,
    Health,
    Ready,
    Metrics,
    Echo,
    Page(&'static Asset),
    Unknown,
}

fn parse(path: &str) -> Route {
    match path {
        "/v1/topics" | "/v1/topics/" => Route::Topics,
        "/v1/publish" => Route::Publish,
        "/v1/blobs" | "/v1/blobs/" => Route::Blobs,
        "/v1/tickets" => Route::Tickets,
        "/v1/revocations" => Route::Revocations,
        "/v1/whoami" => Route::WhoAmI,
        "/health" => Route::Health,
        "/ready" => Route::Ready,
        "/metrics" => Route::Metrics,
        "/test/echo" => Route::Echo,
        _ => {
            let below = |prefix| path.strip_prefix(prefix).map(query::decode);
            let topic = below("/v1/topics/").map(Route::Topic);
            let blob = || below("/v1/blobs/").map(Route::Blob);
            let presence = || below("/v1/presence/").map(Route::Presence);
            let page = || admin::pages::find(path).map(Route::Page);
            topic.or_else(blob).or_else(presence).or_else(page).unwrap_or(Route::Unknown)
        }
    }
}

/// Answers a request.
pub async fn route(node: &Arc<Node>, address: Option<IpAddr>, request: Request<Incoming>) -> Answer {
    let (parts, mut body) = request.into_parts();
    let announced = announced(&parts.headers, &body);
    let mut answer = dispatch(node, address, parts, &mut body).await;
    if let Ok(Answer::Stream(takeover)) = &mut answer
        && let Err(fault) = consult::stream(node, takeover).await
    {
        answer = Err(fault);
    }
    let answer = answer.inspect_err(|fault| {
        if let Some(limit) = fault.limit() {
            node.limits.of(limit).add(1);
        }
    });
    match answer.unwrap_or_else(|fault| Answer::Response(fault.response())) {
        Answer::Response(mut response) => {
            let is_held_back = announced.is_some() && announced == body.size_hint().exact();
            if is_held_back || !discard(&mut body).await {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Answer::Response(response)
        }
        stream => stream,
    }
}

/// Whether a request is for a stream, as far as that can be seen from outside.
pub fn asks_for_stream(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    let accepts = |media_type| query::lists(headers, ACCEPT, media_type);
    query::lists(headers, UPGRADE, "websocket")
        || accepts("text/event-stream")
        || accepts("application/x-ndjson")
}

/// The size of a body that its client holds back until it is asked for it (`Expect: 100-continue`). Reading from it is asking.
fn announced(headers: &HeaderMap, body: &Incoming) -> Option<u64> {
    query::lists(headers, EXPECT, "100-continue").then(|| body.size_hint().exact()).flatten()
}

/// Reads away what a handler has left of a body, so that the connection can be used again and the answer is not
/// overtaken by a reset; `false` when there is too much of it.
async fn discard(body: &mut Incoming) -> bool {
    if body.is_end_stream() {
        return true;
    }
    let all = async {
        let mut left = DISCARD_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(Duration::from_millis(DISCARD_MS), all).await.unwrap_or(false)
}

async fn dispatch(
    node: &Arc<Node>,
    address: Option<IpAddr>,
    parts: Parts,
    body: &mut Incoming,
) -> Result<Answer, Fault> {
    let route = parse(parts.uri.path());
    if let Some(answer) = open(node, &route, &parts)? {
        return Ok(answer);
    }
    let verdict = identify(node, &parts.headers, parts.uri.query()).await?;
    let caller = || Arc::new(Caller { address, path: parts.uri.path().into() });
    let mut call = Call {
        identity: verdict.as_ref().map_or_else(|_| Arc::clone(&node.nobody), Arc::clone),
        address,
        caller: node.authority.has_webhook().then(caller),
        query: query::parse(parts.uri.query().unwrap_or_default()),
        chunks: parts.version == Version::HTTP_11,
        method: parts.method,
        headers: parts.headers,
    };
    if matches!(route, Route::Unknown)
        && let Some(answer) = dialects::serve(node, parts.uri.path(), &call, &verdict, body).await
    {
        return answer;
    }
    call.identity = verdict?;
    match (route, call.method.as_str()) {
        (Route::Topic(topic), "POST") => publish::one_topic(node, &call, &topic, body).await,
        (Route::Topic(topic), "GET") if streams::is_stream(&call) => streams::read(node, &call, &topic),
        (Route::Topic(topic), "GET") => history::page(node, &call, &topic).await,
        (Route::Publish, "POST") => publish::many_topics(node, &call, body).await,
        (Route::Publish, "GET") => streams::publish(node, &call),
        (Route::Topics, "GET") if call.is_upgrade() => streams::multiplex(node, &call),
        (Route::Topics, "GET") if query::find(&call.query, "topic").is_some() => {
            streams::multiplex_sse(node, &call)
        }
        (Route::Topics, "GET") => Ok(history::list(node, &call)),
        (Route::Presence(topic), "GET") => history::presence(node, &call, &topic).await,
        (Route::Blobs, "POST") => blobs::create(node, &call, body).await,
        (Route::Blob(id), _) => blobs::serve(node, &call, &id, body).await,
        (Route::Tickets, "POST") => credentials::ticket(node, &call),
        (Route::Revocations, "POST") => credentials::revoke(node, &call, body).await,
        (Route::Revocations, "GET") => credentials::revocations(node, &call),
        (Route::Revocations, "DELETE") => credentials::restore(node, &call),
        (Route::WhoAmI, "GET") => Ok(Answer::Response(json(StatusCode::OK, who_am_i(&call)))),
        (Route::Echo, "GET") if node.config.test_echo => streams::echo(node, &call),
        (Route::Tickets | Route::Blobs, _) => Err(Fault::Method("POST")),
        (Route::Revocations, _) => Err(Fault::Method("GET, POST, DELETE")),
        (Route::Topic(_) | Route::Publish, _) => Err(Fault::Method("GET, POST")),
        (Route::Topics | Route::Presence(_) | Route::WhoAmI, _) => Err(Fault::Method("GET")),
        _ => Err(Fault::NotFound("there is nothing at this path; docs/PROTOCOL.md lists what there is")),
    }
}

/// What the server knows about the asker. Nobody in particular has no name.
fn who_am_i(call: &Call) -> Vec<u8> {
    let mut out = b"{\"user\":".to_vec();
    let identity = &call.identity;
    write_or_null(Some(identity.name.as_str()).filter(|name| !name.is_empty()), &mut out);
    out.extend_from_slice(b",\"role\":");
    write_string(&mut out, identity.role.name());
    out.extend_from_slice(b",\"address\":");
    write_or_null(call.address.map(|address| address.to_string()).as_deref(), &mut out);
    out.extend_from_slice(b",\"expires\":");
    match identity.expires_ms {
        Some(end) => {
            out.push(b'"');
            time::write(&mut out, end);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    out
}

fn write_or_null(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        Some(text) => write_string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

/// What is answered without a credential.
fn open(node: &Node, route: &Route, request: &Parts) -> Result<Option<Answer>, Fault> {
    let method = &request.method;
    if let Route::Page(asset) = route
        && node.config.general.pages
    {
        return pages::serve(asset, method, &request.headers).map(|page| Some(Answer::Response(page)));
    }
    if !matches!(route, Route::Health | Route::Ready | Route::Metrics) {
        return Ok(None);
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Fault::Method("GET"));
    }
    let response = match route {
        Route::Ready if node.is_draining() => {
            json(StatusCode::SERVICE_UNAVAILABLE, b"{\"status\":\"draining\"}".into())
        }
        Route::Metrics => {
            let text = admin::metrics::render(&node.sources()).into_bytes();
            with_type(StatusCode::OK, admin::metrics::CONTENT_TYPE, text)
        }
        _ => json(StatusCode::OK, b"{\"status\":\"ok\"}".into()),
    };
    Ok(Some(Answer::Response(response)))
}

/// Who asks. A page is looked at where its users could be harmed: where a stream begins that it could read, and where the
/// browser has sent a credential by itself.
async fn identify(node: &Node, headers: &HeaderMap, query: Option<&str>) -> Result<Verdict, Fault> {
    let (protocols, cookies) = (query::all(headers, SEC_WEBSOCKET_PROTOCOL), query::all(headers, COOKIE));
    let presented = presented(&Places {
        authorization: query::header(headers, AUTHORIZATION),
        query,
        protocols: &protocols,
        cookies: &cookies,
        cookie: &node.config.auth.cookie,
    });
    let accepts = |media_type| query::lists(headers, ACCEPT, media_type);
    let streams = query::lists(headers, UPGRADE, "websocket")
        || accepts("text/event-stream")
        || accepts("application/x-ndjson");
    if streams || matches!(presented, Some(Presented::Cookie(_))) {
        check_origin(node, headers)?;
    }
    let verdict = node.authority.identify(presented.as_ref()).await;
    Ok(verdict.inspect_err(|_| node.http_metrics.unauthorized.add(1)))
}

fn check_origin(node: &Node, headers: &HeaderMap) -> Result<(), Fault> {
    // One that is no text is nobody's, and no browser names two.
    let mut origins = headers.get_all(ORIGIN).iter().map(|origin| origin.to_str().unwrap_or("null"));
    if origins.all(|origin| node.origins.allow(origin, query::header(headers, HOST))) {
        return Ok(());
    }
    node.authority.metrics().refused[Refused::Origin as usize].add(1);
    Err(Fault::Origin)
}
