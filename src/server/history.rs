//! Requests with an answer about what is there: a page of history, a list of topics, who is present.

use std::sync::Arc;
use std::time::Duration;

use super::answer::{Answer, Fault, json};
use super::bell::Bell;
use super::consult;
use super::node::Node;
use super::query;
use super::routes::Call;
use crate::auth::Action;
use crate::dialect::Outcome;
use crate::dialect::topics::{Page, parse_page, write_event, write_member, write_position};
use crate::engine::name::presence_topic;
use crate::engine::{Entry, Read, Topic};
use crate::json::fields::JsonFields;
use crate::json::text::{write_string, write_u64};
use crate::limits::{PAGE_BYTES_MAX, PAGE_EVENTS_MAX};
use hyper::StatusCode;

/// `GET /v1/topics/{topic}` as a page, after a wait where one is asked for and nothing is there.
pub async fn page(node: &Arc<Node>, call: &Call, name: &str) -> Result<Answer, Fault> {
    call.check(Action::History, name)?;
    consult::topic(node, call, name.to_owned()).await?;
    let wanted = parse_page(&call.query, query::header(&call.headers, "last-event-id"))?;
    let topic = node.registry.topic(name, node.clock.now())?;
    let outcome = Outcome::of(Arc::clone(&topic), &wanted.start, node.clock.now(), |topic, time| {
        topic.before_time(time, &crossbeam_epoch::pin())
    });
    let mut found = Found { next: outcome.offset, ..Found::default() };
    found.collect(&topic, &wanted);
    if found.count == 0 && wanted.wait_seconds > 0 {
        let _place = node.wait()?;
        // After the wait the page is empty, which is an answer.
        tokio::select! {
            () = wait_for(&topic, &wanted, &mut found) => {}
            () = tokio::time::sleep(Duration::from_secs(wanted.wait_seconds)) => {}
            () = node.drains() => {}
        }
        call.check_lasting(node)?;
    }
    Ok(Answer::Response(json(StatusCode::OK, write_page(&topic, &outcome, &found))))
}

/// Events of a page, written.
#[derive(Default)]
struct Found {
    events: Vec<u8>,
    count: usize,
    next: u64,
    missed: u64,
}

/// Goes on where it has looked: what did not match is not looked at again.
async fn wait_for(topic: &Arc<Topic>, wanted: &Page, found: &mut Found) {
    let bell = Bell::on([Arc::clone(topic)]);
    loop {
        bell.clear();
        found.collect(topic, wanted);
        if found.count > 0 {
            return;
        }
        bell.rung().await;
    }
}

impl Found {
    /// Adds what there is behind the place that was looked at last.
    fn collect(&mut self, topic: &Topic, wanted: &Page) {
        let pin = crossbeam_epoch::pin();
        while self.count < wanted.limit && self.events.len() < PAGE_BYTES_MAX {
            match topic.read(self.next, &pin) {
                Read::Entry(offset, entry) => {
                    self.next = offset;
                    self.add(topic, entry, wanted);
                }
                Read::Lagged { missed, resume_at } => {
                    self.missed += missed;
                    self.next = resume_at - 1;
                }
                Read::Empty => return,
            }
        }
    }

    fn add(&mut self, topic: &Topic, entry: &Entry, wanted: &Page) {
        if wanted.filter.as_ref().is_some_and(|filter| !filter.evaluate(entry.fields(&JsonFields))) {
            return;
        }
        self.events.extend_from_slice(if self.count == 0 { b"" } else { b"," });
        write_event(topic, entry, false, &mut self.events);
        self.count += 1;
    }
}

fn write_page(topic: &Topic, outcome: &Outcome, found: &Found) -> Vec<u8> {
    let mut out = Vec::with_capacity(found.events.len() + 256);
    out.extend_from_slice(b"{\"topic\":");
    write_string(&mut out, topic.name());
    let numbers =
        [(",\"epoch\":", topic.epoch()), (",\"oldest\":", topic.oldest()), (",\"newest\":", topic.head())];
    for (name, number) in numbers {
        out.extend_from_slice(name.as_bytes());
        write_u64(&mut out, number);
    }
    let recovered = outcome.recovered && found.missed == 0;
    out.extend_from_slice(if recovered { b",\"recovered\":true" } else { b",\"recovered\":false" });
    out.extend_from_slice(b",\"missed\":");
    match outcome.missed {
        Some(missed) => write_u64(&mut out, missed + found.missed),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"events\":[");
    out.extend_from_slice(&found.events);
    out.extend_from_slice(b"],\"next\":\"");
    write_position(topic.epoch(), found.next, &mut out);
    out.extend_from_slice(b"\"}");
    out
}

/// `GET /v1/topics`: those that the asker may read.
pub fn list(node: &Node, call: &Call) -> Answer {
    let text = |name| query::find(&call.query, name).unwrap_or_default();
    let limit = text("limit").parse().unwrap_or(100).clamp(1, PAGE_EVENTS_MAX);
    let readable = |topic: &str| call.identity.may(Action::Subscribe, topic);
    let topics = node.registry.list_where(text("prefix"), text("after"), limit, readable);
    let mut out = b"{\"topics\":[".to_vec();
    for (i, topic) in topics.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b"{\"topic\":" } else { b",{\"topic\":" });
        write_string(&mut out, topic.name());
        let numbers = [
            (",\"epoch\":", topic.epoch()),
            (",\"oldest\":", topic.oldest()),
            (",\"newest\":", topic.head()),
            (",\"subscribers\":", topic.subscribers() as u64),
        ];
        for (name, number) in numbers {
            out.extend_from_slice(name.as_bytes());
            write_u64(&mut out, number);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"next\":");
    match topics.last().filter(|_| topics.len() == limit) {
        Some(last) => write_string(&mut out, last.name()),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    Answer::Response(json(StatusCode::OK, out))
}

/// `GET /v1/presence/{topic}`.
pub async fn presence(node: &Node, call: &Call, name: &str) -> Result<Answer, Fault> {
    super::streams::check_readable(name)?;
    call.check(Action::Presence, name)?;
    consult::topic(node, call, presence_topic(name)).await?;
    let members = node.registry.find(name).map(|topic| topic.members()).transpose();
    let members =
        members.map_err(|refused| Fault::Bad("no_presence", refused.to_string()))?.unwrap_or_default();
    let mut out = b"{\"type\":\"presence\",\"topic\":".to_vec();
    write_string(&mut out, name);
    out.extend_from_slice(b",\"count\":");
    write_u64(&mut out, members.len() as u64);
    out.extend_from_slice(b",\"members\":[");
    for (i, (user, member)) in members.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b"" } else { b"," });
        write_member(user, member, &mut out);
    }
    out.extend_from_slice(b"]}");
    Ok(Answer::Response(json(StatusCode::OK, out)))
}
