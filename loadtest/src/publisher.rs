//! The one who publishes: over Millrace's publishing WebSocket, or by a command to the floor.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::protocol::Payload;
use crate::swarm::{Swarm, open};
use crate::sys::{READ, WRITE};
use crate::target::Target;
use crate::wire::{Message, Tail, http, ws};

/// A message to publish is not longer than this; more events go in more messages.
const MESSAGE_BYTES: usize = 48 << 10;

/// A connection that publishes.
pub struct Publisher {
    sock: TcpStream,
    is_floor: bool,
    payload: Payload,
    /// Whether envelopes must name their topic.
    many: bool,
    out: Vec<u8>,
    written: usize,
    waiting: bool,
    acks: Tail,
    sent: u64,
    acked: u64,
}

impl Publisher {
    /// Connects to `target`, to publish to the topics of `swarm`.
    pub fn open(target: &Target, swarm: &Swarm, payload: Payload, token: Option<&str>) -> Result<Self> {
        let topics = &swarm.ledger.topics;
        let sock = open(target.addr, None)?;
        let request = match target.is_floor {
            true => "GET /control HTTP/1.1\r\n\r\n".to_owned(),
            false => http::publish_request(&target.host(), &topics[0].name, token),
        };
        let rest = shake_hands(&sock, &request, if target.is_floor { 200 } else { 101 })?;
        swarm.watch_guest(&sock, READ, true)?;
        let mut publisher = Self {
            sock,
            is_floor: target.is_floor,
            payload,
            many: topics.len() > 1,
            out: Vec::new(),
            written: 0,
            waiting: false,
            acks: Tail::default(),
            sent: 0,
            acked: 0,
        };
        publisher.take_acks(&rest)?;
        Ok(publisher)
    }

    /// Publishes `n` more events of topic `t`, as one message if they fit.
    pub fn publish(&mut self, swarm: &mut Swarm, t: usize, n: usize) -> Result<()> {
        let now = swarm.now();
        let topic = &mut swarm.ledger.topics[t];
        let first = topic.window.published() + 1;
        topic.window.publish(n, now);
        if self.is_floor {
            writeln!(self.out, "{} {n}", topic.name)?;
        } else {
            let name = self.many.then(|| topic.name.clone());
            self.put_messages(name.as_deref(), first, n);
        }
        self.sent += n as u64;
        Ok(())
    }

    fn put_messages(&mut self, topic: Option<&str>, first: u64, n: usize) {
        let mut text = Vec::new();
        for offset in first..first + n as u64 {
            self.payload.put_line(&mut text, topic, offset);
            if text.len() >= MESSAGE_BYTES {
                ws::put_masked(&mut self.out, ws::TEXT, &text);
                text.clear();
            }
        }
        if !text.is_empty() {
            ws::put_masked(&mut self.out, ws::TEXT, &text);
        }
    }

    /// Writes what is to be written, as far as it fits.
    pub fn flush(&mut self, swarm: &Swarm) -> Result<()> {
        while self.written < self.out.len() {
            match (&self.sock).write(&self.out[self.written..]) {
                Ok(n) => self.written += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return self.wait(swarm, true),
                Err(e) => return Err(e).context("the publisher's connection broke"),
            }
        }
        self.out.clear();
        self.written = 0;
        self.wait(swarm, false)
    }

    fn wait(&mut self, swarm: &Swarm, waiting: bool) -> Result<()> {
        if std::mem::replace(&mut self.waiting, waiting) != waiting {
            swarm.watch_guest(&self.sock, if waiting { READ | WRITE } else { READ }, false)?;
        }
        Ok(())
    }

    /// Reads acknowledgements, if there are any.
    pub fn turn(&mut self, swarm: &Swarm) -> Result<()> {
        if !swarm.guest_ready {
            return Ok(());
        }
        let mut bytes = [0; 16 << 10];
        match (&self.sock).read(&mut bytes) {
            Ok(0) => bail!("the server closed the publisher's connection"),
            Ok(n) => self.take_acks(&bytes[..n])?,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e).context("the publisher's connection broke"),
        }
        self.flush(swarm)
    }

    fn take_acks(&mut self, bytes: &[u8]) -> Result<()> {
        let (mut pongs, mut acked, mut fault) = (Vec::new(), 0, None);
        self.acks.feed(bytes, |bytes| {
            ws::walk(bytes, &mut |message| match message {
                Message::Text(text) => ack(text).map_or_else(|e| fault = Some(e), |n| acked += n),
                Message::Ping(payload) => ws::put_masked(&mut pongs, ws::PONG, payload),
                other => fault = Some(anyhow!("the publisher got {other:?}")),
            })
        })?;
        self.acked += acked;
        self.out.append(&mut pongs);
        fault.map_or(Ok(()), Err)
    }

    /// Events acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acked
    }

    /// Events published and not acknowledged. The floor acknowledges nothing.
    pub fn unacknowledged(&self) -> u64 {
        if self.is_floor { 0 } else { self.sent - self.acked }
    }
}

/// How many events an acknowledgement is for; an error when some were refused.
pub fn ack(text: &[u8]) -> Result<u64> {
    let value: Value = serde_json::from_slice(text)?;
    let refused = value.get("failed").and_then(Value::as_array).is_some_and(|failed| !failed.is_empty());
    ensure!(!refused, "the server refused to publish: {value}");
    value.get("published").and_then(Value::as_u64).with_context(|| format!("not an acknowledgement: {value}"))
}

/// Sends `request` and waits for the head of the answer; returns what came behind it.
pub fn shake_hands(mut sock: &TcpStream, request: &str, status: u16) -> Result<Vec<u8>> {
    sock.set_nonblocking(false)?;
    sock.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let n = sock.read(&mut piece).context("no answer to the publisher's handshake")?;
        ensure!(n > 0, "the server closed the connection during the publisher's handshake");
        bytes.extend_from_slice(&piece[..n]);
        if let Some(head) = http::parse_head(&bytes) {
            let refused = || format!("the server refused the publisher: {}", String::from_utf8_lossy(&bytes));
            ensure!(head.status == status, refused());
            sock.set_nonblocking(true)?;
            return Ok(bytes.split_off(head.length));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_events_are_an_error() {
        assert_eq!(ack(br#"{"type":"ack","message":1,"published":3,"topics":[]}"#).ok(), Some(3));
        assert!(ack(br#"{"type":"ack","message":1,"published":2,"failed":[{"line":1}]}"#).is_err());
        assert!(ack(br#"{"type":"error"}"#).is_err());
    }
}
