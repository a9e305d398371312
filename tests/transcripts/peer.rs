//! The client's end of a stream: bytes to lines and lines to bytes, the same for both kinds of server.

use std::collections::VecDeque;

use millrace::wire::websocket::{Decoder, Incoming, Input, Intake, Opcode, Role, encode_masked};

pub struct Peer {
    kind: Kind,
    lines: VecDeque<String>,
    ended: bool,
}

enum Kind {
    WebSocket(Box<(Decoder, Intake)>),
    /// A chunked body: what is not yet a chunk, and what is not yet a line.
    Lines {
        chunked: Vec<u8>,
        plain: Vec<u8>,
    },
}

impl Peer {
    pub fn new(transport: &str) -> Self {
        let kind = match transport {
            "ws" => Kind::WebSocket(Box::new((Decoder::new(Role::Client, false), Intake::new(16 << 20)))),
            "sse" | "ndjson" => Kind::Lines { chunked: Vec::new(), plain: Vec::new() },
            other => panic!("no transport {other}"),
        };
        Self { kind, lines: VecDeque::new(), ended: false }
    }

    /// Takes what the server sent.
    pub fn receive(&mut self, bytes: &[u8]) {
        match &mut self.kind {
            Kind::WebSocket(both) => {
                let mut bytes = bytes.to_vec();
                let mut input = Input::new(&mut bytes);
                while let Some(incoming) = both.0.next(&mut input, &mut both.1).unwrap() {
                    self.lines.push_back(shown(&incoming));
                }
            }
            Kind::Lines { chunked, plain } => {
                chunked.extend_from_slice(bytes);
                while let Some(chunk) = take_chunk(chunked) {
                    plain.extend_from_slice(&chunk);
                }
                while let Some(end) = plain.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = plain.drain(..=end).collect();
                    self.lines.push_back(String::from_utf8_lossy(&line[..end]).into_owned());
                }
            }
        }
    }

    /// The server has ended the stream.
    pub fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.lines.push_back("end".into());
        }
    }

    pub fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    pub fn next(&mut self) -> Option<String> {
        self.lines.pop_front()
    }
}

fn shown(incoming: &Incoming<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match incoming {
        Incoming::Text(text) => (*text).into(),
        Incoming::Binary(bytes) => {
            format!("binary {}", bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())
        }
        Incoming::Ping(payload) => format!("ping {}", text(payload)).trim_end().into(),
        Incoming::Pong(payload) => format!("pong {}", text(payload)).trim_end().into(),
        Incoming::Close(None) => "close".into(),
        Incoming::Close(Some((code, reason))) => format!("close {code} {reason}").trim_end().into(),
    }
}

/// The content of the first chunk, if it is all there. The last one is empty and is left.
fn take_chunk(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let line = bytes.windows(2).position(|two| two == b"\r\n")?;
    let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
    if size == 0 || bytes.len() < line + 2 + size + 2 {
        return None;
    }
    let chunk = bytes[line + 2..line + 2 + size].to_vec();
    bytes.drain(..line + 2 + size + 2);
    Some(chunk)
}

/// The bytes of what a client says; `None` when it ends the connection.
pub fn said(text: &str) -> Option<Vec<u8>> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let (opcode, payload) = match word {
        "end" => return None,
        "raw" => return Some(hex(rest)),
        "binary" => (Opcode::Binary, hex(rest)),
        "ping" => (Opcode::Ping, rest.as_bytes().to_vec()),
        "close" => {
            (Opcode::Close, rest.parse::<u16>().map_or_else(|_| Vec::new(), |code| code.to_be_bytes().into()))
        }
        _ => (Opcode::Text, text.replace("\\n", "\n").into_bytes()),
    };
    let mut out = Vec::new();
    encode_masked(&mut out, opcode, false, [9, 8, 7, 6], &payload);
    Some(out)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|two| (two[0] * 16 + two[1]) as u8).collect()
}
