//! From the raw bytes that a client received to messages: HTTP head, chunks, frames, events, lines.

use millrace::dialect::Transport;
use millrace::wire::sse::{Item, Parser};
use millrace::wire::websocket::{Decoder, Incoming, Input, Intake, Role};

/// What stands before every stream here.
pub const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nx-simulation: 1\r\n\r\n";

const BYTES_MAX: usize = 1 << 20;

/// Something the server said.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A message; `name` and `id` are those of SSE.
    Text {
        /// SSE's name of the event.
        name: String,
        /// SSE's last id.
        id: String,
        /// JSON.
        text: String,
    },
    /// A ping, which wants an answer.
    Ping(Vec<u8>),
    /// A close frame.
    Close(u16),
    /// The end of a chunked body.
    End,
}

enum Format {
    WebSocket(Decoder, Box<Intake>),
    Sse(Parser),
    Lines(Vec<u8>),
}

/// The receiving side of one client.
pub struct Stream {
    head: usize,
    chunked: bool,
    chunks: Vec<u8>,
    format: Format,
    over: bool,
}

impl Stream {
    /// The beginning of a stream over `transport`.
    pub fn new(transport: Transport) -> Self {
        let chunked = matches!(transport, Transport::SseChunked | Transport::LinesChunked);
        let format = match transport {
            Transport::WebSocket => websocket(false),
            Transport::Deflate => websocket(true),
            Transport::SseChunked | Transport::Sse => Format::Sse(Parser::new(BYTES_MAX)),
            Transport::LinesChunked | Transport::Lines => Format::Lines(Vec::new()),
        };
        Self { head: 0, chunked, chunks: Vec::new(), format, over: false }
    }

    /// As [`Self::new`], for a stream whose head was left out.
    pub fn headless(transport: Transport) -> Self {
        Self { head: HEAD.len(), ..Self::new(transport) }
    }

    /// What `bytes` complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Said>, String> {
        if self.over && !bytes.is_empty() {
            return Err(format!("{} bytes after the end", bytes.len()));
        }
        let skipped = bytes.len().min(HEAD.len() - self.head);
        if bytes[..skipped] != HEAD[self.head..self.head + skipped] {
            return Err("the head of the response does not come first".into());
        }
        self.head += skipped;
        let mut said = Vec::new();
        if self.chunked {
            self.dechunk(&bytes[skipped..], &mut said)?;
        } else {
            self.content(bytes[skipped..].to_vec(), &mut said)?;
        }
        Ok(said)
    }

    fn dechunk(&mut self, bytes: &[u8], said: &mut Vec<Said>) -> Result<(), String> {
        self.chunks.extend_from_slice(bytes);
        while let Some(line) = self.chunks.windows(2).position(|pair| pair == b"\r\n") {
            let digits =
                std::str::from_utf8(&self.chunks[..line]).map_err(|_| "a chunk's size is no text")?;
            let size = usize::from_str_radix(digits, 16).map_err(|_| format!("chunk size {digits:?}"))?;
            let end = line + 2 + size;
            if self.chunks.len() < end + 2 {
                break;
            }
            if &self.chunks[end..end + 2] != b"\r\n" {
                return Err("a chunk does not end where it says".into());
            }
            let content = self.chunks[line + 2..end].to_vec();
            self.chunks.drain(..end + 2);
            self.chunk(content, said)?;
        }
        Ok(())
    }

    fn chunk(&mut self, content: Vec<u8>, said: &mut Vec<Said>) -> Result<(), String> {
        if !content.is_empty() {
            return self.content(content, said);
        }
        said.push(Said::End);
        self.over = true;
        if self.chunks.is_empty() { Ok(()) } else { Err("bytes after the last chunk".into()) }
    }

    fn content(&mut self, mut bytes: Vec<u8>, said: &mut Vec<Said>) -> Result<(), String> {
        match &mut self.format {
            Format::Lines(line) => lines(line, &bytes, said),
            Format::Sse(parser) => sse(parser, &bytes, said),
            Format::WebSocket(decoder, intake) => {
                let mut input = Input::new(&mut bytes);
                while let Some(incoming) =
                    decoder.next(&mut input, intake).map_err(|e| e.reason().to_owned())?
                {
                    let (message, closes) = (frame(incoming)?, matches!(incoming, Incoming::Close(_)));
                    said.extend(message);
                    self.over |= closes;
                    if closes && !input.rest().is_empty() {
                        return Err("bytes after the close frame".into());
                    }
                }
                Ok(())
            }
        }
    }
}

fn websocket(deflate: bool) -> Format {
    Format::WebSocket(Decoder::new(Role::Client, deflate), Box::new(Intake::new(BYTES_MAX)))
}

fn frame(incoming: Incoming<'_>) -> Result<Option<Said>, String> {
    Ok(match incoming {
        Incoming::Text(text) => Some(text_of("", "", text)),
        Incoming::Ping(payload) => Some(Said::Ping(payload.to_vec())),
        Incoming::Pong(payload) if payload == b"sim" => None,
        Incoming::Close(close) => Some(Said::Close(close.map_or(1005, |(code, _)| code))),
        other => return Err(format!("nobody asked for {other:?}")),
    })
}

fn text_of(name: &str, id: &str, text: &str) -> Said {
    Said::Text { name: name.into(), id: id.into(), text: text.into() }
}

fn sse(parser: &mut Parser, mut bytes: &[u8], said: &mut Vec<Said>) -> Result<(), String> {
    while let Some(item) = parser.next(&mut bytes).map_err(|e| e.to_string())? {
        if let Item::Message(message) = item {
            said.push(text_of(message.event, message.id, message.data));
        }
    }
    Ok(())
}

fn lines(line: &mut Vec<u8>, bytes: &[u8], said: &mut Vec<Said>) -> Result<(), String> {
    line.extend_from_slice(bytes);
    while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
        let text: Vec<u8> = line.drain(..=end).collect();
        let text = std::str::from_utf8(&text[..end]).map_err(|_| "a line is no text")?;
        if !text.is_empty() {
            said.push(text_of("", "", text));
        }
    }
    Ok(())
}
