//! A shard over memory, with a clock that moves when it is told to.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use millrace::auth::{Credentials, Identity, Places, Presented, Verdict, presented};
use millrace::config::Config;
use millrace::delivery::mailbox::{Alarm, Letter, Mailbox};
use millrace::delivery::shard::{Settings, Shard, Shared};
use millrace::delivery::{Handoff, net::Net, pool::Drain};
use millrace::dialect::protocol::{Call, Method, Node, Protocols, Reply};
use millrace::dialect::topics::{
    Multiplex, MultiplexSse, Publisher as Publishing, Reader, parse_reader, parse_sse,
};
use millrace::dialect::{Dialect, Transport};
use millrace::engine::{Counts, Now, Placed, Publish, Registry};
use millrace::ingest::Publisher;
use millrace::json::batch::Attributes;
use millrace::json::fields::JsonFields;
use millrace::server::assembly;
use millrace::wire::percent::decode;

use crate::answering::Answering;
use crate::peer::{Peer, said};

/// What lies between a shard and a client.
#[derive(Default)]
struct Pipe {
    to_server: VecDeque<u8>,
    to_client: Vec<u8>,
    client_ended: bool,
    server_ended: bool,
    /// The client does not read.
    full: bool,
}

type Pipes = Rc<RefCell<Vec<Pipe>>>;

struct Memory(Pipes);

impl Net for Memory {
    type Socket = usize;

    fn key(&self, socket: &usize) -> i32 {
        *socket as i32
    }

    fn register(&mut self, _socket: &mut usize, _token: usize) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, key: i32, bytes: &[u8]) -> io::Result<usize> {
        let pipe = &mut self.0.borrow_mut()[key as usize];
        if pipe.full {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        pipe.to_client.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn read(&mut self, socket: &mut usize, buffer: &mut [u8]) -> io::Result<usize> {
        let pipe = &mut self.0.borrow_mut()[*socket];
        match pipe.to_server.len().min(buffer.len()) {
            0 if pipe.client_ended => Ok(0),
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => {
                pipe.to_server.drain(..count).zip(buffer).for_each(|(byte, place)| *place = byte);
                Ok(count)
            }
        }
    }

    fn finish(&mut self, socket: &mut usize) {
        self.0.borrow_mut()[*socket].server_ended = true;
    }

    fn queued(&self, _key: i32) -> usize {
        0
    }

    fn abort(&mut self, socket: Self::Socket) {
        self.close(socket);
    }

    fn close(&mut self, socket: usize) {
        self.0.borrow_mut()[socket].server_ended = true;
    }
}

struct Silent;

impl Alarm for Silent {
    fn ring(&self) {}
}

pub struct Simulated {
    shard: Shard<Memory>,
    mailbox: Arc<Mailbox>,
    registry: Arc<Registry>,
    publisher: Arc<Publisher>,
    protocols: Arc<Protocols>,
    counts: Arc<Counts>,
    credentials: Arc<Credentials>,
    pipes: Pipes,
    /// Streams by letter: their pipe, which is their token too as none is removed before the end.
    peers: BTreeMap<char, (usize, Peer)>,
    now: Now,
    answering: Option<Answering>,
}

impl Simulated {
    pub fn new(text: &str) -> Self {
        let mut config = Config::from_toml("test", text).unwrap_or_else(|problems| panic!("{problems}"));
        config.test_echo = true;
        let now = at(1_000_000);
        let registry = Arc::new(Registry::new(assembly::namespaces(&config), config.limits.topics, 1000));
        let counts = Arc::new(Counts::default());
        let answering = Answering::new(&config, &registry, &counts, at);
        let sessions = answering.as_ref().map(Answering::sessions);
        let protocols = Arc::new(assembly::protocols(&config, sessions));
        let publisher = Publisher::new(Arc::clone(&registry), Arc::default(), Arc::clone(&protocols))
            .paced(assembly::pace(&config, &Arc::default()));
        let (publisher, credentials) = (Arc::new(publisher), Arc::new(Credentials::new(&config, Vec::new())));
        answering.iter().for_each(|answering| answering.publish_through(Arc::clone(&publisher) as _));
        let shared = Shared {
            registry: Arc::clone(&registry),
            publisher: Arc::clone(&publisher) as _,
            extract: Arc::new(JsonFields),
            authenticator: Arc::clone(&credentials) as _,
            counts: Arc::clone(&counts),
            limits: Arc::default(),
            settings: Settings { seed: 1, ..assembly::settings(&config) },
        };
        let (mailbox, pipes) = (Arc::new(Mailbox::new(Box::new(Silent))), Pipes::default());
        let net = Memory(Rc::clone(&pipes));
        let shard = Shard::new(net, shared, Arc::clone(&mailbox), Arc::default(), now, |_| None);
        Self {
            shard,
            mailbox,
            registry,
            publisher,
            protocols,
            counts,
            credentials,
            pipes,
            peers: BTreeMap::new(),
            now,
            answering,
        }
    }

    fn settle(&mut self) {
        for _ in 0..1000 {
            for (pipe, _) in self.peers.values() {
                self.shard.readable(*pipe);
            }
            self.answering.iter().for_each(|answering| answering.go_on(self.now));
            if !self.shard.turn(self.now) {
                break;
            }
        }
        let mut pipes = self.pipes.borrow_mut();
        for (pipe, peer) in self.peers.values_mut() {
            let pipe = &mut pipes[*pipe];
            peer.receive(&std::mem::take(&mut pipe.to_client));
            if pipe.server_ended {
                peer.end();
            }
        }
    }

    /// Who sends a request.
    fn verdict(&self, request: &Request<'_>) -> Verdict {
        let places = Places {
            authorization: request.header("authorization"),
            query: Some(request.query_text),
            ..Places::default()
        };
        let token = match presented(&places) {
            Some(Presented::Token(token)) => Some(token),
            _ => None,
        };
        self.credentials.identify(token.as_deref(), self.now.unix_ms)
    }

    /// The state machine for a request, of whichever protocol serves it.
    fn dialect(&self, transport: Transport, request: &Request<'_>, verdict: &Verdict) -> Box<dyn Dialect> {
        let call = Call {
            method: Method::Get,
            path: request.path,
            query: &request.query,
            header: &|name| request.header(name).map(str::to_owned),
            upgrade: transport.is_websocket(),
            credential: verdict,
            body: None,
            waited: false,
            permits: None,
            node: Node {
                registry: &self.registry,
                publisher: &*self.publisher,
                counts: &self.counts,
                now: self.now,
            },
        };
        match self.protocols.serve(&call) {
            Some(Ok(Reply::WebSocket(open) | Reply::Refused(open, _) | Reply::Sse(open))) => open(transport),
            Some(_) => panic!("{} is no stream", request.path),
            None => native(transport, request.path, &request.query),
        }
    }

    fn publish(&self, topic: &str, json: &str) -> Placed {
        let body = Attributes::default().json(json.as_bytes()).unwrap();
        self.publisher.publish(topic, vec![body], self.now).unwrap()
    }

    fn read(&mut self, reads: bool) {
        self.pipes.borrow_mut().iter_mut().for_each(|pipe| pipe.full = !reads);
        let pipes: Vec<_> = self.peers.values().map(|(pipe, _)| *pipe).filter(|_| reads).collect();
        pipes.into_iter().for_each(|pipe| self.shard.writable(pipe));
    }
}

impl crate::Server for Simulated {
    fn open(&mut self, stream: char, transport: &str, target: &str) {
        let socket = self.pipes.borrow().len();
        self.pipes.borrow_mut().push(Pipe::default());
        let request = Request::parse(target);
        let verdict = self.verdict(&request);
        let transport_kind = match transport {
            "ws" => Transport::WebSocket,
            "sse" => Transport::SseChunked,
            _ => Transport::LinesChunked,
        };
        let handoff = Handoff {
            socket,
            dialect: self.dialect(transport_kind, &request, &verdict),
            transport: transport_kind,
            head: Vec::new(),
            read_ahead: Default::default(),
            identity: verdict.unwrap_or_else(|_| Arc::new(Identity::nobody())),
            leases: Default::default(),
            consulted: Default::default(),
        };
        self.peers.insert(stream, (socket, Peer::new(transport)));
        self.shard.adopt(handoff).unwrap();
        self.settle();
    }

    fn send(&mut self, stream: char, text: &str) {
        let pipe = self.peers[&stream].0;
        match said(text) {
            Some(bytes) => self.pipes.borrow_mut()[pipe].to_server.extend(bytes),
            None => self.pipes.borrow_mut()[pipe].client_ended = true,
        }
        self.settle();
    }

    fn next(&mut self, stream: char) -> Option<String> {
        self.peers.get_mut(&stream)?.1.next()
    }

    fn happens(&mut self, event: &str) {
        let (what, rest) = event.split_once(' ').unwrap_or((event, ""));
        match (what, rest) {
            ("publish", _) => {
                let (target, json) = rest.split_once(' ').unwrap();
                let placed = self.publish(target.split('?').next().unwrap(), json);
                assert!(placed.places.iter().all(Result::is_ok), "{:?}", placed.places);
            }
            ("refused", _) => {
                let (topic, json) = rest.split_once(' ').unwrap();
                let placed = self.publish(topic, json);
                assert!(placed.places.iter().all(Result::is_err), "{:?}", placed.places);
            }
            ("drain", _) => {
                let now_ms = self.now.millis();
                let drain = Drain { per_second: 1000, now_ms, deadline_ms: now_ms + 30_000, retry_ms: 1000 };
                self.answering.iter().for_each(Answering::close);
                self.publisher.close(self.now);
                self.mailbox.post(Letter::Drain(drain));
                self.settle();
                return self.advance(1000);
            }
            ("stop", "reading") => self.read(false),
            ("go", "on") => self.read(true),
            _ => panic!("no event {event}"),
        }
        self.settle();
    }

    fn advance(&mut self, millis: u64) {
        let end = self.now.micros + millis * 1000;
        while self.now.micros < end {
            let due = self.publisher.flush_due(self.now).unwrap_or(end);
            let left = end.min(due.max(self.now.micros + 1)) - self.now.micros;
            let step = self.shard.sleep_micros(self.now).map_or(left, |sleep| sleep.clamp(1, left));
            self.now = at(self.now.micros + step);
            (0..Registry::parts()).for_each(|part| self.registry.sweep(part, self.now));
            self.publisher.flush_due(self.now);
            self.settle();
        }
    }

    fn left_over(&mut self) -> Vec<String> {
        let left = self.peers.values_mut().flat_map(|(_, peer)| std::iter::from_fn(|| peer.next()));
        left.filter(|line| line != "end").collect()
    }
}

/// The state machine of the native protocol for a path.
fn native(transport: Transport, path: &str, query: &[(String, String)]) -> Box<dyn Dialect> {
    match path {
        "/v1/topics" if transport == Transport::WebSocket => Box::new(Multiplex::new(transport)),
        "/v1/topics" => {
            let last = query.iter().find(|(name, _)| name == "Last-Event-ID").map(|(_, id)| id.as_str());
            let (wanted, positions) = parse_sse(query, last).unwrap();
            Box::new(MultiplexSse::new(transport, wanted, positions))
        }
        "/v1/publish" => {
            let topic = query.iter().find(|(name, _)| name == "topic").map(|(_, topic)| topic.as_str());
            Box::new(Publishing::new(topic))
        }
        _ => {
            let topic = path.strip_prefix("/v1/topics/").unwrap();
            Box::new(Reader::new(transport, parse_reader(topic, query, None).unwrap()))
        }
    }
}

/// Both clocks.
fn at(micros: u64) -> Now {
    Now { unix_ms: 1_799_999_999_000 + micros / 1000, micros }
}

/// A request for a stream: `path?query`, and perhaps a header behind it.
struct Request<'a> {
    path: &'a str,
    query_text: &'a str,
    query: Vec<(String, String)>,
    header: Option<(&'a str, &'a str)>,
}

impl<'a> Request<'a> {
    fn parse(text: &'a str) -> Self {
        let (target, header) = text.split_once(' ').unwrap_or((text, ""));
        let (path, query_text) = target.split_once('?').unwrap_or((target, ""));
        Self { path, query_text, query: pairs(query_text), header: header.split_once(": ") }
    }

    fn header(&self, name: &str) -> Option<&'a str> {
        self.header.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.into(), decode(value))).collect()
}
