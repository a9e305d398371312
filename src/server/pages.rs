//! Pages for people, over HTTP. Everybody may see them: what they show, they fetch with their reader's own credential.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use hyper::{Method, Response, StatusCode};

use super::answer::Fault;
use super::body::Body;
use super::query;
use crate::admin::pages::{Asset, POLICY};

/// What every file is sent with. Browsers ask each time whether a file has changed, so that no page is made of two versions.
const HEADERS: [(&str, &str); 7] = [
    ("cache-control", "no-cache"),
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Answers a request for a file.
///
/// # Errors
/// It is no request to read.
pub fn serve(asset: &'static Asset, method: &Method, headers: &HeaderMap) -> Result<Response<Body>, Fault> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Fault::Method("GET, HEAD"));
    }
    let is_known = query::all(headers, IF_NONE_MATCH).iter().any(|list| asset.tag.is_in(list));
    let body = if is_known { &[] } else { asset.body };
    let mut response = Response::new(Bytes::from_static(body).into());
    let out = response.headers_mut();
    for (name, value) in HEADERS {
        out.insert(name, HeaderValue::from_static(value));
    }
    out.extend(HeaderValue::from_bytes(asset.tag.as_bytes()).ok().map(|tag| (ETAG, tag)));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        out.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    }
    Ok(response)
}
