//! Thousands of subscribers in one thread: one epoll, one read buffer, and a few bytes of state each.
//!
//! A socket is read once per readiness with a buffer that takes all that is there; messages are shown as slices of it and
//! entered in the [`ledger`]. The clock is read once a read.

pub mod ledger;
pub mod sub;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::os::fd::AsFd as _;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use crate::protocol::Protocol;
use crate::sys::{self, Epoll, READ, Ready};
use crate::target::Target;
use crate::wire::{Decoder, Transport, Violation, http, ws};
use ledger::{Ledger, Outcome, SubBooks, Topic};
use sub::{Kind, Plan, State, Sub};

/// Handshakes under way at a time: well below any accept queue, so that none is ever dropped.
const IN_FLIGHT: usize = 64;
const SCRATCH: usize = 256 << 10;
/// A subscriber that trickles reads this much at a time.
pub const SIP: usize = 512;
const GUEST: u64 = u64::MAX;
const PATIENCE_NS: u64 = 20_000_000_000;

/// The subscribers of one side.
pub struct Swarm {
    /// Each of them.
    pub subs: Vec<Sub>,
    /// What they have read.
    pub ledger: Ledger,
    /// Whether the publisher's socket had something at the last poll.
    pub guest_ready: bool,
    /// Those whose connection was cut as planned, since somebody last looked.
    pub cut: Vec<usize>,
    protocol: Protocol,
    addr: SocketAddr,
    token: Option<String>,
    epoll: Epoll,
    ready: Ready,
    scratch: Vec<u8>,
    start: Instant,
}

/// The rare things in what was read.
#[derive(Default)]
struct Rare {
    opened: bool,
    pongs: Vec<u8>,
    closed: Option<u16>,
}

impl Rare {
    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Fine => {}
            Outcome::Opened => self.opened = true,
            Outcome::Pong(payload) => ws::put_masked(&mut self.pongs, ws::PONG, &payload),
            Outcome::Closed(code) => self.closed = Some(code),
        }
    }
}

impl Swarm {
    /// Nobody yet, for `topics` of `target`, read in `protocol`.
    pub fn new(target: &Target, token: Option<&str>, protocol: Protocol, topics: Vec<Topic>) -> Result<Self> {
        Ok(Self {
            subs: Vec::new(),
            ledger: Ledger::new(topics)?,
            protocol,
            guest_ready: false,
            cut: Vec::new(),
            addr: target.addr,
            token: token.map(str::to_owned),
            epoll: Epoll::new()?,
            ready: Ready::with_capacity(1024),
            scratch: vec![0; SCRATCH],
            start: Instant::now(),
        })
    }

    /// Nanoseconds since this swarm was made.
    #[inline]
    pub fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Watches the publisher's socket too.
    pub fn watch_guest(&self, sock: &TcpStream, interest: u32, new: bool) -> Result<()> {
        let watch = if new { Epoll::add } else { Epoll::modify };
        Ok(watch(&self.epoll, sock, GUEST, interest)?)
    }

    /// Adds a subscriber that is not connected yet.
    pub fn add(&mut self, plan: Plan) -> usize {
        self.subs.push(Sub::new(plan));
        self.subs.len() - 1
    }

    /// Begins the connection of subscriber `i`; with `resume` it asks for what follows what it has read.
    pub fn connect(&mut self, i: usize, resume: bool) -> Result<()> {
        let sub = &mut self.subs[i];
        let topic = &self.ledger.topics[sub.plan.topic];
        let position = || Some(format!("{}:{}", topic.epoch?, sub.track.last()));
        let after = if resume { position() } else { None };
        let filter = sub.plan.filter.as_ref().map(|(filter, _)| filter.as_str());
        let target = self.protocol.target(&topic.name, after.as_deref(), filter);
        let host = self.addr.to_string();
        let request = http::subscribe_request(&host, sub.plan.transport, &target, self.token.as_deref());
        let sock = open(self.addr, sub.plan.receive_buffer)?;
        (&sock).write_all(request.as_bytes()).context("cannot send a handshake")?;
        self.epoll.add(&sock, i as u64, READ)?;
        (sub.resumes, sub.cut_after) = (after.is_some(), None);
        (sub.sock, sub.state) = (Some(sock), State::Head(Vec::new()));
        self.ledger.connecting += 1;
        Ok(())
    }

    /// Connects and subscribes all of `range`, a few at a time.
    pub fn connect_all(&mut self, range: Range<usize>) -> Result<()> {
        let mut last = (self.ledger.open, self.now());
        for i in range {
            self.connect(i, false)?;
            self.wait_connecting(IN_FLIGHT - 1, &mut last)?;
        }
        self.wait_connecting(0, &mut last)
    }

    fn wait_connecting(&mut self, most: usize, last: &mut (usize, u64)) -> Result<()> {
        while self.ledger.connecting > most {
            self.poll(100)?;
            if self.ledger.open != last.0 {
                *last = (self.ledger.open, self.now());
            }
            ensure!(self.now() - last.1 < PATIENCE_NS, "{} handshakes got no answer", self.ledger.connecting);
        }
        Ok(())
    }

    /// Reads whatever comes within `timeout_ms`.
    pub fn poll(&mut self, timeout_ms: i32) -> Result<()> {
        self.guest_ready = false;
        let mut ready = std::mem::replace(&mut self.ready, Ready::with_capacity(0));
        let waited = self.epoll.wait(&mut ready, timeout_ms);
        for i in 0..ready.len() {
            match ready.get(i) {
                (GUEST, _) => self.guest_ready = true,
                (i, _) => self.turn(i as usize)?,
            }
        }
        self.ready = ready;
        Ok(waited?)
    }

    fn turn(&mut self, i: usize) -> Result<()> {
        let sub = &self.subs[i];
        if sub.plan.kind.may_close() && sub.is_open() {
            // Not watched for reading, so the connection is broken; what came before may say why.
            return self.drain(i).map(drop);
        }
        self.read(i, SCRATCH).map(drop)
    }

    /// Reads at most `limit` bytes for subscriber `i`; says whether there was something.
    pub fn read(&mut self, i: usize, limit: usize) -> Result<bool> {
        let sub = &mut self.subs[i];
        let Some(mut sock) = sub.sock.as_ref() else { return Ok(false) };
        let limit = limit.min(sub.cut_after.unwrap_or(SCRATCH)).max(1);
        match sock.read(&mut self.scratch[..limit]) {
            Ok(n) if n > 0 => self.take(i, n).map(|()| true),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
            _ => self.hung_up(i).map(|()| false),
        }
    }

    fn take(&mut self, i: usize, n: usize) -> Result<()> {
        let now = self.now();
        let (sub, ledger) = (&mut self.subs[i], &mut self.ledger);
        ledger.bytes += n as u64;
        let digested = digest(self.protocol, sub, ledger, &self.scratch[..n], now);
        let rare = digested.with_context(|| format!("subscriber {i}"))?;
        if let Some(left) = &mut sub.cut_after {
            *left -= n;
        }
        if rare.opened || rare.closed.is_some() || !rare.pongs.is_empty() || sub.cut_after == Some(0) {
            return self.rare(i, rare);
        }
        Ok(())
    }

    fn rare(&mut self, i: usize, rare: Rare) -> Result<()> {
        if rare.opened {
            self.opened(i)?;
        }
        if let (false, Some(mut sock)) = (rare.pongs.is_empty(), self.subs[i].sock.as_ref()) {
            sock.write_all(&rare.pongs).context("cannot answer a ping")?;
        }
        if let Some(code) = rare.closed {
            self.closed(i, Some(code));
        } else if self.subs[i].cut_after == Some(0) {
            self.close(i);
            self.cut.push(i);
        }
        Ok(())
    }

    fn opened(&mut self, i: usize) -> Result<()> {
        let sub = &mut self.subs[i];
        let state = std::mem::replace(&mut sub.state, State::Closed(None));
        let (State::Begun(decoder) | State::Open(decoder)) = state else { bail!("subscribed too early") };
        sub.state = State::Open(decoder);
        self.ledger.open += 1;
        self.ledger.connecting -= 1;
        if sub.is_counted() {
            let window = &mut self.ledger.topics[sub.plan.topic].window;
            if window.published() < sub.track.last() {
                window.begin(sub.track.last());
            }
            window.join(sub.track.class());
        }
        match (&sub.sock, sub.plan.kind.may_close()) {
            (Some(sock), true) => Ok(self.epoll.modify(sock, i as u64, 0)?),
            _ => Ok(()),
        }
    }

    fn hung_up(&mut self, i: usize) -> Result<()> {
        if let State::Head(_) | State::Begun(_) = self.subs[i].state {
            bail!("the server closed the connection of subscriber {i} during its handshake");
        }
        self.closed(i, None);
        Ok(())
    }

    /// The server has ended the connection of `i`.
    fn closed(&mut self, i: usize, code: Option<u16>) {
        self.ledger.tally.disconnected += u64::from(!self.subs[i].plan.kind.may_close());
        self.forget(i, code);
    }

    /// Ends the connection of `i` with a reset, because we want to.
    pub fn close(&mut self, i: usize) {
        if let Some(sock) = &self.subs[i].sock {
            let _ = sys::reset_on_close(sock.as_fd());
        }
        self.forget(i, None);
    }

    fn forget(&mut self, i: usize, code: Option<u16>) {
        let sub = &mut self.subs[i];
        if sub.sock.take().is_none() {
            return;
        }
        match std::mem::replace(&mut sub.state, State::Closed(code)) {
            State::Open(_) => {
                self.ledger.open -= 1;
                if sub.is_counted() {
                    self.ledger.topics[sub.plan.topic].window.leave(&sub.track);
                }
            }
            _ => self.ledger.connecting -= 1,
        }
    }

    /// Reads everything that is there for one who was not being read; says whether the server has dropped it.
    pub fn drain(&mut self, i: usize) -> Result<bool> {
        while self.subs[i].sock.is_some() && self.read(i, SCRATCH)? {}
        Ok(self.subs[i].sock.is_none())
    }

    /// How many events are outstanding, over all topics.
    pub fn outstanding(&self) -> usize {
        self.ledger.topics.iter().map(|topic| topic.window.outstanding()).sum()
    }

    /// How many of those that nobody waits for have not read everything yet.
    pub fn behind(&self) -> usize {
        let published = |sub: &Sub| self.ledger.topics[sub.plan.topic].window.published();
        let loose = self.subs.iter().filter(|sub| sub.plan.kind == Kind::Loose && sub.sock.is_some());
        loose.filter(|sub| sub.track.last() < published(sub)).count()
    }

    /// Counts as lost what the subscribers that are checked have not read by now.
    pub fn finish(&mut self) {
        let Self { subs, ledger, .. } = self;
        for sub in subs.iter_mut().filter(|sub| sub.plan.kind == Kind::Steady || sub.is_open()) {
            if !sub.plan.kind.may_close() {
                let published = ledger.topics[sub.plan.topic].window.published();
                sub.track.finish(published, &mut ledger.tally);
            }
        }
    }
}

/// Connects a socket that does not block from then on.
pub fn open(addr: SocketAddr, receive_buffer: Option<i32>) -> Result<TcpStream> {
    let sock = TcpStream::connect(addr).with_context(|| format!("cannot connect to {addr}"))?;
    if let Some(bytes) = receive_buffer {
        sys::set_receive_buffer(sock.as_fd(), bytes)?;
    }
    sock.set_nodelay(true)?;
    sock.set_nonblocking(true)?;
    Ok(sock)
}

/// Enters `bytes` of the stream of `sub`.
#[inline]
fn digest(protocol: Protocol, sub: &mut Sub, ledger: &mut Ledger, bytes: &[u8], now: u64) -> Result<Rare> {
    if let State::Head(head) = &mut sub.state {
        head.extend_from_slice(bytes);
        let bytes = std::mem::take(head);
        return begin(protocol, sub, ledger, bytes, now);
    }
    Ok(stream(sub, ledger, bytes, now)?)
}

fn stream(sub: &mut Sub, ledger: &mut Ledger, bytes: &[u8], now: u64) -> Result<Rare, Violation> {
    let mut rare = Rare::default();
    let (mut books, state) = SubBooks::of(sub);
    if let State::Begun(decoder) | State::Open(decoder) = state {
        decoder.feed(bytes, &mut |message| rare.note(ledger.enter(message, &mut books, now)))?;
    }
    Ok(rare)
}

/// The head of the answer may be complete now; what lies behind it is the stream already.
fn begin(protocol: Protocol, sub: &mut Sub, ledger: &mut Ledger, bytes: Vec<u8>, now: u64) -> Result<Rare> {
    let Some(head) = http::parse_head(&bytes) else {
        sub.state = State::Head(bytes);
        return Ok(Rare::default());
    };
    let transport = sub.plan.transport;
    let expected = if transport.is_websocket() { 101 } else { 200 };
    if head.status != expected {
        return Err(anyhow!("the server refused: {}", String::from_utf8_lossy(&bytes)));
    }
    ensure!(
        transport != Transport::WsDeflate || head.deflate,
        "the server does not offer permessage-deflate"
    );
    sub.state = State::Begun(Decoder::new(transport, head.chunked));
    if let Some(greeting) = protocol.greeting() {
        let mut frame = Vec::new();
        ws::put_masked(&mut frame, ws::TEXT, greeting.as_bytes());
        sub.sock.as_ref().context("no socket")?.write_all(&frame).context("cannot say what to read")?;
    }
    if protocol.opens_silently() {
        sub.track.begin(ledger.topics[sub.plan.topic].window.published());
    }
    let rare = stream(sub, ledger, &bytes[head.length..], now)?;
    Ok(Rare { opened: rare.opened || protocol.opens_silently(), ..rare })
}
