//! One topic on one transport: the joined bytes that are pending, and who they are for.

use std::io::{self, Write as _};
use std::net::TcpStream;

use super::frame::put_event;
use super::{FAULTY_OFFSET, Fault, FloorSpec};
use crate::wire::Transport;

/// A subscriber that has got everything: all that a flush has to touch, besides the socket.
pub struct Live {
    /// Its socket.
    pub sock: TcpStream,
    /// Its place among the connections.
    pub conn: u32,
}

/// A subscriber whose socket was full.
pub struct Blocked {
    /// Its socket.
    pub sock: TcpStream,
    /// Where in the stream of bytes it stands.
    pub at: u64,
    /// Its stream.
    pub stream: u32,
}

/// What a flush did to a subscriber.
pub enum Fate {
    /// It is blocked now.
    Blocked(Blocked),
    /// It is gone.
    Gone,
}

/// The bytes of a topic on a transport.
pub struct Stream {
    /// The topic.
    pub topic: String,
    /// The transport.
    pub transport: Transport,
    /// The newest offset.
    pub offset: u64,
    /// Those that have got everything up to `flushed`.
    pub live: Vec<Live>,
    /// How many are blocked.
    pub blocked: usize,
    bytes: Vec<u8>,
    /// The position of the first of `bytes`.
    base: u64,
    flushed: u64,
    /// The offset before the first that is kept, and where each kept one ends.
    kept_after: u64,
    ends: Vec<u64>,
    held: Vec<u8>,
}

impl Stream {
    /// A stream that begins after `offset`.
    pub fn new(topic: &str, transport: Transport, offset: u64) -> Self {
        Self {
            topic: topic.to_owned(),
            transport,
            offset,
            live: Vec::new(),
            blocked: 0,
            bytes: Vec::new(),
            base: 0,
            flushed: 0,
            kept_after: offset,
            ends: Vec::new(),
            held: Vec::new(),
        }
    }

    /// The position behind the last byte.
    pub fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    /// How many bytes are kept.
    pub fn holds(&self) -> usize {
        self.bytes.len()
    }

    /// Lays out the next event.
    pub fn append(&mut self, text: &[u8], spec: &FloorSpec) {
        self.offset += 1;
        let start = self.bytes.len();
        put_event(&mut self.bytes, self.transport, self.offset, text);
        if spec.fault != Fault::None {
            self.spoil(start, spec.fault);
        }
        if spec.keep {
            self.ends.push(self.end());
        }
    }

    fn spoil(&mut self, start: usize, fault: Fault) {
        if self.offset != FAULTY_OFFSET {
            self.bytes.append(&mut self.held);
            return;
        }
        match fault {
            Fault::None => {}
            Fault::Drop => self.bytes.truncate(start),
            Fault::Duplicate => self.bytes.extend_from_within(start..),
            Fault::Reorder => self.held = self.bytes.split_off(start),
            Fault::Corrupt => {
                let quote = self.bytes.iter().rposition(|&byte| byte == b'"').unwrap_or(start);
                self.bytes[quote - 1] ^= 1;
            }
        }
    }

    /// Where a subscriber begins that has read up to `after`, and that offset.
    pub fn place(&self, after: Option<u64>) -> (u64, u64) {
        let known = after.filter(|&after| after >= self.kept_after && after < self.offset);
        match known.map(|after| (after, (after - self.kept_after) as usize)) {
            Some((after, 0)) if !self.ends.is_empty() => (self.base, after),
            Some((after, n)) if n <= self.ends.len() && n > 0 => (self.ends[n - 1], after),
            _ => (self.end(), self.offset),
        }
    }

    /// Writes what is pending to everybody who is live; `done` hears of those who no longer are, and of who takes the
    /// place of each.
    pub fn flush(&mut self, id: u32, mut done: impl FnMut(u32, Fate, Option<(u32, u32)>)) {
        let pending = &self.bytes[(self.flushed - self.base) as usize..];
        let mut i = self.live.len();
        while i > 0 {
            i -= 1;
            let written = match (&self.live[i].sock).write(pending) {
                Ok(n) if n == pending.len() => continue,
                written => written,
            };
            let Live { sock, conn } = self.live.swap_remove(i);
            let moved = self.live.get(i).map(|live| (live.conn, i as u32));
            let fate = match taken(written) {
                None => Fate::Gone,
                Some(n) => Fate::Blocked(Blocked { sock, at: self.flushed + n as u64, stream: id }),
            };
            self.blocked += usize::from(matches!(fate, Fate::Blocked(_)));
            done(conn, fate, moved);
        }
        self.flushed = self.end();
    }

    /// Writes to one who was blocked as much as fits; says whether it has got everything, or nothing if it is gone.
    pub fn resume(&self, blocked: &mut Blocked) -> Option<bool> {
        let pending = &self.bytes[(blocked.at - self.base) as usize..];
        if !pending.is_empty() {
            blocked.at += taken((&blocked.sock).write(pending))? as u64;
        }
        Some(blocked.at == self.end())
    }

    /// Forgets what everybody has got.
    pub fn trim(&mut self, keep: bool) {
        if !keep && self.blocked == 0 && self.flushed == self.end() {
            self.base = self.end();
            self.bytes.clear();
        }
    }

    /// Whether there is something to write to those who are live.
    pub fn is_pending(&self) -> bool {
        self.flushed < self.end()
    }
}

/// How many bytes a write took; `None` when the connection is broken.
fn taken(written: io::Result<usize>) -> Option<usize> {
    match written {
        Ok(n) => Some(n),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Some(0),
        Err(_) => None,
    }
}
