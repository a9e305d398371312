//! The epoll loop of the floor and the stand-in.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;

use anyhow::Result;

use super::FloorSpec;
use super::frame::{event_text, put_subscribed, subscribed_text};
use super::request::{self, Request};
use super::stream::{Blocked, Fate, Live, Stream};
use crate::sys::{self, Epoll, READ, Ready, WRITE};
use crate::wire::{Transport, ws};

const LISTENER: u64 = u64::MAX;

/// What a connection is.
enum Conn {
    Free,
    /// Not a subscriber, or not yet.
    Peer(Box<Peer>),
    /// A subscriber that has got everything: its socket lies with the stream.
    Live {
        stream: u32,
        place: u32,
    },
    /// A subscriber whose socket was full.
    Blocked(Box<Blocked>),
}

struct Peer {
    sock: TcpStream,
    input: Vec<u8>,
    role: Role,
}

enum Role {
    Http,
    Control,
    Publisher { topic: String, messages: u64 },
}

struct Server {
    spec: FloorSpec,
    epoll: Epoll,
    listener: TcpListener,
    conns: Vec<Conn>,
    free: Vec<u32>,
    streams: Vec<Stream>,
    scratch: Vec<u8>,
}

/// Listens on loopback, says where, and serves for ever.
pub fn run(spec: FloorSpec) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    sys::widen_backlog(listener.as_fd(), 4096)?;
    sys::raise_open_files()?;
    let epoll = Epoll::new()?;
    epoll.add(&listener, LISTENER, READ)?;
    println!("listening on http://{}", listener.local_addr()?);
    let (conns, free, streams) = (Vec::new(), Vec::new(), Vec::new());
    Server { spec, epoll, listener, conns, free, streams, scratch: vec![0; 256 << 10] }.serve()
}

impl Server {
    fn serve(mut self) -> Result<()> {
        let mut ready = Ready::with_capacity(1024);
        loop {
            self.epoll.wait(&mut ready, -1)?;
            for i in 0..ready.len() {
                match ready.get(i) {
                    (LISTENER, _) => self.accept(),
                    (id, bits) => self.turn(id as u32, bits),
                }
            }
            self.flush();
        }
    }

    fn accept(&mut self) {
        while let Ok(sock) = sys::accept(&self.listener) {
            let _ = sock.set_nodelay(true);
            if let Some(bytes) = self.spec.send_buffer {
                let _ = sys::set_send_buffer(sock.as_fd(), bytes);
            }
            let id = self.free.pop().unwrap_or_else(|| {
                self.conns.push(Conn::Free);
                self.conns.len() as u32 - 1
            });
            if self.epoll.add(&sock, id.into(), READ).is_ok() {
                let peer = Peer { sock, input: Vec::new(), role: Role::Http };
                self.conns[id as usize] = Conn::Peer(Box::new(peer));
            }
        }
    }

    fn turn(&mut self, id: u32, bits: u32) {
        match std::mem::replace(&mut self.conns[id as usize], Conn::Free) {
            Conn::Free => {}
            Conn::Peer(peer) => self.read_peer(id, peer),
            Conn::Live { stream, place } => self.read_live(id, stream, place),
            Conn::Blocked(blocked) if bits & WRITE != 0 => self.resume(id, blocked),
            Conn::Blocked(blocked) => match (&blocked.sock).read(&mut self.scratch) {
                Ok(n) if n > 0 => self.conns[id as usize] = Conn::Blocked(blocked),
                _ => self.drop_blocked(id, &blocked),
            },
        }
    }

    /// Subscribers say nothing but goodbye (and pongs).
    fn read_live(&mut self, id: u32, stream: u32, place: u32) {
        let live = &mut self.streams[stream as usize].live;
        match (&live[place as usize].sock).read(&mut self.scratch) {
            Ok(n) if n > 0 => self.conns[id as usize] = Conn::Live { stream, place },
            _ => {
                live.swap_remove(place as usize);
                if let Some(moved) = live.get(place as usize) {
                    self.conns[moved.conn as usize] = Conn::Live { stream, place };
                }
                self.free.push(id);
            }
        }
    }

    fn read_peer(&mut self, id: u32, mut peer: Box<Peer>) {
        match (&peer.sock).read(&mut self.scratch) {
            Ok(n) if n > 0 => peer.input.extend_from_slice(&self.scratch[..n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            _ => return self.free.push(id),
        }
        match peer.role {
            Role::Http => self.http(id, peer),
            Role::Control => self.control(id, peer),
            Role::Publisher { .. } => self.publisher(id, peer),
        }
    }

    fn http(&mut self, id: u32, mut peer: Box<Peer>) {
        while let Some((request, head, body)) = request::parse(&peer.input) {
            if peer.input.len() < head + body {
                break;
            }
            let body: Vec<u8> = peer.input.drain(..head + body).skip(head).collect();
            match request {
                Request::Subscribe { topic, transport, after } => {
                    return self.subscribe(id, peer.sock, &topic, transport, after);
                }
                Request::Publish { topic } => {
                    peer.role = Role::Publisher { topic, messages: 0 };
                    let _ = (&peer.sock).write(request::UPGRADED);
                    return self.publisher(id, peer);
                }
                Request::Control => {
                    peer.role = Role::Control;
                    let _ = (&peer.sock).write(b"HTTP/1.1 200 OK\r\n\r\n");
                    return self.control(id, peer);
                }
                Request::Post { topic, lines } => self.post(&peer.sock, &topic, lines, &body),
                Request::Unknown => return self.free.push(id),
            }
        }
        self.conns[id as usize] = Conn::Peer(peer);
    }

    fn post(&mut self, mut sock: &TcpStream, topic: &str, lines: bool, body: &[u8]) {
        let n = if lines { self.publish_lines(topic, body) } else { self.publish_lines(topic, &flat(body)) };
        let answer = format!("{{\"topic\":\"{topic}\",\"published\":{n},\"failed\":[]}}");
        let _ = write!(sock, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
    }

    /// Commands are lines: a topic and how many events to publish.
    fn control(&mut self, id: u32, mut peer: Box<Peer>) {
        while let Some(length) = memchr::memchr(b'\n', &peer.input) {
            let line: Vec<u8> = peer.input.drain(..=length).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some((topic, n)) = line.trim().split_once(' ') {
                (0..n.parse().unwrap_or(0u64)).for_each(|_| self.publish_own(topic));
            }
        }
        self.conns[id as usize] = Conn::Peer(peer);
    }

    fn publisher(&mut self, id: u32, mut peer: Box<Peer>) {
        while let Some((opcode, payload, length)) = ws::take_masked(&peer.input) {
            peer.input.drain(..length);
            let Role::Publisher { topic, messages } = &mut peer.role else { break };
            if opcode != ws::TEXT {
                continue;
            }
            *messages += 1;
            let published = self.publish_lines(topic, &payload);
            let ack = format!(
                "{{\"type\":\"ack\",\"message\":{messages},\"published\":{published},\"topics\":[]}}"
            );
            let mut frame = Vec::new();
            ws::put_unmasked(&mut frame, ws::TEXT, false, ack.as_bytes());
            let _ = (&peer.sock).write(&frame);
        }
        self.conns[id as usize] = Conn::Peer(peer);
    }

    fn publish_lines(&mut self, topic: &str, body: &[u8]) -> usize {
        let lines = body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let mut count = 0;
        for line in lines {
            let text = String::from_utf8_lossy(line);
            let (before, data) = text.split_once("\"data\":").unwrap_or(("", &text));
            let named = before.strip_prefix("{\"topic\":\"").and_then(|rest| rest.split('"').next());
            self.publish(named.unwrap_or(topic), data.strip_suffix('}').unwrap_or(data).as_bytes());
            count += 1;
        }
        count
    }

    fn publish_own(&mut self, topic: &str) {
        let mut data = Vec::new();
        let payload = self.spec.payload.clone();
        payload.put_data(&mut data, self.newest(topic) + 1);
        self.publish(topic, &data);
    }

    fn publish(&mut self, topic: &str, data: &[u8]) {
        if self.spec.keep && !self.streams.iter().any(|stream| stream.topic == topic) {
            self.stream(topic, Transport::Ws);
        }
        let text = event_text(topic, self.newest(topic) + 1, data);
        for stream in self.streams.iter_mut().filter(|stream| stream.topic == topic) {
            stream.append(&text, &self.spec);
        }
    }

    fn newest(&self, topic: &str) -> u64 {
        self.streams.iter().find(|stream| stream.topic == topic).map_or(0, |stream| stream.offset)
    }

    fn stream(&mut self, topic: &str, transport: Transport) -> usize {
        let is = |stream: &Stream| stream.topic == topic && stream.transport == transport;
        self.streams.iter().position(is).unwrap_or_else(|| {
            self.streams.push(Stream::new(topic, transport, self.newest(topic)));
            self.streams.len() - 1
        })
    }

    fn subscribe(&mut self, id: u32, sock: TcpStream, topic: &str, transport: Transport, after: Option<u64>) {
        self.flush();
        let n = self.stream(topic, transport);
        let (at, offset) = self.streams[n].place(after);
        let mut answer = request::stream_head(transport).to_vec();
        put_subscribed(&mut answer, transport, &subscribed_text(topic, offset));
        if (&sock).write(&answer).is_err() {
            return self.free.push(id);
        }
        if at == self.streams[n].end() {
            return self.settle(id, sock, n as u32);
        }
        let _ = self.epoll.modify(&sock, id.into(), READ | WRITE);
        self.streams[n].blocked += 1;
        self.conns[id as usize] = Conn::Blocked(Box::new(Blocked { sock, at, stream: n as u32 }));
    }

    /// Puts a subscriber that has got everything among the live.
    fn settle(&mut self, id: u32, sock: TcpStream, stream: u32) {
        let live = &mut self.streams[stream as usize].live;
        self.conns[id as usize] = Conn::Live { stream, place: live.len() as u32 };
        live.push(Live { sock, conn: id });
    }

    fn resume(&mut self, id: u32, mut blocked: Box<Blocked>) {
        let n = blocked.stream as usize;
        match self.streams[n].resume(&mut blocked) {
            None => self.drop_blocked(id, &blocked),
            Some(true) if !self.streams[n].is_pending() => {
                let _ = self.epoll.modify(&blocked.sock, id.into(), READ);
                self.streams[n].blocked -= 1;
                self.settle(id, blocked.sock, n as u32);
            }
            Some(_) => self.conns[id as usize] = Conn::Blocked(blocked),
        }
    }

    fn drop_blocked(&mut self, id: u32, blocked: &Blocked) {
        self.streams[blocked.stream as usize].blocked -= 1;
        self.free.push(id);
    }

    fn flush(&mut self) {
        let Self { streams, conns, free, epoll, spec, .. } = self;
        for (n, stream) in streams.iter_mut().enumerate().filter(|(_, stream)| stream.is_pending()) {
            stream.flush(n as u32, |conn, fate, moved| {
                conns[conn as usize] = match fate {
                    Fate::Gone => Conn::Free,
                    Fate::Blocked(blocked) => {
                        let _ = epoll.modify(&blocked.sock, conn.into(), READ | WRITE);
                        Conn::Blocked(Box::new(blocked))
                    }
                };
                if matches!(conns[conn as usize], Conn::Free) {
                    free.push(conn);
                }
                if let Some((other, place)) = moved {
                    conns[other as usize] = Conn::Live { stream: n as u32, place };
                }
            });
            if stream.blocked > 0 && stream.holds() > spec.backlog_bytes {
                evict(stream, n as u32, conns, free, spec.backlog_bytes as u64);
            }
            stream.trim(spec.keep);
        }
    }
}

/// Drops those who are further behind than `limit`.
fn evict(stream: &mut Stream, n: u32, conns: &mut [Conn], free: &mut Vec<u32>, limit: u64) {
    for (id, conn) in conns.iter_mut().enumerate() {
        let Conn::Blocked(blocked) = conn else { continue };
        if blocked.stream == n && stream.end() - blocked.at > limit {
            *conn = Conn::Free;
            stream.blocked -= 1;
            free.push(id as u32);
        }
    }
}

/// A JSON body as one line.
fn flat(body: &[u8]) -> Vec<u8> {
    body.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }).collect()
}
