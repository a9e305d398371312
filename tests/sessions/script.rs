//! A responder that says what its question tells it to, and clients of the streams.
//!
//! A question is a list of orders, parted by `;`: `say 20` (words), `say 20 every 5` (milliseconds), `tool search`, `wait 50`,
//! `fail TIMEOUT`, `hang`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use millrace::dialect::sessions::Step;
use millrace::dialect::sessions::step::Code;
use millrace::respond::{Agent, Agents, Answering, Failure, Finish, Job, Responder, Sink};
use millrace::server::Server;
use serde_json::{Value, json};

use crate::support::{PATIENCE, Running, body, read_head};

struct Script;

impl Responder for Script {
    fn kind(&self) -> &'static str {
        "script"
    }

    fn answer<'a>(&'a self, job: &'a Job, sink: &'a Sink) -> Answering<'a> {
        Box::pin(async move {
            for order in job.question.text.split(';') {
                let words: Vec<_> = order.split_whitespace().collect();
                obey(&words, sink).await?;
            }
            Ok(Finish { confidence: Some(0.9), sources: vec!["script.md".into()], agent: None })
        })
    }
}

async fn obey(words: &[&str], sink: &Sink) -> Result<(), Failure> {
    let millis = |text: &str| Duration::from_millis(text.parse().unwrap());
    match *words {
        ["say", count] => say(count, Duration::ZERO, sink).await,
        ["say", count, "every", pause] => say(count, millis(pause), sink).await,
        ["wait", pause] => {
            tokio::time::sleep(millis(pause)).await;
            Ok(())
        }
        ["tool", tool] => {
            let (tool, args) = (tool.to_owned(), r#"{"query":"example"}"#.to_owned());
            sink.say(Step::ToolCall { tool: tool.clone(), args }).await?;
            sink.say(Step::ToolResult { tool, result: r#"{"found":1}"#.into() }).await
        }
        ["fail", code] => Err(failure(code)),
        ["hang"] => std::future::pending().await,
        _ => Err(Failure::new(Code::Failed, format!("no order: {words:?}"))),
    }
}

async fn say(count: &str, pause: Duration, sink: &Sink) -> Result<(), Failure> {
    for number in 0..count.parse().unwrap() {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        sink.say(Step::Text(word(number))).await?;
    }
    Ok(())
}

fn failure(code: &str) -> Failure {
    let all = [Code::RateLimited, Code::Timeout, Code::ConnectionLost, Code::Failed];
    let code = all.into_iter().find(|one| one.name() == code).unwrap();
    let retry_after_ms = (code == Code::RateLimited).then_some(1500);
    Failure { retry_after_ms, ..Failure::new(code, "as it was told") }
}

/// A word of an answer; some are hard to write.
fn word(number: usize) -> String {
    let marks = ["", "\n", "\"", "é", "\u{2028}", "\\", "😀"];
    format!("{number}{} ", marks[number % marks.len()])
}

/// What `say count` says.
pub fn words(count: usize) -> String {
    (0..count).map(word).collect()
}

/// A server whose agents obey.
pub fn server(toml: &str) -> Running {
    Running::start_bound(1, toml, |config| {
        let agent = Agent {
            name: "agent_123".into(),
            description: String::new(),
            keywords: Vec::new(),
            responder: Arc::new(Script),
        };
        Server::bind_with(config, Agents::new(Vec::new(), Arc::new(agent))).unwrap()
    })
}

/// An event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: String,
    pub event: String,
    pub data: Value,
}

impl Event {
    pub fn position(&self) -> u64 {
        self.data["position"].as_u64().unwrap_or_else(|| panic!("no position: {self:?}"))
    }

    /// What it adds to the answer.
    pub fn text(&self) -> &str {
        if self.event == "message" { self.data["content"].as_str().unwrap() } else { "" }
    }
}

/// A client of a stream of server-sent events.
pub struct Stream {
    socket: TcpStream,
    chunked: Vec<u8>,
    plain: Vec<u8>,
    is_over: bool,
}

impl Stream {
    /// Opens one; it must be one.
    pub fn open(server: &Running, method: &str, target: &str, headers: &str, body: &str) -> Self {
        let (stream, head) = Self::request(server, method, target, headers, body);
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.to_lowercase().contains("content-type: text/event-stream"), "{head}");
        stream
    }

    fn request(server: &Running, method: &str, target: &str, headers: &str, body: &str) -> (Self, String) {
        let mut socket = TcpStream::connect(&server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let head =
            format!("{method} {target} HTTP/1.1\r\nhost: test\r\n{headers}content-length: {length}\r\n");
        write!(socket, "{head}content-type: application/json\r\n\r\n{body}").unwrap();
        let head = read_head(&mut socket);
        (Self { socket, chunked: Vec::new(), plain: Vec::new(), is_over: false }, head)
    }

    /// The next event; `None` when the stream is over.
    pub fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.plain.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.plain.drain(..end + 2).collect();
                match parse(&String::from_utf8(block).unwrap()) {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            if self.is_over {
                assert!(self.plain.is_empty(), "half an event");
                return None;
            }
            self.read();
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; 16 << 10];
        let count = self.socket.read(&mut buffer).unwrap();
        assert!(count > 0, "the stream broke off");
        self.chunked.extend_from_slice(&buffer[..count]);
        while let Some(line) = self.chunked.windows(2).position(|two| two == b"\r\n") {
            let size = usize::from_str_radix(str::from_utf8(&self.chunked[..line]).unwrap(), 16).unwrap();
            if self.chunked.len() < line + 2 + size + 2 {
                break;
            }
            self.plain.extend_from_slice(&self.chunked[line + 2..line + 2 + size]);
            self.chunked.drain(..line + 2 + size + 2);
            self.is_over |= size == 0;
        }
    }

    /// Reads up to the first event of this type.
    pub fn until(&mut self, event: &str) -> Vec<Event> {
        let mut all = Vec::new();
        while all.last().is_none_or(|last: &Event| last.event != event) {
            all.push(self.next().unwrap_or_else(|| panic!("it ended before {event}: {all:?}")));
        }
        all
    }

    /// All that comes until the end.
    pub fn rest(mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

/// Reads a session.
pub fn follow(server: &Running, headers: &str, id: &str, query: &str) -> Stream {
    Stream::open(server, "GET", &format!("/v1/sessions/{id}/stream?{query}"), headers, "")
}

/// An event out of its lines; `None` where they are a remark, or a hint.
fn parse(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let data = block.lines().find_map(|line| line.strip_prefix("data: "))?;
    Some(Event {
        id: field("id: ").into(),
        event: field("event: ").into(),
        data: serde_json::from_str(data).unwrap(),
    })
}

/// The body of a question.
pub fn question(goal: &str) -> Value {
    json!({"agent_id": "agent_123", "goal": goal, "stream": true})
}

/// A question with more members.
pub fn question_with(goal: &str, more: Value) -> Value {
    let mut all = question(goal);
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

/// Asks, and reads the answer as a stream.
pub fn execute(server: &Running, headers: &str, body: &Value) -> Stream {
    Stream::open(server, "POST", "/v1/sessions/execute", headers, &body.to_string())
}

/// A request with a JSON answer.
pub fn ask(server: &Running, method: &str, target: &str, headers: &str, sent: &Value) -> (u16, Value) {
    let headers = format!("content-type: application/json\r\n{headers}");
    let sent = if sent.is_null() { String::new() } else { sent.to_string() };
    let response = server.request(method, target, &headers, &sent);
    let status = response.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body(&response)).unwrap_or_else(|_| panic!("no JSON: {response}")))
}

/// The text of an answer.
pub fn text(events: &[Event]) -> String {
    events.iter().map(Event::text).collect()
}

/// The id of the session that a stream is of.
pub fn session_of(events: &[Event]) -> String {
    events[0].data["session_id"].as_str().unwrap().into()
}
