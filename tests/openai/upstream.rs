//! A model's side that does what a test says: a thread of its own, and one play for each request in the order in which they come.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::{PATIENCE, eventually, read_head};

/// What is done with a request.
pub type Play = Box<dyn FnOnce(&mut Call) + Send>;

/// What a request was, and how it ended.
#[derive(Clone, Debug)]
pub struct Seen {
    pub head: String,
    pub body: Value,
    /// The server closed the connection before the play was over.
    pub was_cut: bool,
}

/// A request that is answered.
pub struct Call {
    pub socket: TcpStream,
    seen: Arc<Mutex<Vec<Seen>>>,
    number: usize,
}

pub struct Upstream {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    /// Further requests than there are plays are not answered: the connection is closed.
    pub fn start(plays: Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let to_see = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut plays = plays.into_iter();
            for (number, socket) in listener.incoming().enumerate() {
                let mut call = Call { socket: socket.unwrap(), seen: Arc::clone(&to_see), number };
                call.see();
                if let Some(play) = plays.next() {
                    std::thread::spawn(move || play(&mut call));
                }
            }
        });
        Self { url, seen }
    }

    /// An address at which there may be nobody.
    pub fn at(url: &str) -> Self {
        Self { url: url.into(), seen: Arc::default() }
    }

    /// One that gives the same answer each time.
    pub fn that_says(words: &'static [&'static str]) -> Self {
        Self::start((0..9).map(|_| says(words)).collect())
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The only request.
    pub fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }

    /// Waits until a request was cut.
    pub fn was_cut(&self, number: usize) -> Duration {
        let begun = Instant::now();
        eventually("the request is cut", || self.seen().get(number).is_some_and(|seen| seen.was_cut));
        begun.elapsed()
    }
}

impl Call {
    fn see(&mut self) {
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = read_head(&mut self.socket);
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.socket.read_exact(&mut body).unwrap();
        let body = serde_json::from_slice(&body).unwrap();
        self.seen.lock().unwrap().push(Seen { head, body, was_cut: false });
    }

    /// A head, and what follows it until the connection ends.
    pub fn head(&mut self, status: &str, headers: &str) {
        self.raw(format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n").as_bytes());
    }

    /// The head of a stream.
    pub fn stream(&mut self) {
        self.head("200 OK", "content-type: text/event-stream\r\n");
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        // Whoever is gone is noticed by the test.
        let _gone = self.socket.write_all(bytes);
    }

    pub fn event(&mut self, json: &Value) {
        self.raw(format!("data: {json}\n\n").as_bytes());
    }

    pub fn word(&mut self, word: &str) {
        self.event(&chunk(json!({"content": word})));
    }

    pub fn done(&mut self, reason: &str) {
        self.event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}));
        self.raw(b"data: [DONE]\n\n");
    }

    /// Waits until the server closes the connection.
    pub fn wait_for_cut(&mut self) {
        let ended = self.socket.read(&mut [0]);
        if matches!(ended, Ok(0))
            || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
        {
            self.seen.lock().unwrap()[self.number].was_cut = true;
        }
    }
}

/// A piece of an answer.
pub fn chunk(delta: Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

pub fn play(what: impl FnOnce(&mut Call) + Send + 'static) -> Play {
    Box::new(what)
}

/// A good answer.
pub fn says(words: &'static [&'static str]) -> Play {
    play(move |call| {
        call.stream();
        call.event(&chunk(json!({"role": "assistant", "content": ""})));
        words.iter().for_each(|word| call.word(word));
        call.done("stop");
    })
}

/// No answer.
pub fn refuses(status: &'static str, headers: &'static str, body: &'static str) -> Play {
    play(move |call| {
        call.head(status, headers);
        call.raw(body.as_bytes());
    })
}
