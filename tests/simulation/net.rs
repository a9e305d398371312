//! The network in memory: pipes with little room, that take what they like, report edges only, and notice
//! what a server must not do.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use millrace::delivery::net::Net;

use super::chaos::Chaos;
use super::rng::Rng;

/// One connection, seen from both ends.
#[derive(Debug, Default)]
struct Pipe {
    shard: usize,
    token: Option<usize>,
    /// On its way to the client.
    down: Vec<u8>,
    /// How much may be on its way.
    room: usize,
    /// On its way to the server.
    up: VecDeque<u8>,
    /// The client is gone.
    gone: bool,
    /// A write found no room: an edge is owed.
    starved: bool,
    /// Something came since the last edge.
    fresh: bool,
    finished: bool,
    closed: bool,
    aborted: bool,
}

/// What a poll would report.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// Whose poll.
    pub shard: usize,
    /// Under which token.
    pub token: usize,
    /// Readable, or else writable.
    pub readable: bool,
}

/// All pipes.
#[derive(Debug)]
pub struct Wires {
    pipes: BTreeMap<i32, Pipe>,
    next: i32,
    rng: Rng,
    /// Whether writes stop and are interrupted at random.
    pub rough: bool,
    /// What the server did that it must not.
    pub misdeeds: Vec<String>,
}

impl Wires {
    /// No pipes.
    pub fn new(seed: u64) -> Rc<RefCell<Self>> {
        let rng = Rng::new(seed);
        Rc::new(RefCell::new(Self { pipes: BTreeMap::new(), next: 3, rng, rough: true, misdeeds: vec![] }))
    }

    /// A client connects: the number of the server's end.
    pub fn open(&mut self, shard: usize, room: usize) -> i32 {
        self.next += 1;
        self.pipes.insert(self.next, Pipe { shard, room, ..Pipe::default() });
        self.next
    }

    /// The client reads up to `most` bytes.
    pub fn take(&mut self, key: i32, most: usize) -> Vec<u8> {
        let Some(pipe) = self.pipes.get_mut(&key) else { return Vec::new() };
        let most = most.min(pipe.down.len());
        pipe.down.drain(..most).collect()
    }

    /// The client sends.
    pub fn send(&mut self, key: i32, bytes: &[u8]) {
        let Some(pipe) = self.pipes.get_mut(&key) else { return };
        pipe.up.extend(bytes);
        pipe.fresh = true;
    }

    /// The client is gone, with everything that was on its way.
    pub fn vanish(&mut self, key: i32) {
        let Some(pipe) = self.pipes.get_mut(&key) else { return };
        (pipe.gone, pipe.fresh) = (true, true);
    }

    /// Whether the server has ended its half.
    pub fn is_over(&self, key: i32) -> bool {
        self.pipes.get(&key).is_none_or(|pipe| (pipe.finished || pipe.closed) && pipe.down.is_empty())
    }

    /// Whether the server has cut the connection off.
    pub fn was_aborted(&self, key: i32) -> bool {
        self.pipes.get(&key).is_some_and(|pipe| pipe.aborted)
    }

    /// Whether the server has let go of every socket.
    pub fn all_closed(&self) -> bool {
        self.pipes.values().all(|pipe| pipe.closed)
    }

    /// Whether nothing is on its way to anybody.
    pub fn is_quiet(&self) -> bool {
        self.pipes
            .values()
            .all(|pipe| (pipe.down.is_empty() || pipe.gone) && (pipe.up.is_empty() || pipe.closed))
    }

    /// What polls would report now.
    pub fn edges(&mut self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for pipe in self.pipes.values_mut().filter(|pipe| !pipe.closed) {
            let Some(token) = pipe.token else { continue };
            let shard = pipe.shard;
            if pipe.starved && (pipe.down.len() * 3 <= pipe.room * 2 || pipe.gone) {
                pipe.starved = false;
                edges.push(Edge { shard, token, readable: false });
            }
            if std::mem::take(&mut pipe.fresh) {
                edges.push(Edge { shard, token, readable: true });
            }
        }
        edges
    }

    fn write(&mut self, key: i32, bytes: &[u8]) -> io::Result<usize> {
        let (cut, interrupt) = (self.rng.below(bytes.len() + 1), self.rough && self.rng.chance(15));
        let cut = if self.rough && self.rng.chance(150) { cut.max(1) } else { bytes.len() };
        let Some(pipe) = self.pipes.get_mut(&key).filter(|pipe| !pipe.finished && !pipe.closed) else {
            self.misdeeds.push(format!("wrote to {key} after ending it"));
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        if interrupt {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if pipe.gone {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let fits = cut.min(pipe.room.saturating_sub(pipe.down.len()));
        pipe.starved |= fits < bytes.len();
        if fits == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        pipe.down.extend_from_slice(&bytes[..fits]);
        Ok(fits)
    }

    fn read(&mut self, key: i32, buffer: &mut [u8]) -> io::Result<usize> {
        let most = 1 + self.rng.below(300);
        let Some(pipe) = self.pipes.get_mut(&key) else { return Ok(0) };
        if pipe.up.is_empty() || pipe.gone {
            return if pipe.gone { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let count = most.min(buffer.len()).min(pipe.up.len());
        pipe.up.drain(..count).zip(buffer).for_each(|(byte, place)| *place = byte);
        Ok(count)
    }

    fn abort(&mut self, key: i32) {
        self.end(key, true);
        if let Some(pipe) = self.pipes.get_mut(&key) {
            pipe.down.clear();
            pipe.aborted = true;
        }
    }

    fn end(&mut self, key: i32, close: bool) {
        let Some(pipe) = self.pipes.get_mut(&key) else { return };
        if pipe.closed || (pipe.finished && !close) {
            self.misdeeds.push(format!("ended {key} twice"));
        }
        (pipe.finished, pipe.closed) = (true, close);
    }
}

/// The server's end of a pipe.
#[derive(Debug)]
pub struct SimSocket(pub i32);

/// The pipes as one shard sees them.
#[derive(Clone)]
pub struct SimNet {
    /// All pipes.
    pub wires: Rc<RefCell<Wires>>,
    /// What other threads do meanwhile.
    pub chaos: Arc<Chaos>,
}

impl Net for SimNet {
    type Socket = SimSocket;

    fn key(&self, socket: &SimSocket) -> i32 {
        socket.0
    }

    fn register(&mut self, socket: &mut SimSocket, token: usize) -> io::Result<()> {
        let mut wires = self.wires.borrow_mut();
        wires.pipes.get_mut(&socket.0).expect("an open pipe").token = Some(token);
        Ok(())
    }

    fn write(&mut self, key: i32, bytes: &[u8]) -> io::Result<usize> {
        self.chaos.strike();
        self.wires.borrow_mut().write(key, bytes)
    }

    fn read(&mut self, socket: &mut SimSocket, buffer: &mut [u8]) -> io::Result<usize> {
        self.wires.borrow_mut().read(socket.0, buffer)
    }

    fn finish(&mut self, socket: &mut SimSocket) {
        self.wires.borrow_mut().end(socket.0, false);
    }

    fn queued(&self, key: i32) -> usize {
        self.wires.borrow().pipes.get(&key).map_or(0, |pipe| pipe.down.len())
    }

    fn abort(&mut self, socket: SimSocket) {
        self.wires.borrow_mut().abort(socket.0);
    }

    fn close(&mut self, socket: SimSocket) {
        self.wires.borrow_mut().end(socket.0, true);
    }
}
