//! What clients send: read into one buffer of the shard, decoded in place, told to the dialect.

use std::io;

use super::net::Net;
use super::shard::Shard;
use crate::dialect::Message;
use crate::engine::Limited;
use crate::error::Disconnect;
use crate::limits::{PAUSE_BYTES, SCRATCH_BYTES, TURN_READ_BYTES_MAX};
use crate::metrics::{Eviction, Limit};
use crate::wire::websocket::{self, Incoming, Input, Intake};

/// The buffers that reading needs, shared by all connections of a shard.
pub(super) struct Reader {
    scratch: Box<[u8]>,
    intake: Intake,
    /// Connections that have more to read than their turn allowed.
    more: Vec<u32>,
}

impl Reader {
    pub fn new(message_bytes: usize) -> Self {
        let scratch = vec![0; SCRATCH_BYTES].into_boxed_slice();
        Self { scratch, intake: Intake::new(message_bytes), more: Vec::new() }
    }
}

impl<N: Net> Shard<N> {
    pub(super) fn reader_has_more(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| !reader.more.is_empty())
    }

    /// Goes on with those whose turn was over before their socket was empty.
    pub(super) fn read_more(&mut self) {
        let more = self.reader.as_mut().map(|reader| std::mem::take(&mut reader.more));
        more.into_iter().flatten().for_each(|id| self.readable(id as usize));
    }

    /// The socket has something to read, or its end.
    pub fn readable(&mut self, token: usize) {
        let Some(mut reader) = self.reader.take() else { return };
        let mut left = TURN_READ_BYTES_MAX;
        let drained = loop {
            if !self.wants_input(token) {
                break true;
            }
            match self.net.read(&mut self.conns[token].socket, &mut reader.scratch) {
                Ok(0) => break self.ended(token as u32),
                Ok(count) => {
                    self.decode(token as u32, &mut reader, count);
                    left = left.saturating_sub(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break self.ended(token as u32),
            }
            if left == 0 {
                break false;
            }
        };
        if !drained {
            reader.more.push(token as u32);
        }
        self.reader = Some(reader);
    }

    fn wants_input(&self, token: usize) -> bool {
        self.conns.get(token).is_some_and(|conn| !conn.flags.doomed && !conn.flags.paused && conn.asked == 0)
    }

    /// The peer is gone; there is nobody left to tell.
    fn ended(&mut self, id: u32) -> bool {
        self.suspend_all(id);
        self.doom(id);
        true
    }

    fn decode(&mut self, id: u32, reader: &mut Reader, count: usize) {
        self.metrics.bytes_in.bump(count as u64);
        let Reader { scratch, intake, .. } = reader;
        self.feed(id, intake, &mut scratch[..count]);
    }

    /// Takes what came behind the request.
    pub(super) fn received(&mut self, id: u32, bytes: &mut [u8]) {
        if let Some(mut reader) = self.reader.take() {
            self.feed(id, &mut reader.intake, bytes);
            self.reader = Some(reader);
        }
    }

    fn feed(&mut self, id: u32, intake: &mut Intake, bytes: &mut [u8]) {
        let conn = &mut self.conns[id as usize];
        conn.heard_ms = self.now.millis() as u32;
        conn.flags.pinged = false;
        if !conn.transport.is_websocket() {
            return;
        }
        let mut input = Input::new(bytes);
        loop {
            if self.conns[id as usize].asked != 0 {
                self.keep_unread(id, input.rest());
                break;
            }
            let decoder = &mut self.conns[id as usize].decoder;
            match decoder.next(&mut input, intake) {
                Ok(Some(incoming)) => self.incoming(id, incoming),
                Ok(None) => break,
                Err(violation) => {
                    if violation.code() == 1009 {
                        self.shared.limits.of(Limit::MessageBytes).add(1);
                    }
                    self.close(id, Disconnect::Violation(violation.code(), violation.reason()));
                    break;
                }
            }
        }
        self.pause_if_full(id);
    }

    /// Keeps what has been read, at most one buffer of the shard, until an answer comes: nothing more is read.
    fn keep_unread(&mut self, id: u32, rest: &[u8]) {
        if !rest.is_empty() {
            self.conns[id as usize].waiting.get_or_insert_default().unread.extend_from_slice(rest);
        }
    }

    /// Goes on with the input of a connection that has waited for an answer.
    pub(super) fn release(&mut self, id: u32) {
        if let Some(mut waiting) = self.conns[id as usize].waiting.take() {
            self.received(id, &mut waiting.unread);
        }
        if let Some(reader) = &mut self.reader {
            reader.more.push(id);
        }
    }

    /// Nothing is left to say to a client: its input is read whatever it waited for, since its own close is in there.
    pub(super) fn hear_out(&mut self, id: u32) {
        let conn = &mut self.conns[id as usize];
        (conn.asked, conn.flags.paused) = (0, false);
        self.release(id);
    }

    fn incoming(&mut self, id: u32, incoming: Incoming<'_>) {
        if self.conns[id as usize].flags.closing && !matches!(incoming, Incoming::Close(_)) {
            return;
        }
        match incoming {
            Incoming::Text(text) => self.message(id, Message::Text(text)),
            Incoming::Binary(bytes) => self.message(id, Message::Binary(bytes)),
            Incoming::Ping(payload) => {
                websocket::encode_pong(&mut self.conns[id as usize].outgoing().queue, payload);
                if self.outbox_is_full(id, 0) {
                    self.evict(id, Eviction::Outbox);
                }
                self.make_ready(id);
            }
            Incoming::Pong(_) => {}
            Incoming::Close(close) => self.peer_closed(id, close.map_or(1000, |(code, _)| code)),
        }
    }

    fn message(&mut self, id: u32, message: Message<'_>) {
        self.metrics.messages_in.bump(1);
        let conn = &mut self.conns[id as usize];
        conn.spoke_ms = self.now.millis() as u32;
        // The timer that says so may come up to a tick later.
        if conn.identity.has_expired(self.now.unix_ms) {
            return self.close(id, Disconnect::Expired);
        }
        match self.too_fast(id) {
            None => self.hand_on(id, message),
            Some(limited) => {
                self.shared.limits.of(Limit::Messages).add(1);
                let wait_ms = limited.retry_after_ms;
                self.ask(id, |dialect, host| dialect.limited(message, wait_ms, host));
            }
        }
    }

    /// Why the client may not send a message now, if it may not.
    fn too_fast(&self, id: u32) -> Option<Limited> {
        let rate = self.shared.settings.messages?;
        self.conns[id as usize].allowance.take(1, rate, self.now).err()
    }

    /// The peer's close is answered with its own code; when ours was first, nothing is left to do.
    fn peer_closed(&mut self, id: u32, code: u16) {
        let flags = &mut self.conns[id as usize].flags;
        flags.peer_closed = true;
        if flags.finished {
            self.doom(id);
        } else {
            self.close(id, Disconnect::Client(code));
        }
    }

    /// A client that does not read its answers is not read either, before the answers fill the outbox.
    fn pause_if_full(&mut self, id: u32) {
        let conn = &mut self.conns[id as usize];
        if conn.out.as_ref().is_some_and(|out| out.len() > PAUSE_BYTES) {
            conn.flags.paused = true;
        }
    }

    pub(super) fn resume_reading(&mut self, id: u32) {
        let conn = &mut self.conns[id as usize];
        if std::mem::take(&mut conn.flags.paused)
            && let Some(reader) = &mut self.reader
        {
            reader.more.push(id);
        }
    }
}
