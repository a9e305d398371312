//! Requests about credentials: tickets, and what is taken back.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Fault, json};
use super::node::Node;
use super::publish;
use super::query;
use super::routes::Call;
use crate::auth::{Role, Subject};
use crate::json::time;
use crate::limits::{
    CLAIM_BYTES_MAX, REVOCATION_BYTES_MAX, REVOCATION_SECONDS, REVOCATION_SECONDS_MAX, TICKET_SECONDS,
};

/// `POST /v1/tickets`.
pub fn ticket(node: &Node, call: &Call) -> Result<Answer, Fault> {
    let ticket = node.authority.ticket(&call.identity).map_err(|error| Fault::Busy(error.to_string()))?;
    answer(&json!({ "ticket": ticket, "expires_in": TICKET_SECONDS }))
}

/// What `POST /v1/revocations` says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    token_id: Option<String>,
    user: Option<String>,
    key: Option<String>,
    /// Seconds.
    ttl: Option<u64>,
    /// RFC 3339, or Unix milliseconds.
    until: Option<Value>,
}

/// `POST /v1/revocations`.
pub async fn revoke(node: &Arc<Node>, call: &Call, body: &mut Incoming) -> Result<Answer, Fault> {
    check_root(call)?;
    let body = publish::within(node, body, REVOCATION_BYTES_MAX, bad("the body is too large")).await?;
    let wanted: Revocation = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    let unix_ms = node.clock.now().unix_ms;
    let until_ms = wanted.until_ms(unix_ms)?;
    let named = [("token_id", wanted.token_id), ("user", wanted.user), ("key", wanted.key)];
    let subject = subject(named.iter().filter_map(|(member, name)| Some((*member, name.as_deref()?))))?;
    let revocations = &node.authority.credentials().revocations;
    revocations.add(subject.clone(), until_ms, unix_ms).map_err(|full| Fault::Busy(full.to_string()))?;
    node.shards.revoke(&subject);
    let (member, name) = subject.parts();
    tracing::info!(member, name, until_ms, by = %call.identity.name, "credentials revoked");
    answer(&shown(&subject, until_ms))
}

impl Revocation {
    fn until_ms(&self, unix_ms: u64) -> Result<u64, Fault> {
        let until = match (&self.until, self.ttl) {
            (Some(_), Some(_)) => return Err(bad("say `until` or `ttl`, not both")),
            (Some(Value::Number(number)), None) => number.as_u64(),
            (Some(Value::String(text)), None) => time::parse(text).ok(),
            (Some(_), None) => None,
            (None, ttl) => {
                Some(unix_ms.saturating_add(ttl.unwrap_or(REVOCATION_SECONDS).saturating_mul(1000)))
            }
        };
        let until = until.ok_or_else(|| bad("until: write a time (RFC 3339) or Unix milliseconds"))?;
        let last = unix_ms + REVOCATION_SECONDS_MAX * 1000;
        if (unix_ms + 1..=last).contains(&until) {
            return Ok(until);
        }
        Err(bad(format!("a revocation ends in the future, and within {REVOCATION_SECONDS_MAX} seconds")))
    }
}

/// `GET /v1/revocations`.
pub fn revocations(node: &Node, call: &Call) -> Result<Answer, Fault> {
    check_root(call)?;
    let list = node.authority.credentials().revocations.list(node.clock.now().unix_ms);
    let list: Vec<Value> = list.iter().map(|(subject, until_ms)| shown(subject, *until_ms)).collect();
    answer(&json!({ "revocations": list }))
}

/// `DELETE /v1/revocations?user=…`.
pub fn restore(node: &Node, call: &Call) -> Result<Answer, Fault> {
    check_root(call)?;
    let members = ["token_id", "user", "key"];
    let named = members.iter().filter_map(|member| Some((*member, query::find(&call.query, member)?)));
    let subject = subject(named)?;
    if !node.authority.credentials().revocations.remove(&subject) {
        return Err(Fault::NotFound("there is no such revocation"));
    }
    answer(&json!({ "removed": true }))
}

fn check_root(call: &Call) -> Result<(), Fault> {
    if call.identity.role >= Role::Root { Ok(()) } else { Err(Fault::Role("root")) }
}

/// The one subject that is named.
fn subject<'n>(mut named: impl Iterator<Item = (&'static str, &'n str)>) -> Result<Subject, Fault> {
    match (named.next(), named.next()) {
        (Some((member, name)), None) if (1..=CLAIM_BYTES_MAX).contains(&name.len()) => {
            Subject::named(member, name).ok_or_else(|| bad("there is nothing of this kind"))
        }
        _ => Err(bad("name one of `token_id`, `user` and `key`")),
    }
}

fn shown(subject: &Subject, until_ms: u64) -> Value {
    let (member, name) = subject.parts();
    let mut until = Vec::new();
    time::write(&mut until, until_ms);
    json!({ member: name, "until": String::from_utf8_lossy(&until) })
}

fn bad(why: impl Into<String>) -> Fault {
    Fault::Bad("invalid_revocation", why.into())
}

fn answer(body: &Value) -> Result<Answer, Fault> {
    Ok(Answer::Response(json(StatusCode::OK, body.to_string().into_bytes())))
}
