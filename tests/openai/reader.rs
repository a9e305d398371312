//! A server whose questions the made-up model answers, and a reader of its sessions over HTTP.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;

use millrace::config::Config;
use millrace::respond::openai::{Finding, Knowledge, OpenAi, Passage, Tool, Tools};
use millrace::respond::{Agent, Agents, Job};
use millrace::server::Server;
use serde_json::{Value, json};

use super::support::{PATIENCE, Running};
use super::upstream::Upstream;

pub const KEY: &str = "sk-very-secret";

/// Knows two things about everything.
struct Manual;

impl Knowledge for Manual {
    fn passages<'a>(&'a self, _job: &'a Job) -> Finding<'a> {
        let passage = |source: &str, text: &str| Passage { source: source.into(), text: text.into() };
        let known = ["The engine has 110 kW.", "The tank holds 50 l."];
        let all = known.map(|text| passage("manual.md", text)).into_iter().chain([passage("faq.md", "No.")]);
        Box::pin(std::future::ready(Ok(all.collect())))
    }
}

fn agents(config: &Config, tools: Arc<Tools>) -> Agents {
    let model = OpenAi::new(&config.openai, Some(KEY), tools, Arc::new(Manual)).unwrap();
    let agent = |name: &str, description: &str, responder: OpenAi| {
        let (description, keywords, responder) = (description.into(), Vec::new(), Arc::new(responder));
        Arc::new(Agent { name: name.into(), description, keywords, responder })
    };
    let specs = agent("specs", "Technical questions", model.with_model("other"));
    Agents::new(vec![specs], agent("assistant", "", model))
}

/// A server that asks `upstream`; `openai` are further settings of that section, with other sections behind them.
pub fn server(upstream: &Upstream, openai: &str) -> Running {
    server_with(upstream, openai, |_| Vec::new())
}

pub fn server_with(
    upstream: &Upstream,
    openai: &str,
    tools: impl FnOnce(&Config) -> Vec<Tool> + Send + 'static,
) -> Running {
    let toml = format!("[openai]\nmodel = \"the-model\"\nurl = \"{}\"\n{openai}", upstream.url);
    Running::start_bound(1, &toml, |config| {
        let agents = agents(&config, Arc::new(Tools::new(tools(&config))));
        Server::bind_with(config, agents).unwrap()
    })
}

/// An event of a session: its type and data.
pub type Event = (String, Value);

/// A stream of them.
pub struct Stream(BufReader<TcpStream>);

impl Stream {
    /// Asks `goal` in `session`.
    pub fn ask(server: &Running, session: &str, goal: &str, more: Value) -> Self {
        let mut body = json!({"agent_id": "assistant", "goal": goal, "session_id": session, "stream": true});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body = body.to_string();
        let mut socket = TcpStream::connect(&server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let head = "POST /v1/sessions/execute HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n";
        write!(socket, "{head}content-length: {length}\r\n\r\n{body}").unwrap();
        Self(BufReader::new(socket))
    }

    /// The next event. Chunk sizes and heads are lines that are neither; no line is cut between chunks, as each event is one.
    pub fn next(&mut self) -> Option<Event> {
        let mut event = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(name) = line.strip_prefix("event: ") {
                event = name.trim().into();
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some((event, serde_json::from_str(data).unwrap()));
            }
        }
    }

    /// Everything until the turn is over.
    pub fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next() {
            let is_over = ["done", "error"].contains(&event.0.as_str());
            events.push(event);
            if is_over {
                return events;
            }
        }
        panic!("the stream has ended before the turn: {events:?}")
    }
}

/// Everything that comes of a question.
pub fn ask(server: &Running, session: &str, goal: &str) -> Vec<Event> {
    Stream::ask(server, session, goal, json!({})).rest()
}

/// The answer as readers see it, piece by piece.
pub fn pieces(events: &[Event]) -> Vec<String> {
    let texts = events.iter().filter(|(event, _)| event == "message");
    texts.map(|(_, data)| data["content"].as_str().unwrap().to_owned()).collect()
}

/// The steps by name.
pub fn steps(events: &[Event]) -> Vec<String> {
    let steps = events.iter().filter(|(event, _)| event == "step");
    steps.map(|(_, data)| data["step"].as_str().unwrap().to_owned()).collect()
}

/// The end, which must be an answer.
#[track_caller]
pub fn done(events: &[Event]) -> &Value {
    let (event, data) = events.last().unwrap();
    assert_eq!(event, "done", "{events:?}");
    data
}

/// The end, which must be an error; nothing in it may be secret.
#[track_caller]
pub fn failed(events: &[Event]) -> (&str, &Value) {
    let (event, data) = events.last().unwrap();
    assert_eq!(event, "error", "{events:?}");
    assert!(!data.to_string().contains("secret"), "{data}");
    (data["code"].as_str().unwrap(), data)
}
