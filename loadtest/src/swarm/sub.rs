//! One subscriber: its socket, the state of its stream, its place in the topic.

use std::net::TcpStream;

use crate::check::Track;
use crate::wire::{Decoder, Transport};

/// What is asked of a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The window waits for it.
    Steady,
    /// It comes and goes; what it reads is checked, and nobody waits for it.
    Loose,
    /// It is not read at all once it is subscribed.
    Stalled,
    /// It is read a little at a time; the server may drop it.
    Trickle,
}

impl Kind {
    /// Whether the server may drop it.
    pub fn may_close(self) -> bool {
        matches!(self, Self::Stalled | Self::Trickle)
    }
}

/// What a subscriber asks for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The index of its topic.
    pub topic: usize,
    /// How events come.
    pub transport: Transport,
    /// How it behaves.
    pub kind: Kind,
    /// The filter, and of which offsets it lets through: (stride, residue).
    pub filter: Option<(String, (u32, u32))>,
    /// `SO_RCVBUF`.
    pub receive_buffer: Option<i32>,
}

impl Plan {
    /// A steady reader of everything in `topic`.
    pub fn steady(topic: usize, transport: Transport) -> Self {
        Self { topic, transport, kind: Kind::Steady, filter: None, receive_buffer: None }
    }
}

/// Where a subscriber is in its life.
#[derive(Debug)]
pub enum State {
    /// The answer to the handshake is not complete; its bytes so far.
    Head(Vec<u8>),
    /// The stream runs, but `subscribed` has not come.
    Begun(Decoder),
    /// It is subscribed.
    Open(Decoder),
    /// It is gone, with the close code where one came.
    Closed(Option<u16>),
}

/// One subscriber.
pub struct Sub {
    /// Its socket.
    pub sock: Option<TcpStream>,
    /// Its stream.
    pub state: State,
    /// What it has read.
    pub track: Track,
    /// What it wants.
    pub plan: Plan,
    /// Cut the connection after this many more bytes.
    pub cut_after: Option<usize>,
    /// Whether it asked for what follows a position.
    pub resumes: bool,
}

impl Sub {
    /// A subscriber that is not connected.
    pub fn new(plan: Plan) -> Self {
        let (stride, residue) = plan.filter.as_ref().map_or((1, 0), |(_, class)| *class);
        let (track, state) = (Track::new(stride, residue), State::Closed(None));
        Self { sock: None, state, track, plan, cut_after: None, resumes: false }
    }

    /// Whether it is subscribed.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// The code it was closed with.
    pub fn close_code(&self) -> Option<u16> {
        match self.state {
            State::Closed(code) => code,
            _ => None,
        }
    }

    /// Whether the window waits for it.
    pub fn is_counted(&self) -> bool {
        self.plan.kind == Kind::Steady
    }
}
