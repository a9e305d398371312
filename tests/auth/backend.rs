//! A server that others ask: it counts, keeps what it was asked, and answers as it is told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{PATIENCE, read_head};

#[derive(Default)]
struct State {
    status: u16,
    body: String,
    delay: Duration,
    asked: Vec<(String, String)>,
    now: usize,
    most_at_once: usize,
}

/// Runs until the process ends.
#[derive(Clone)]
pub struct Backend {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Backend {
    pub fn start(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/path?x=1", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { status: 200, body: body.into(), ..State::default() }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(socket.unwrap(), &state));
            }
        });
        Self { url, state }
    }

    pub fn answer(&self, status: u16, body: &str) {
        let mut state = self.state.lock().unwrap();
        (state.status, state.body) = (status, body.into());
    }

    /// Lets every answer wait.
    pub fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// Heads and bodies of the requests so far.
    pub fn asked(&self) -> Vec<(String, String)> {
        self.state.lock().unwrap().asked.clone()
    }

    /// The most requests that waited for their answers at the same time.
    pub fn most_at_once(&self) -> usize {
        self.state.lock().unwrap().most_at_once
    }

    pub fn count(&self) -> usize {
        self.state.lock().unwrap().asked.len()
    }
}

#[allow(clippy::disallowed_methods, reason = "a slow backend waits")]
fn serve(mut socket: TcpStream, state: &Mutex<State>) {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = read_head(&mut socket);
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    socket.read_exact(&mut body).unwrap();
    let (status, answer, delay) = {
        let mut state = state.lock().unwrap();
        state.asked.push((head, String::from_utf8(body).unwrap()));
        state.now += 1;
        state.most_at_once = state.most_at_once.max(state.now);
        (state.status, state.body.clone(), state.delay)
    };
    std::thread::sleep(delay);
    state.lock().unwrap().now -= 1;
    let length = answer.len();
    // Who asked may have gone.
    let _gone = write!(
        socket,
        "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}"
    );
}
