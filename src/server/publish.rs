//! Publishing over HTTP.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};

use super::answer::{Answer, Fault, json};
use super::node::Node;
use super::query;
use super::routes::Call;
use crate::auth::Action;
use crate::engine::{Body, Placed, Publish, Unplaced};
use crate::ingest::publisher::check_name;
use crate::json::batch::{Attributes, Batch, Report};
use crate::json::envelope::{Invalid, Member};
use crate::json::lines::{Line, Lines};
use crate::json::text::{write_string, write_u64};
use crate::metrics::Limit;

/// `POST /v1/topics/{topic}`.
pub async fn one_topic(
    node: &Arc<Node>,
    call: &Call,
    topic: &str,
    body: &mut Incoming,
) -> Result<Answer, Fault> {
    let attributes = checked(node, call, topic).inspect_err(|_| node.publisher.refused(1))?;
    if media_type(call) == "application/x-ndjson" {
        return lines_of_topic(node, call, topic, &attributes, body).await;
    }
    let whole = whole(node, body).await;
    answer_to_one(node, whole.and_then(|body| one_event(node, call, topic, &attributes, &body)))
}

/// The same for a single event whose body has been read.
pub fn whole_event(node: &Node, call: &Call, topic: &str, body: &[u8]) -> Result<Answer, Fault> {
    let placed =
        checked(node, call, topic).and_then(|attributes| one_event(node, call, topic, &attributes, body));
    answer_to_one(node, placed)
}

fn answer_to_one(node: &Node, placed: Result<Placed, Fault>) -> Result<Answer, Fault> {
    let placed = placed.inspect_err(|fault| count_refused(node, fault))?;
    Ok(Answer::Response(json(StatusCode::OK, single(&placed))))
}

fn content_type(call: &Call) -> &str {
    query::header(&call.headers, CONTENT_TYPE).unwrap_or("application/octet-stream")
}

fn media_type(call: &Call) -> &str {
    content_type(call).split(';').next().unwrap_or_default().trim()
}

/// A single event that the publisher itself has refused is counted there.
fn count_refused(node: &Node, fault: &Fault) {
    if !matches!(fault, Fault::Event(_)) {
        node.publisher.refused(1);
    }
}

/// What is known before the body is read: the topic may be published to, and the attributes are right.
fn checked(node: &Node, call: &Call, topic: &str) -> Result<Attributes, Fault> {
    check_name(topic)?;
    call.check(Action::Publish, topic)?;
    attributes(call).map_err(|invalid| malformed(node, topic, invalid))
}

fn one_event(
    node: &Node,
    call: &Call,
    topic: &str,
    attributes: &Attributes,
    body: &[u8],
) -> Result<Placed, Fault> {
    let body = match media_type(call) {
        "application/json" => attributes.json(body).map_err(|invalid| malformed(node, topic, invalid))?,
        _ => attributes.binary(body, content_type(call)),
    };
    place(node, call, topic, body)
}

/// A member that is wrong makes an event one that does not fit, where events have a data model.
fn malformed(node: &Node, topic: &str, invalid: Invalid) -> Fault {
    match invalid.misfit().filter(|_| node.protocols.owner(topic).is_some()) {
        Some(misfit) => Unplaced::Misfit(Box::new(misfit)).into(),
        None => invalid.into(),
    }
}

fn place(node: &Node, call: &Call, topic: &str, body: Body) -> Result<Placed, Fault> {
    let mut placed = node.publisher.publish_as(&call.identity.name, topic, vec![body], node.clock.now())?;
    match placed.places.pop() {
        Some(Err(unplaced)) => Err(unplaced.into()),
        place => {
            placed.places.extend(place);
            Ok(placed)
        }
    }
}

/// An event that a protocol has made of a request.
pub fn event(node: &Node, call: &Call, topic: &str, body: Body) -> Result<Answer, Fault> {
    let placed = call.check(Action::Publish, topic).and_then(|()| place(node, call, topic, body));
    let placed = placed.inspect_err(|fault| count_refused(node, fault))?;
    Ok(Answer::Response(json(StatusCode::OK, single(&placed))))
}

fn attributes(call: &Call) -> Result<Attributes, Invalid> {
    let get = |member: Member| {
        let (header, parameter) = match member {
            Member::Type => ("event-type", "type"),
            Member::Id => ("event-id", "id"),
            Member::Key => ("event-key", "key"),
            Member::Tags => ("event-tags", "tags"),
            Member::IdempotencyKey => ("idempotency-key", ""),
            _ => return None,
        };
        let found = query::header(&call.headers, header).or_else(|| query::find(&call.query, parameter));
        found.map(str::to_owned)
    };
    Attributes::new(get, query::find(&call.query, "raw").is_some_and(|raw| raw != "0"))
}

/// The body of one event.
pub async fn whole(node: &Node, body: &mut Incoming) -> Result<Bytes, Fault> {
    let limit = node.config.limits.event_bytes;
    let too_large = Fault::TooLarge { what: "the event", limit, setting: "limits.event_bytes" };
    within(node, body, limit, too_large).await
}

/// A body of at most `limit` bytes.
pub async fn within(
    node: &Node,
    body: &mut Incoming,
    limit: usize,
    too_large: Fault,
) -> Result<Bytes, Fault> {
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large);
    }
    let collected =
        tokio::time::timeout(node.config.timing.write_seconds, Limited::new(body, limit).collect());
    match collected.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large),
        Ok(Err(_)) | Err(_) => Err(Fault::Incomplete),
    }
}

fn single(placed: &Placed) -> Vec<u8> {
    let mut out = b"{\"topic\":".to_vec();
    write_string(&mut out, placed.topic.name());
    out.extend_from_slice(b",\"epoch\":");
    write_u64(&mut out, placed.topic.epoch());
    if let [Ok(place)] = placed.places[..] {
        out.extend_from_slice(b",\"offset\":");
        match place.offset {
            0 => out.extend_from_slice(b"null,\"held\":true"),
            offset => write_u64(&mut out, offset),
        }
        out.extend_from_slice(if place.duplicate { b",\"duplicate\":true" } else { b"" });
    }
    out.push(b'}');
    out
}

async fn lines_of_topic(
    node: &Arc<Node>,
    call: &Call,
    topic: &str,
    attributes: &Attributes,
    body: &mut Incoming,
) -> Result<Answer, Fault> {
    let report = each_line(node, call, body, |batch, line, content| {
        batch.add(topic, line, content, attributes).map_err(|invalid| invalid.to_string())
    });
    let report = report.await?;
    let mut out = b"{\"topic\":".to_vec();
    write_string(&mut out, topic);
    // Without a publication there may be no topic, and so no epoch.
    let range = report.topics.last();
    let found = || node.registry.find(topic).map(|topic| topic.epoch());
    write_known(b",\"epoch\":", range.map(|range| range.epoch).or_else(found), &mut out);
    write_published(&report, &mut out);
    write_known(b",\"first\":", range.map(|range| range.first), &mut out);
    write_known(b",\"last\":", range.map(|range| range.last), &mut out);
    report.write_failed(&mut out);
    out.push(b'}');
    Ok(reported(&report, out))
}

/// `POST /v1/publish`.
pub async fn many_topics(node: &Arc<Node>, call: &Call, body: &mut Incoming) -> Result<Answer, Fault> {
    let report = each_line(node, call, body, |batch, number, content| {
        let routed = batch.route(number, content, None, |topic| call.identity.may(Action::Publish, topic));
        routed.map_err(|invalid| invalid.to_string())
    });
    let report = report.await?;
    let mut out = b"{".to_vec();
    out.extend_from_slice(b"\"published\":");
    write_u64(&mut out, report.published);
    report.write_topics(&mut out);
    report.write_failed(&mut out);
    out.push(b'}');
    Ok(reported(&report, out))
}

fn write_known(name: &[u8], number: Option<u64>, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    match number {
        Some(number) => write_u64(out, number),
        None => out.extend_from_slice(b"null"),
    }
}

fn write_published(report: &Report, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"published\":");
    write_u64(out, report.published);
}

fn reported(report: &Report, out: Vec<u8>) -> Answer {
    let wait_ms = report.retry_after_ms();
    let status = match wait_ms {
        Some(_) => StatusCode::TOO_MANY_REQUESTS,
        None if report.all_failed() => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let mut response = json(status, out);
    if let Some(wait_ms) = wait_ms {
        response.headers_mut().insert(RETRY_AFTER, wait_ms.div_ceil(1000).into());
    }
    Answer::Response(response)
}

/// Publishes the lines of a body as they arrive: what is in one piece of it goes in one batch per topic.
async fn each_line(
    node: &Arc<Node>,
    call: &Call,
    body: &mut Incoming,
    mut add: impl FnMut(&mut Batch, u64, &[u8]) -> Result<(), String>,
) -> Result<Report, Fault> {
    let limits = &node.config.limits;
    let (mut lines, mut report, mut left) =
        (Lines::new(limits.event_bytes), Report::default(), limits.body_bytes);
    let mut take = |batch: &mut Batch, report: &mut Report, line: Line<'_>| {
        let content = line.content.map_err(|long| {
            node.limits.of(Limit::EventBytes).add(1);
            long.to_string()
        });
        if let Err(why) = content.and_then(|content| add(batch, line.number, content)) {
            report.failed(line.number, &why);
            node.publisher.refused(1);
        }
    };
    while let Some(piece) = piece(node, body).await? {
        left = left.checked_sub(piece.len()).ok_or(Fault::TooLarge {
            what: "the body",
            limit: limits.body_bytes,
            setting: "limits.body_bytes",
        })?;
        let (mut batch, mut rest) = (Batch::default(), &piece[..]);
        while let Some(line) = lines.next(&mut rest) {
            take(&mut batch, &mut report, line);
        }
        publish(node, call, batch, &mut report)?;
    }
    let mut batch = Batch::default();
    if let Some(line) = lines.finish() {
        take(&mut batch, &mut report, line);
    }
    publish(node, call, batch, &mut report)?;
    Ok(report)
}

async fn piece(node: &Node, body: &mut Incoming) -> Result<Option<Bytes>, Fault> {
    loop {
        match tokio::time::timeout(node.config.timing.write_seconds, body.frame()).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Ok(Some(Err(_))) | Err(_) => return Err(Fault::Incomplete),
        }
    }
}

fn publish(node: &Node, call: &Call, batch: Batch, report: &mut Report) -> Result<(), Fault> {
    call.check_lasting(node)?;
    for group in batch.groups {
        let events = group.bodies.len() as u64;
        let who = &call.identity.name;
        let placed = node.publisher.publish_as(who, &group.topic, group.bodies, node.clock.now());
        report.placed(&placed.inspect_err(|_| node.publisher.refused(events))?, &group.lines);
    }
    Ok(())
}
