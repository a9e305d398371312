//! A server in this process on a port of its own, and plain clients: blocking sockets, nothing clever.
#![allow(dead_code, reason = "every test crate uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "tests read the clock and wait")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millrace::config::Config;
use millrace::server::Server;
use millrace::wire::websocket::{Decoder, Incoming, Input, Intake, Opcode, Role, encode_masked};
use sha2::{Digest, Sha256};
use socket2::{Domain, Socket, Type};
use tokio::sync::oneshot;

/// How long anything that should happen may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server that ends when this is dropped.
pub struct Running {
    pub address: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts a server as `toml` says, on one shard and a port that the system chooses.
    pub fn start(toml: &str) -> Self {
        Self::start_on(1, toml)
    }

    /// The same on so many shards.
    pub fn start_on(shards: usize, toml: &str) -> Self {
        Self::start_bound(shards, toml, |config| Server::bind(config).unwrap())
    }

    /// The same, as `bind` makes it of its configuration.
    pub fn start_bound(
        shards: usize,
        toml: &str,
        bind: impl FnOnce(Config) -> Server + Send + 'static,
    ) -> Self {
        let text = format!("listen = [\"127.0.0.1:0\"]\nshards = {shards}\nworkers = 1\n{toml}");
        let mut config = Config::from_toml("test", &text).unwrap_or_else(|problems| panic!("{problems}"));
        config.test_echo = true;
        let (address_out, address) = std::sync::mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.unwrap().block_on(async {
                let server = bind(config);
                address_out.send(server.addresses()[0].replace("http://", "")).unwrap();
                server.run(async { drop(stopped.await) }).await.unwrap();
            });
        });
        Self { address: address.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    /// A server that somebody else runs.
    pub fn at(address: &str) -> Self {
        Self { address: address.into(), stop: None, thread: None }
    }

    /// Tells it to drain.
    pub fn drain(&mut self) {
        self.stop.take();
    }

    /// The whole response to one request on a connection of its own; the body is behind an empty line.
    pub fn request(&self, method: &str, target: &str, headers: &str, body: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let head = format!("{method} {target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}");
        write!(socket, "{head}content-length: {length}\r\n\r\n{body}").unwrap();
        let mut response = String::new();
        socket.read_to_string(&mut response).unwrap();
        response
    }

    pub fn get(&self, target: &str) -> String {
        self.request("GET", target, "", "")
    }

    pub fn publish(&self, topic: &str, json: &str) -> String {
        self.request("POST", &format!("/v1/topics/{topic}"), "content-type: application/json\r\n", json)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.drain();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the server panicked");
        }
    }
}

/// The body of a response.
pub fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// What a WebSocket client gets; pings are answered and pongs passed over.
#[derive(Clone, Debug, PartialEq)]
pub enum Got {
    Text(String),
    Binary(Vec<u8>),
    Close(u16, String),
    End,
}

/// A WebSocket client.
pub struct Client {
    pub socket: TcpStream,
    decoder: Decoder,
    intake: Intake,
    read: std::collections::VecDeque<Got>,
}

impl Client {
    /// Connects; the handshake must succeed.
    pub fn connect(address: &str, target: &str, headers: &str) -> Self {
        let (client, head) = Self::handshake(address, target, headers);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client
    }

    /// Connects; the head of the answer tells whether that went well.
    pub fn handshake(address: &str, target: &str, headers: &str) -> (Self, String) {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let upgrade = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        write!(socket, "GET {target} HTTP/1.1\r\nhost: test\r\n{upgrade}{headers}\r\n").unwrap();
        let head = read_head(&mut socket);
        let (decoder, intake) = (Decoder::new(Role::Client, false), Intake::new(64 << 20));
        (Self { socket, decoder, intake, read: Default::default() }, head)
    }

    pub fn send(&mut self, text: &str) {
        self.send_frame(Opcode::Text, text.as_bytes());
    }

    pub fn send_frame(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut out = Vec::new();
        encode_masked(&mut out, opcode, false, [1, 2, 3, 4], payload);
        self.send_bytes(&out);
    }

    /// What the server did not wait for is lost with it.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _gone = self.socket.write_all(bytes);
    }

    /// The next message, close or end.
    pub fn next(&mut self) -> Got {
        let deadline = Instant::now() + PATIENCE;
        let mut buffer = vec![0; 64 << 10];
        while self.read.is_empty() {
            assert!(Instant::now() < deadline, "nothing came");
            match self.socket.read(&mut buffer) {
                Ok(0) => return Got::End,
                Ok(count) => self.decode(&mut buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Got::End,
                Err(error) => panic!("{error}"),
            }
        }
        self.read.pop_front().unwrap()
    }

    fn decode(&mut self, bytes: &mut [u8]) {
        let (mut input, mut pongs) = (Input::new(bytes), Vec::new());
        while let Some(incoming) = self.decoder.next(&mut input, &mut self.intake).unwrap() {
            match incoming {
                Incoming::Text(text) => self.read.push_back(Got::Text(text.into())),
                Incoming::Binary(bytes) => self.read.push_back(Got::Binary(bytes.into())),
                Incoming::Close(close) => {
                    let (code, reason) = close.unwrap_or((1005, ""));
                    self.read.push_back(Got::Close(code, reason.into()));
                }
                Incoming::Ping(payload) => pongs.push(payload.to_vec()),
                Incoming::Pong(_) => {}
            }
        }
        pongs.iter().for_each(|payload| self.send_frame(Opcode::Pong, payload));
    }

    /// The next message, which must be text.
    pub fn text(&mut self) -> String {
        match self.next() {
            Got::Text(text) => text,
            other => panic!("{other:?} instead of a text"),
        }
    }
}

/// Reads up to the empty line, and nothing behind it.
pub fn read_head(socket: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).unwrap() > 0 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Keys that may do everything, named as they are.
pub fn keys(names: &[&str]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let all = "publish = [\"**\"]\nsubscribe = [\"**\"]\n";
    let key = |name: &&str| {
        let hash = hex(&Sha256::digest(name.as_bytes()));
        format!("[[keys]]\nname = \"{name}\"\nhash = \"sha256:{hash}\"\n{all}")
    };
    names.iter().map(key).collect()
}

/// The header of a credential.
pub fn bearer(name: &str) -> String {
    format!("authorization: Bearer {name}\r\n")
}

/// A connection from one of this machine's own addresses.
pub fn connect_from(source: &str, server: &Running) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&format!("{source}:0").parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.connect(&server.address.parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// What comes back until the server ends the connection.
pub fn exchange(mut socket: TcpStream, bytes: &[u8]) -> String {
    socket.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A reset ends it as well.
    let _ended = socket.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// A request without a body, on a connection of its own.
pub fn ask(target: &str, headers: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n").into_bytes()
}

/// What a limit has refused.
pub fn limited(server: &Running, limit: &str) -> f64 {
    let page = server.get("/metrics");
    let name = format!("millrace_limited_total{{limit=\"{limit}\"}} ");
    body(&page).lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

/// A metric by its whole name.
pub fn metric(server: &Running, name: &str) -> f64 {
    let page = server.get("/metrics");
    body(&page).lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap().parse().unwrap()
}

/// Asks again until `holds`, for what happens on another thread.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
