//! Requests for blobs: `PUT`, `GET`, `HEAD` and `DELETE` of `/v1/blobs/{id}`, and `POST` to `/v1/blobs`, which chooses an id that
//! nobody can guess. Who may not read a blob is told what everybody is told who asks for one that is not there.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::answer::{Answer, Fault, json as json_response};
use super::body::{Body, Download};
use super::node::Node;
use super::routes::{self, Call};
use super::{blob_heads, conditions, consult, query};
use crate::auth::Action;
use crate::blobs::range::Part;
use crate::blobs::{Blob, Description, New, Refused, Replaces, Upload, is_id};
use crate::dialect::protocol;
use crate::dialect::sessions::name;
use crate::engine::Lease;
use crate::ingest::publisher::check_name;
use crate::limits::{BLOB_ID_BYTES_MAX, BLOB_TYPE_BYTES_MAX, RETRY_AFTER_SECONDS};

/// What the topics that grants for single blobs name begin with.
const BLOBS: &str = "blobs.";

/// `POST /v1/blobs`.
pub async fn create(node: &Arc<Node>, call: &Call, body: &mut Incoming) -> Result<Answer, Fault> {
    let mut random = [0; 16];
    let filled = aws_lc_rs::rand::fill(&mut random);
    filled.map_err(|_| Fault::Busy("the system has no randomness; try again".into()))?;
    upload(node, call, &URL_SAFE_NO_PAD.encode(random), body).await
}

/// A request for the blob `id`.
pub async fn serve(node: &Arc<Node>, call: &Call, id: &str, body: &mut Incoming) -> Result<Answer, Fault> {
    if !is_id(id) {
        let rule = format!("1 to {BLOB_ID_BYTES_MAX} of A-Z a-z 0-9 _ : @ -");
        return Err(protocol::Fault::bad("id", rule).into());
    }
    match call.method.as_str() {
        "PUT" => upload(node, call, id, body).await,
        "GET" | "HEAD" => download(node, call, id).await,
        "DELETE" => delete(node, call, id).await,
        _ => Err(Fault::Method("GET, HEAD, PUT, DELETE")),
    }
}

async fn upload(node: &Arc<Node>, call: &Call, id: &str, body: &mut Incoming) -> Result<Answer, Fault> {
    let new = New { id: id.into(), size: body.size_hint().exact(), ..wanted(node, call)? };
    let is_new = new.replaces == Replaces::Nothing;
    let _places = places(node, call)?;
    let mut upload = node.blobs.begin(new, node.clock.now().millis())?;
    receive(node, call, &mut upload, body).await?;
    let blob = upload.finish(node.clock.now().millis())?;
    tracing::debug!(user = call.identity.name, id, size = blob.received, "a blob was uploaded");
    uploaded(if is_new { StatusCode::CREATED } else { StatusCode::OK }, &blob)
}

/// What is to be uploaded, but for its id and size.
fn wanted(node: &Node, call: &Call) -> Result<New, Fault> {
    if !is_somebody(node, call) {
        let message = "an upload needs a credential that names a user";
        return Err(protocol::Fault::new(403, "forbidden", message).into());
    }
    if call.headers.contains_key(CONTENT_RANGE) {
        return Err(protocol::Fault::bad("Content-Range", "a blob is uploaded as a whole").into());
    }
    if query::all(&call.headers, CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.eq_ignore_ascii_case("identity"))
    {
        let message = "Content-Encoding: send the blob as it is, and say what that is in Content-Type";
        return Err(protocol::Fault::new(415, "unsupported_encoding", message).into());
    }
    Ok(New {
        owner: call.identity.name.clone(),
        topic: topic(call)?,
        content_type: content_type(call)?,
        replaces: conditions::replaces(&call.headers),
        ..New::default()
    })
}

/// Blobs belong to names; where no credentials are configured, to everybody.
fn is_somebody(node: &Node, call: &Call) -> bool {
    !call.identity.name.is_empty() || node.authority.credentials().is_open()
}

/// The topic whose readers may read the blob: the uploader speaks there.
fn topic(call: &Call) -> Result<Option<String>, Fault> {
    let (topic, session) = (query::find(&call.query, "topic"), query::find(&call.query, "session_id"));
    match (topic, session) {
        (Some(_), Some(_)) => {
            Err(protocol::Fault::bad("topic", "say `topic` or `session_id`, not both").into())
        }
        (None, None) => Ok(None),
        (None, Some(id)) => {
            let topic = name::topic(&call.identity, id)?;
            if name::is_room(id) {
                call.check(Action::Publish, &topic)?;
            }
            Ok(Some(topic))
        }
        (Some(topic), None) => {
            check_name(topic)?;
            call.check(Action::Publish, topic)?;
            Ok(Some(topic.into()))
        }
    }
}

fn content_type(call: &Call) -> Result<String, Fault> {
    let said = call.headers.get(CONTENT_TYPE).map(HeaderValue::to_str);
    match said.unwrap_or(Ok("application/octet-stream")) {
        Ok(said) if said.len() <= BLOB_TYPE_BYTES_MAX => Ok(said.into()),
        _ => {
            let rule = format!("write a media type of at most {BLOB_TYPE_BYTES_MAX} ASCII characters");
            Err(protocol::Fault::bad("Content-Type", rule).into())
        }
    }
}

/// Places for an upload or download, for as long as it lasts.
fn places(node: &Node, call: &Call) -> Result<Vec<Lease>, Fault> {
    let (bounds, name) = (&node.config.blobs, &call.identity.name);
    let take = |name: &str, limit| node.counts.take(name, limit);
    let refused = |status, message: &str| {
        node.blobs.metrics().refused.add(1);
        let fault = protocol::Fault::new(status, "too_many_transfers", message);
        protocol::Fault { retry_after_ms: Some(RETRY_AFTER_SECONDS * 1000), ..fault }
    };
    let node_full = "too many uploads and downloads; retry, or raise blobs.transfers";
    let mut places = vec![take("blobs", bounds.transfers).ok_or_else(|| refused(503, node_full))?];
    if !name.is_empty() {
        let own = take(&format!("blobs:{name}"), bounds.transfers_per_user);
        places.push(own.ok_or_else(|| refused(429, "too many uploads and downloads of this user; retry"))?);
    }
    Ok(places)
}

/// Writes the body as it comes. One that does not go on as it must is given up.
async fn receive(
    node: &Arc<Node>,
    call: &Call,
    upload: &mut Upload,
    body: &mut Incoming,
) -> Result<(), Fault> {
    let window = node.config.blobs.idle_seconds;
    let least = (node.config.blobs.least_bytes_per_second as u64).saturating_mul(window.as_secs()).max(1);
    let (mut over, mut came) = (std::pin::pin!(tokio::time::sleep(window)), 0);
    loop {
        tokio::select! {
            frame = body.frame() => match frame {
                None => return Ok(()),
                Some(Err(_)) => return Err(Fault::Incomplete),
                Some(Ok(frame)) => {
                    let Ok(bytes) = frame.into_data() else { continue };
                    came += bytes.len() as u64;
                    call.check_lasting(node)?;
                    upload.write(bytes).await?;
                }
            },
            () = &mut over => {
                if came < least {
                    return Err(Fault::Incomplete);
                }
                came = 0;
                over.set(tokio::time::sleep(window));
            }
        }
    }
}

fn uploaded(status: StatusCode, blob: &Description) -> Result<Answer, Fault> {
    let about = json!({
        "id": blob.id,
        "size": blob.received,
        "content_type": blob.content_type,
        "sha256": blob.digest.as_deref(),
    });
    let mut response = json_response(status, about.to_string().into_bytes());
    let mut put = |name, value: Option<String>| {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    };
    put(ETAG, blob_heads::tag(blob));
    put(LOCATION, Some(format!("/v1/blobs/{}", blob.id)));
    Ok(Answer::Response(response))
}

async fn download(node: &Arc<Node>, call: &Call, id: &str) -> Result<Answer, Fault> {
    let blob = find(node, call, id).await?;
    let about = blob.describe();
    if conditions::has_changed(&call.headers, &about) {
        return Err(Refused::Changed.into());
    }
    let is_head = call.method.as_str() == "HEAD";
    let part = if is_head { Part::Whole } else { conditions::part(&call.headers, &about) };
    let head = if conditions::is_known(&call.headers, &about) {
        blob_heads::not_modified(&about)
    } else if part == Part::Unsatisfiable {
        blob_heads::unsatisfiable(&about)
    } else if is_head {
        blob_heads::of_part(&about, &part)
    } else {
        return send(node, call, blob, &part);
    };
    Ok(Answer::Response(head))
}

fn send(node: &Arc<Node>, call: &Call, blob: Arc<Blob>, part: &Part) -> Result<Answer, Fault> {
    let about = blob.describe();
    let range = match part {
        Part::Some(range) => Some(range.clone()),
        Part::Whole | Part::Unsatisfiable => about.size.map(|size| 0..size),
    };
    if range.is_none() && !call.chunks {
        let message = "the size of the blob is not known yet: use HTTP/1.1, or come back later";
        return Err(Fault::Busy(message.into()));
    }
    let places = places(node, call)?;
    let (keeper, identity) = (Arc::clone(node), Arc::clone(&call.identity));
    let holds = move || !places.is_empty() && routes::check_lasting(&keeper, &identity).is_ok();
    let reader = node.blobs.read(blob, range);
    let head = blob_heads::of_part(&about, part).into_parts().0;
    let body = Body::Blob(Download::new(reader, Box::new(holds)));
    Ok(Answer::Response(Response::from_parts(head, body)))
}

/// The blob, if the asker may read it.
async fn find(node: &Node, call: &Call, id: &str) -> Result<Arc<Blob>, Fault> {
    let blob = node.blobs.find(id).ok_or(ABSENT)?;
    if owns(node, call, &blob) {
        return Ok(blob);
    }
    let own_topic = format!("{BLOBS}{id}");
    let topics = blob.topic.as_deref().into_iter().chain([own_topic.as_str()]);
    let granted = topics.filter(|topic| call.identity.may(Action::Subscribe, topic));
    let granted: Vec<String> = granted.map(str::to_owned).collect();
    if granted.is_empty() {
        return Err(ABSENT);
    }
    let permits = consult::topics(node, call, granted).await;
    if permits.is_none_or(|permits| permits.iter().any(|(_, allowed)| *allowed)) {
        Ok(blob)
    } else {
        Err(ABSENT)
    }
}

fn owns(node: &Node, call: &Call, blob: &Blob) -> bool {
    is_somebody(node, call) && *blob.owner == *call.identity.name
}

const ABSENT: Fault = Fault::NotFound("there is no such blob, or it is not for this credential");

async fn delete(node: &Node, call: &Call, id: &str) -> Result<Answer, Fault> {
    let blob = find(node, call, id).await?;
    if !owns(node, call, &blob) {
        return Err(protocol::Fault::new(403, "forbidden", "the blob is another user's").into());
    }
    if conditions::has_changed(&call.headers, &blob.describe()) {
        return Err(Refused::Changed.into());
    }
    node.blobs.remove(&blob);
    Ok(Answer::Response(json_response(StatusCode::OK, b"{\"removed\":true}".into())))
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        let (status, code) = match &refused {
            Refused::TooLarge(_) => (413, "too_large"),
            Refused::Full(_) => (507, "no_room"),
            Refused::Exists => (409, "exists"),
            Refused::Changed => (412, "changed"),
            Refused::Removed => (409, "removed"),
            Refused::Closed => return Self::Busy(refused.to_string()),
            Refused::Disk(error) => {
                tracing::warn!(%error, "a blob could not be stored");
                (507, "not_stored")
            }
        };
        protocol::Fault::new(status, code, refused.to_string()).into()
    }
}
