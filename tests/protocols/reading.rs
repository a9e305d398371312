//! Ways to read an event, and what came of them.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::{Client, PATIENCE, Running, body, read_head};

/// How something is read.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// Over a WebSocket, after saying this.
    Socket(&'static str),
    /// As server-sent events.
    Sse,
    /// A JSON text per line.
    Lines,
    /// By a request with an answer.
    Page,
    /// By a request with this body.
    Post(&'static str),
}

/// One way, and where.
#[derive(Clone, Copy, Debug)]
pub struct Way(pub How, pub &'static str);

enum Link {
    Socket(Box<Client>),
    Stream(TcpStream),
}

/// Somebody who reads.
pub struct Reader {
    way: Way,
    link: Link,
}

impl Way {
    /// Begins to read.
    pub fn open(self, server: &Running) -> Reader {
        let Self(how, target) = self;
        let link = match how {
            How::Socket(say) => {
                let mut client = Client::connect(&server.address, target, "");
                if !say.is_empty() {
                    client.send(say);
                }
                Link::Socket(Box::new(client))
            }
            How::Sse => Link::Stream(stream(server, target, "text/event-stream")),
            How::Lines => Link::Stream(stream(server, target, "application/x-ndjson")),
            How::Page | How::Post(_) => panic!("{target} is no stream"),
        };
        Reader { way: self, link }
    }

    /// All that was received up to the event that contains `last`.
    pub fn read(self, server: &Running, last: &str) -> Vec<Value> {
        match self.0 {
            How::Page => answer(&server.get(self.1)),
            How::Post(content) => {
                answer(&server.request("POST", self.1, "content-type: application/json\r\n", content))
            }
            _ => self.open(server).read_to(last),
        }
    }
}

fn stream(server: &Running, target: &str, media_type: &str) -> TcpStream {
    let mut socket = TcpStream::connect(&server.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(socket, "GET {target} HTTP/1.1\r\nhost: test\r\naccept: {media_type}\r\n\r\n").unwrap();
    let head = read_head(&mut socket);
    assert!(head.starts_with("HTTP/1.1 200 "), "{target}: {head}");
    socket
}

fn answer(response: &str) -> Vec<Value> {
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    events(body(response))
}

impl Reader {
    /// All that was received up to the event that contains `last`.
    pub fn read_to(mut self, last: &str) -> Vec<Value> {
        let mut text = String::new();
        while !text.contains(last) {
            match &mut self.link {
                Link::Socket(client) => text += &(client.text() + "\n"),
                Link::Stream(socket) => {
                    let mut buffer = vec![0; 64 << 10];
                    let count = socket.read(&mut buffer).unwrap();
                    assert!(count > 0, "{:?} ended: {text}", self.way);
                    text += std::str::from_utf8(&buffer[..count]).unwrap();
                }
            }
        }
        events(&text)
    }
}

/// The events among lines of text: each by itself, or members of a batch or a page.
fn events(text: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
    let objects = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(Value::is_object);
    objects.flat_map(|object| object["events"].as_array().cloned().unwrap_or_else(|| vec![object])).collect()
}
