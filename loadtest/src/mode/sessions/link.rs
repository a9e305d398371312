//! A connection of this mode: what is to be written waits in it, what is read comes out as messages.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, Result, ensure};

use crate::swarm;
use crate::wire::{Decoder, Message, Transport, http, ws};

/// One connection.
pub struct Link {
    /// Its socket, which does not block.
    pub sock: TcpStream,
    decoder: Decoder,
    out: Vec<u8>,
}

/// What a read has brought.
#[derive(Debug, PartialEq, Eq)]
pub struct Got {
    /// How many bytes.
    pub bytes: usize,
    /// Whether the connection is still there.
    pub open: bool,
}

impl Link {
    /// Opens the stream that `target` names and waits for the head of the answer. What the server says at once is not shown.
    pub fn open(addr: SocketAddr, transport: Transport, target: &str, token: Option<&str>) -> Result<Self> {
        let sock = swarm::open(addr, None)?;
        let request = http::subscribe_request(&addr.to_string(), transport, target, token);
        let expected = if transport.is_websocket() { 101 } else { 200 };
        let (head, rest) = shake_hands(&sock, &request, expected)?;
        let mut link = Self { sock, decoder: Decoder::new(transport, head.chunked), out: Vec::new() };
        link.decoder.feed(&rest, &mut |_| {})?;
        Ok(link)
    }

    /// Puts a text among what is to be written.
    pub fn say(&mut self, text: &str) {
        ws::put_masked(&mut self.out, ws::TEXT, text.as_bytes());
    }

    /// Writes as much as the socket takes now.
    pub fn flush(&mut self) -> Result<()> {
        let mut written = 0;
        while written < self.out.len() {
            match (&self.sock).write(&self.out[written..]) {
                Ok(n) => written += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e).context("a connection broke"),
            }
        }
        self.out.drain(..written);
        Ok(())
    }

    /// Reads once and shows the texts that are complete now. Pings are answered.
    pub fn read(&mut self, scratch: &mut [u8], mut visit: impl FnMut(&[u8])) -> Result<Got> {
        let bytes = match (&self.sock).read(scratch) {
            Ok(n) if n > 0 => n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Got { bytes: 0, open: true }),
            _ => return Ok(Got { bytes: 0, open: false }),
        };
        let (out, mut open) = (&mut self.out, true);
        self.decoder.feed(&scratch[..bytes], &mut |message| match message {
            Message::Text(text) => visit(text),
            Message::Ping(payload) => ws::put_masked(out, ws::PONG, payload),
            Message::Close(_) | Message::Deflated(_) => open = false,
        })?;
        self.flush()?;
        Ok(Got { bytes, open })
    }
}

fn shake_hands(mut sock: &TcpStream, request: &str, status: u16) -> Result<(http::Head, Vec<u8>)> {
    sock.set_nonblocking(false)?;
    sock.write_all(request.as_bytes())?;
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let n = sock.read(&mut piece).context("no answer to a handshake")?;
        ensure!(n > 0, "the server closed a connection during its handshake");
        bytes.extend_from_slice(&piece[..n]);
        if let Some(head) = http::parse_head(&bytes) {
            ensure!(head.status == status, "the server refused: {}", String::from_utf8_lossy(&bytes));
            sock.set_nonblocking(true)?;
            let rest = bytes.split_off(head.length);
            return Ok((head, rest));
        }
    }
}
