//! What peers ask of the floor and the stand-in.

use crate::wire::Transport;

/// A request, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Read a topic.
    Subscribe {
        /// Which.
        topic: String,
        /// How.
        transport: Transport,
        /// The offset to resume after.
        after: Option<u64>,
    },
    /// Publish over a WebSocket.
    Publish {
        /// The topic of envelopes that name none.
        topic: String,
    },
    /// Publish a body.
    Post {
        /// Where.
        topic: String,
        /// One event a line.
        lines: bool,
    },
    /// Take commands (the floor only).
    Control,
    /// Something else.
    Unknown,
}

/// The request at the start of `bytes`, with the lengths of its head and its body, if its head is complete.
pub fn parse(bytes: &[u8]) -> Option<(Request, usize, usize)> {
    let head = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let lower = text.to_ascii_lowercase();
    let body = lower.split("\r\n").find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut words = text.split_ascii_whitespace();
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    Some((classify(method, path, query, &lower), head, body.unwrap_or(0)))
}

fn classify<'a>(method: &str, path: &str, query: impl Fn(&str) -> Option<&'a str>, head: &str) -> Request {
    let topic = path.strip_prefix("/v1/topics/").map(str::to_owned);
    match (method, path, topic) {
        ("GET", "/control", _) => Request::Control,
        ("GET", "/v1/publish", _) => Request::Publish { topic: query("topic").unwrap_or("t").to_owned() },
        ("POST", _, Some(topic)) => Request::Post { topic, lines: head.contains("application/x-ndjson") },
        ("GET", _, Some(topic)) => {
            let after = query("after").and_then(|position| position.rsplit("%3A").next()?.parse().ok());
            Request::Subscribe { topic, transport: transport(head), after }
        }
        _ => Request::Unknown,
    }
}

fn transport(head: &str) -> Transport {
    let has = |text| head.contains(text);
    match (has("permessage-deflate"), has("upgrade: websocket"), has("text/event-stream")) {
        (true, ..) => Transport::WsDeflate,
        (_, true, _) => Transport::Ws,
        (.., true) => Transport::Sse,
        _ => Transport::Ndjson,
    }
}

/// The head of the answer that begins a stream.
pub fn stream_head(transport: Transport) -> &'static [u8] {
    match transport {
        Transport::Ws => UPGRADED,
        Transport::WsDeflate => {
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
              Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
              client_no_context_takeover\r\n\r\n"
        }
        Transport::Sse | Transport::Ndjson => {
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
              Transfer-Encoding: chunked\r\n\r\n"
        }
    }
}

/// The head of the answer that begins a WebSocket.
pub const UPGRADED: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;
    use crate::wire::http::{post_request, publish_request, subscribe_request};

    fn parsed(text: &str) -> (Request, usize, usize) {
        parse(text.as_bytes()).expect("complete")
    }

    #[test]
    fn what_the_client_asks_is_understood() {
        let target = Protocol::Topics.target("a.b", Some("5:17"), None);
        for transport in [Transport::Ws, Transport::Sse, Transport::Ndjson, Transport::WsDeflate] {
            let (request, ..) = parsed(&subscribe_request("h", transport, &target, None));
            assert_eq!(request, Request::Subscribe { topic: "a.b".into(), transport, after: Some(17) });
        }
        let (request, ..) = parsed(&publish_request("h", "x", None));
        assert_eq!(request, Request::Publish { topic: "x".into() });
        let (request, _, body) = parsed(&post_request("h", "x", "application/x-ndjson", "12345", None));
        assert_eq!((request, body), (Request::Post { topic: "x".into(), lines: true }, 5));
    }
}
