//! A connection: what a shard keeps about one client. Small, because most of them are idle.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use mio::event::Source;
use mio::net::{TcpStream, UnixStream};

use super::leases::Leases;
use crate::auth::{Caller, Identity, Permits};
use crate::dialect::{Dialect, Message, Transport};
use crate::engine::Bucket;
use crate::limits::SCRATCH_BYTES_KEPT;
use crate::wire::websocket::Decoder;

/// A plain socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// Unix domain.
    Unix(UnixStream),
}

impl Socket {
    /// The socket to poll.
    pub fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(socket) => socket,
            Self::Unix(socket) => socket,
        }
    }

    /// Tells the peer that nothing follows; a peer that is gone need not be told.
    pub fn finish(&mut self) {
        let how = std::net::Shutdown::Write;
        let _gone = match self {
            Self::Tcp(socket) => socket.shutdown(how),
            Self::Unix(socket) => socket.shutdown(how),
        };
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Unix(socket) => socket.read(buffer),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(socket) => socket.as_raw_fd(),
            Self::Unix(socket) => socket.as_raw_fd(),
        }
    }
}

/// A connection on its way from the handshake to a shard.
pub struct Handoff<S = Socket> {
    /// The socket, registered nowhere.
    pub socket: S,
    /// What it speaks.
    pub dialect: Box<dyn Dialect>,
    /// How its bytes are framed.
    pub transport: Transport,
    /// The head of the response, which goes out together with the first messages.
    pub head: Vec<u8>,
    /// What the client sent behind its request.
    pub read_ahead: Bytes,
    /// Who it is.
    pub identity: Arc<Identity>,
    /// Its places under the limits on connections.
    pub leases: Leases,
    /// What others were asked about it.
    pub consulted: Consulted,
}

/// What others were asked about a connection that begins. Empty where nobody is.
#[derive(Clone, Debug, Default)]
pub struct Consulted {
    /// Where it comes from, for what they will be asked later.
    pub caller: Option<Arc<Caller>>,
    /// The topics it begins with, and whether it may read them.
    pub permits: Permits,
}

/// What waits for an answer.
#[derive(Debug, Default)]
pub struct Waiting {
    /// The message that the question is about.
    pub message: Option<Held>,
    /// What came behind it, not yet looked at.
    pub unread: Vec<u8>,
}

/// A message that is kept.
#[derive(Debug)]
pub enum Held {
    /// Text.
    Text(String),
    /// Anything.
    Binary(Vec<u8>),
}

impl From<Message<'_>> for Held {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.into()),
            Message::Binary(bytes) => Self::Binary(bytes.into()),
        }
    }
}

impl Held {
    /// The message.
    pub fn message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => Message::Text(text),
            Self::Binary(bytes) => Message::Binary(bytes),
        }
    }
}

/// Where a subscription lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubRef {
    /// Its group.
    pub group: u32,
    /// Index in the group's array.
    pub index: u32,
}

/// The subscriptions of a connection.
#[derive(Debug, Default)]
pub enum Subs {
    /// None yet, or none any more.
    #[default]
    None,
    /// One, as nearly every connection has.
    One(SubRef),
    /// Any number, and patterns.
    Many(Box<Many>),
}

/// The subscriptions of a connection that reads several topics.
#[derive(Debug, Default)]
pub struct Many {
    /// Subscriptions; a subscription knows its index here.
    pub refs: Vec<SubRef>,
    /// Numbers of the watched patterns.
    pub watches: Vec<u64>,
}

impl Subs {
    /// All subscriptions.
    pub fn refs(&self) -> &[SubRef] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => &many.refs,
        }
    }

    /// The patterns.
    pub fn watches(&self) -> &[u64] {
        match self {
            Self::Many(many) => &many.watches,
            _ => &[],
        }
    }

    /// Room for more than one.
    pub fn many(&mut self) -> &mut Many {
        if !matches!(self, Self::Many(_)) {
            let refs = self.refs().to_vec();
            *self = Self::Many(Box::new(Many { refs, watches: Vec::new() }));
        }
        match self {
            Self::Many(many) => many,
            _ => unreachable!("made above"),
        }
    }

    /// Adds a subscription and returns its index.
    pub fn push(&mut self, sub: SubRef) -> u32 {
        if matches!(self, Self::None) {
            *self = Self::One(sub);
            return 0;
        }
        let refs = &mut self.many().refs;
        refs.push(sub);
        refs.len() as u32 - 1
    }

    /// The subscription `back` has moved.
    pub fn moved(&mut self, back: u32, to: SubRef) {
        match self {
            Self::None => {}
            Self::One(one) => *one = to,
            Self::Many(many) => many.refs[back as usize] = to,
        }
    }

    /// Takes subscription `back` out; the one that takes its place, if any, must learn its new index `back`.
    pub fn take(&mut self, back: u32) -> Option<SubRef> {
        match self {
            Self::None => None,
            Self::One(_) => {
                *self = Self::None;
                None
            }
            Self::Many(many) => {
                many.refs.swap_remove(back as usize);
                many.refs.get(back as usize).copied()
            }
        }
    }
}

/// What waits to be written to one client alone.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// The rest of the frame in which a write stopped; nothing may come before it.
    pub partial: Bytes,
    /// Answers, control frames, the response head: whole frames.
    pub queue: Vec<u8>,
    /// How much of the queue is written.
    pub written: usize,
}

impl Outgoing {
    /// What to write next; empty when nothing waits.
    pub fn next(&self) -> &[u8] {
        if self.partial.is_empty() { &self.queue[self.written..] } else { &self.partial }
    }

    /// `count` bytes of [`Self::next`] were written.
    pub fn advance(&mut self, count: usize) {
        if self.partial.is_empty() {
            self.written += count;
            self.compact();
        } else {
            self.partial.advance(count);
        }
    }

    /// Gives back what is written, so that a queue that never becomes empty does not grow for ever; each byte
    /// is moved once at most for each one that was written.
    fn compact(&mut self) {
        if self.written >= SCRATCH_BYTES_KEPT && self.written * 2 >= self.queue.len() {
            self.queue.drain(..self.written);
            self.written = 0;
        }
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.partial.len() + self.queue.len() - self.written
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is true of a connection now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flags {
    /// It stands in the queue of connections to be pumped.
    pub ready: bool,
    /// Its socket is full; it waits for writability.
    pub blocked: bool,
    /// It gets no more events; what waits is written, then the socket is finished.
    pub closing: bool,
    /// The socket is finished, or broken: it is dropped at the end of the turn or when the peer ends too.
    pub finished: bool,
    /// It will be removed at the end of the turn.
    pub doomed: bool,
    /// Reading is suspended until its answers are written.
    pub paused: bool,
    /// It stands in the list of blocked connections.
    pub listed: bool,
    /// It gets a prefix of its own before every event.
    pub prefixed: bool,
    /// It gets events of several topics as they were published.
    pub ordered: bool,
    /// A ping is unanswered.
    pub pinged: bool,
    /// It has not taken its rest in time: nothing of it is kept.
    pub overdue: bool,
    /// The peer has sent its close.
    pub peer_closed: bool,
    /// It stands in the list of those that have more to read.
    pub unheard: bool,
    /// Its dialect wants to be asked at a time.
    pub alarmed: bool,
    /// A timer of it is on the way that comes up at [`Conn::wakeup_ms`].
    pub scheduled: bool,
}

/// See the module.
pub struct Conn<S> {
    /// The socket.
    pub socket: S,
    /// Taken out while it is being asked.
    pub dialect: Option<Box<dyn Dialect>>,
    /// Absent while nothing waits.
    pub out: Option<Box<Outgoing>>,
    /// What it reads.
    pub subs: Subs,
    /// Incomplete input.
    pub decoder: Decoder,
    /// Who it is.
    pub identity: Arc<Identity>,
    /// Where it comes from, if anybody is asked about that.
    pub caller: Option<Arc<Caller>>,
    /// What its input waits with for an answer.
    pub waiting: Option<Box<Waiting>>,
    /// Its places under limits, held until the end.
    pub leases: Leases,
    /// What its client may still send.
    pub allowance: Bucket,
    /// When anything was heard last, monotonic milliseconds, wrapping.
    pub heard_ms: u32,
    /// When the client sent a message last, monotonic milliseconds, wrapping.
    pub spoke_ms: u32,
    /// When the socket last took something while blocked, or when the close began.
    pub progress_ms: u32,
    /// When its timer is to come up, monotonic milliseconds, wrapping.
    pub wakeup_ms: u32,
    /// When it is to be pinged next, monotonic milliseconds, wrapping.
    pub ping_ms: u32,
    /// When its dialect wants to be asked, monotonic milliseconds, wrapping, if [`Flags::alarmed`].
    pub alarm_ms: u32,
    /// The question whose answer its input waits for; 0 for none.
    pub asked: u32,
    /// How bytes are framed.
    pub transport: Transport,
    /// See there.
    pub flags: Flags,
}

impl<S> Conn<S> {
    /// What waits, made if nothing does.
    pub fn outgoing(&mut self) -> &mut Outgoing {
        self.out.get_or_insert_default()
    }

    /// Whether anything waits to be written to this client alone.
    pub fn has_outgoing(&self) -> bool {
        self.out.as_ref().is_some_and(|out| !out.is_empty())
    }

    /// Whether its subscriptions may be written to by the turn of their topic.
    pub fn is_direct(&self) -> bool {
        !self.flags.prefixed && self.subs.refs().len() == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        // In debug builds a socket knows more than its descriptor.
        let bytes = size_of::<Conn<Socket>>() - size_of::<Socket>();
        assert!(bytes <= 176, "{bytes}");
    }

    #[test]
    fn an_outbox_that_is_never_empty_does_not_grow() {
        let mut out = Outgoing::default();
        out.queue.extend_from_slice(&[0; 100]);
        for round in 0..10_000_u32 {
            out.queue.extend_from_slice(&[(round % 251) as u8; 1000]);
            out.advance(1000);
        }
        assert_eq!(out.len(), 100);
        assert!(out.queue.capacity() < 4 * SCRATCH_BYTES_KEPT, "{}", out.queue.capacity());
        assert!(out.next().iter().all(|&byte| byte == (9999 % 251) as u8));
    }
}
