//! The little HTTP/1.1 a load generator needs: a request for a stream, the head of the answer.

use std::fmt::Write as _;

use super::Transport;

const WEBSOCKET: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: bWlsbHJhY2UtbG9hZHRlcw==\r\n";
const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                       client_no_context_takeover\r\n";

fn transport_headers(transport: Transport) -> String {
    match transport {
        Transport::Ws => WEBSOCKET.into(),
        Transport::WsDeflate => [WEBSOCKET, DEFLATE].concat(),
        Transport::Sse => "Accept: text/event-stream\r\n".into(),
        Transport::Ndjson => "Accept: application/x-ndjson\r\n".into(),
    }
}

/// Encodes everything that means something in a query.
pub fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn authorization(token: Option<&str>) -> String {
    token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"))
}

/// The request that opens the stream that `target` names.
pub fn subscribe_request(host: &str, transport: Transport, target: &str, token: Option<&str>) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\n{}{}\r\n",
        transport_headers(transport),
        authorization(token),
    )
}

/// The request that opens a publishing WebSocket.
pub fn publish_request(host: &str, topic: &str, token: Option<&str>) -> String {
    let authorization = authorization(token);
    format!("GET /v1/publish?topic={topic} HTTP/1.1\r\nHost: {host}\r\n{WEBSOCKET}{authorization}\r\n")
}

/// A request that publishes `body` to `topic` on a connection that stays open.
pub fn post_request(host: &str, topic: &str, kind: &str, body: &str, token: Option<&str>) -> String {
    format!(
        "POST /v1/topics/{topic} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{}\r\n{body}",
        body.len(),
        authorization(token),
    )
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// How many bytes the head has, with the empty line.
    pub length: usize,
    /// Whether the body is chunked.
    pub chunked: bool,
    /// `Content-Length`, where given.
    pub content_length: Option<usize>,
    /// Whether permessage-deflate was agreed on.
    pub deflate: bool,
}

/// Reads the head at the start of `bytes`; `None` while it is incomplete or not HTTP.
pub fn parse_head(bytes: &[u8]) -> Option<Head> {
    let length = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..length]).ok()?.to_ascii_lowercase();
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header =
        |name: &str| text.split("\r\n").filter_map(|line| line.split_once(':')).find(|(key, _)| *key == name);
    let says = |name, value| header(name).is_some_and(|(_, text)| text.contains(value));
    Some(Head {
        status,
        length,
        chunked: says("transfer-encoding", "chunked"),
        content_length: header("content-length").and_then(|(_, value)| value.trim().parse().ok()),
        deflate: says("sec-websocket-extensions", "permessage-deflate"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_carry_the_token() {
        let request = subscribe_request("h:1", Transport::Sse, "/v1/topics/a", Some("k"));
        assert!(request.starts_with("GET /v1/topics/a HTTP/1.1\r\nHost: h:1\r\n"));
        assert!(request.contains("Authorization: Bearer k\r\n") && request.ends_with("\r\n\r\n"));
    }

    #[test]
    fn heads_are_read_when_complete() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\ncontent-length: 5\r\n\r\nrest";
        let head = parse_head(bytes).expect("complete");
        assert_eq!((head.status, head.length, head.chunked), (200, bytes.len() - 4, true));
        assert_eq!((head.content_length, head.deflate), (Some(5), false));
        assert_eq!(parse_head(&bytes[..30]), None);
    }
}
