//! A plain HTTP client for bytes, which can tell a body that ended from one that was cut.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::support::{PATIENCE, Running, read_head};

/// An answer: its head, its body, and whether that came to its end.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub head: String,
    pub body: Vec<u8>,
    pub is_whole: bool,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(&self.body[..self.body.len().min(300)]);
        write!(f, "{}{shown} ({} bytes, whole: {})", self.head, self.body.len(), self.is_whole)
    }
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A connection on which something is under way.
pub struct Http(pub TcpStream);

impl Http {
    pub fn connect(server: &Running) -> Self {
        let socket = TcpStream::connect(&server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// Begins a request. `headers` must say how its body is framed.
    pub fn begin(server: &Running, method: &str, target: &str, headers: &str) -> Self {
        let mut http = Self::connect(server);
        http.send(
            format!("{method} {target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n")
                .as_bytes(),
        );
        http
    }

    /// Begins an upload whose size is not announced.
    pub fn upload(server: &Running, target: &str, headers: &str) -> Self {
        Self::begin(server, "PUT", target, &format!("transfer-encoding: chunked\r\n{headers}"))
    }

    /// A server that has refused already may have closed.
    pub fn send(&mut self, bytes: &[u8]) {
        let _closed = self.0.write_all(bytes);
    }

    /// A chunk of such an upload.
    pub fn chunk(&mut self, bytes: &[u8]) {
        self.send(format!("{:x}\r\n", bytes.len()).as_bytes());
        self.send(bytes);
        self.send(b"\r\n");
    }

    pub fn finish(mut self) -> Answer {
        self.send(b"0\r\n\r\n");
        self.answer(false)
    }

    pub fn answer(mut self, is_head: bool) -> Answer {
        let head = read_head(&mut self.0);
        let answer = Answer { head, body: Vec::new(), is_whole: true };
        match answer.header("content-length").map(|length| length.parse().unwrap()) {
            _ if is_head || answer.status() == 304 => answer,
            Some(length) => self.rest(answer, length),
            None => self.chunks(answer),
        }
    }

    fn rest(mut self, mut answer: Answer, length: usize) -> Answer {
        let _cut = Read::by_ref(&mut self.0).take(length as u64).read_to_end(&mut answer.body);
        answer.is_whole = answer.body.len() == length;
        answer
    }

    fn chunks(mut self, mut answer: Answer) -> Answer {
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"), "{answer:?}");
        answer.is_whole = false;
        while let Some(chunk) = self.next_chunk() {
            if chunk.is_empty() {
                answer.is_whole = true;
                return answer;
            }
            answer.body.extend(chunk);
        }
        answer
    }

    /// The next chunk of a body; an empty one ends it, and `None` says that it was cut.
    pub fn next_chunk(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).ok()?;
            line.push(byte[0]);
        }
        let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        self.0.read_exact(&mut chunk).ok()?;
        chunk.truncate(size);
        Some(chunk)
    }
}

/// One request without a body.
pub fn ask(server: &Running, method: &str, target: &str, headers: &str) -> Answer {
    Http::begin(server, method, target, headers).answer(method == "HEAD")
}

pub fn get(server: &Running, target: &str, headers: &str) -> Answer {
    ask(server, "GET", target, headers)
}

/// A whole upload with its size announced.
pub fn put(server: &Running, target: &str, headers: &str, body: &[u8]) -> Answer {
    let mut http =
        Http::begin(server, "PUT", target, &format!("content-length: {}\r\n{headers}", body.len()));
    http.send(body);
    http.answer(false)
}

/// Bytes that differ from place to place.
pub fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..count.div_ceil(8)).flat_map(|_| next()).take(count).collect()
}
