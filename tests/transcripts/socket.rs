//! A server in this process, over TCP.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::peer::{Peer, said};
use crate::support::{PATIENCE, Running, body, read_head};

pub struct Socket {
    /// Before the server, so that clients are gone when it drains.
    streams: BTreeMap<char, (TcpStream, Peer)>,
    server: Running,
    answer: Option<String>,
}

impl Socket {
    pub fn new(config: &str) -> Self {
        Self { server: Running::start(config), streams: BTreeMap::new(), answer: None }
    }

    fn request(&mut self, text: &str) {
        let mut words = text.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (method, target, media_type, content) = (word(), word(), word(), word());
        let header = match media_type {
            "" => String::new(),
            "upgrade" => "upgrade: websocket\r\n".into(),
            media_type => format!("content-type: {media_type}\r\n"),
        };
        let response = self.server.request(method, target, &header, &content.replace("\\n", "\n"));
        self.answer = Some(format!("{} {}", &response[9..12], body(&response)).trim_end().to_owned());
    }
}

impl crate::Server for Socket {
    fn open(&mut self, stream: char, transport: &str, target: &str) {
        let mut socket = TcpStream::connect(&self.server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let headers = match transport {
            "ws" => {
                "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
                     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            }
            "sse" => "accept: text/event-stream\r\n",
            _ => "accept: application/x-ndjson\r\n",
        };
        let (target, header) = target.split_once(' ').unwrap_or((target, "x-no-header: of its own"));
        write!(socket, "GET {target} HTTP/1.1\r\nhost: test\r\n{headers}{header}\r\n\r\n").unwrap();
        let head = read_head(&mut socket);
        assert!(head.starts_with("HTTP/1.1 101") || head.starts_with("HTTP/1.1 200"), "{target}: {head}");
        self.streams.insert(stream, (socket, Peer::new(transport)));
    }

    fn send(&mut self, stream: char, text: &str) {
        let (socket, _) = self.streams.get_mut(&stream).unwrap();
        // A server that has closed need not take what is said.
        let _gone = match said(text) {
            Some(bytes) => socket.write_all(&bytes),
            None => socket.shutdown(Shutdown::Write),
        };
    }

    fn next(&mut self, stream: char) -> Option<String> {
        if let Some(answer) = self.answer.take() {
            return Some(answer);
        }
        let (socket, peer) = self.streams.get_mut(&stream)?;
        let mut buffer = vec![0; 64 << 10];
        while !peer.has_lines() {
            match socket.read(&mut buffer) {
                Ok(0) => peer.end(),
                Ok(count) => peer.receive(&buffer[..count]),
                Err(_) => return None,
            }
        }
        peer.next()
    }

    fn happens(&mut self, event: &str) {
        let (what, rest) = event.split_once(' ').unwrap_or((event, ""));
        match (what, rest.split_once(' ')) {
            ("publish", Some((topic, json))) => {
                let response = self.server.publish(topic, json);
                assert!(response.starts_with("HTTP/1.1 200"), "{response}");
            }
            ("refused", Some((topic, json))) => {
                let response = self.server.publish(topic, json);
                assert!(response.starts_with("HTTP/1.1 4"), "{response}");
            }
            ("request", _) => self.request(rest),
            ("drain", _) => self.server.drain(),
            _ => panic!("no event {event}"),
        }
    }

    #[allow(clippy::disallowed_methods, reason = "time passes by itself here")]
    fn advance(&mut self, millis: u64) {
        std::thread::sleep(Duration::from_millis(millis));
    }

    fn left_over(&mut self) -> Vec<String> {
        let left = self.streams.values_mut().flat_map(|(_, peer)| std::iter::from_fn(|| peer.next()));
        left.chain(self.answer.take()).filter(|line| line != "end").collect()
    }
}
