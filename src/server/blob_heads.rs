//! Heads of responses with blobs. Whatever a blob is said to be, no browser may run it in this server's name: what could be run is
//! offered for saving, types are not guessed, and a page that is shown all the same has no rights.

use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use super::body::Body;
use crate::blobs::Description;
use crate::blobs::range::Part;

/// Types that browsers show without running anything, besides those of sound and film.
const SHOWN: [&str; 7] =
    ["text/plain", "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"];

/// The entity tag of a complete blob.
pub fn tag(blob: &Description) -> Option<String> {
    blob.digest.as_ref().map(|digest| format!("\"{digest}\""))
}

/// The head of a response with a part of a blob, or the whole.
pub fn of_part(blob: &Description, part: &Part) -> Response<Body> {
    let mut response = with_tag(blob);
    match (part, blob.size) {
        (Part::Some(range), size) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let size = size.map_or_else(|| "*".into(), |size| size.to_string());
            put(&mut response, CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1));
            put(&mut response, CONTENT_LENGTH, (range.end - range.start).to_string());
        }
        (_, Some(size)) => put(&mut response, CONTENT_LENGTH, size.to_string()),
        (_, None) => {}
    }
    describe(&mut response, blob);
    response
}

/// The client has the blob already.
pub fn not_modified(blob: &Description) -> Response<Body> {
    let mut response = with_tag(blob);
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

/// What is asked for lies behind the end.
pub fn unsatisfiable(blob: &Description) -> Response<Body> {
    let mut response = with_tag(blob);
    *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    put(&mut response, CONTENT_RANGE, format!("bytes */{}", blob.size.unwrap_or_default()));
    response
}

/// A complete blob may be kept by who has it, if each use is asked for: it can be removed, and grants can end.
fn with_tag(blob: &Description) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes::Bytes::new()));
    let kept = if blob.digest.is_some() { "private, no-cache" } else { "no-store" };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    if let Some(tag) = tag(blob) {
        put(&mut response, ETAG, tag);
    }
    response
}

fn describe(response: &mut Response<Body>, blob: &Description) {
    put(response, CONTENT_TYPE, blob.content_type.to_string());
    let headers = response.headers_mut();
    let mut fixed = |name: HeaderName, value| drop(headers.insert(name, HeaderValue::from_static(value)));
    fixed(X_CONTENT_TYPE_OPTIONS, "nosniff");
    fixed(CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    fixed(ACCEPT_RANGES, "bytes");
    if blob.digest.is_none() {
        // A proxy that gathers it would keep from its readers what is there already.
        fixed(HeaderName::from_static("x-accel-buffering"), "no");
    }
    if !is_shown(&blob.content_type) {
        fixed(CONTENT_DISPOSITION, "attachment");
    }
}

fn is_shown(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // Two types in one header are read differently by different browsers.
    let is_one = !content_type.contains(',');
    is_one && (SHOWN.contains(&&*essence) || essence.starts_with("audio/") || essence.starts_with("video/"))
}

/// Values are made of digits, digests and what was a header's value before.
fn put(response: &mut Response<Body>, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_nothing_is_shown() {
        for shown in ["text/plain", "Text/Plain; charset=utf-8", "image/png", "video/mp4", "audio/ogg"] {
            assert!(is_shown(shown), "{shown}");
        }
        let runs = ["text/html", "image/svg+xml", "application/pdf", "text/xml", "", "text/plain, text/html"];
        for saved in runs.iter().chain(&["application/javascript", "text/plainer", "image/png,image/svg+xml"])
        {
            assert!(!is_shown(saved), "{saved}");
        }
    }
}
