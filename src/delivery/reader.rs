//! What clients send: read into one buffer of the shard, decoded in place, told to the dialect.

use std::io;

use super::net::Net;
use super::shard::Shard;
use crate::dialect::Message;
use crate::engine::Limited;
use crate::error::Disconnect;
use crate::limits::{PAUSE_BYTES, SCRATCH_BYTES, TURN_MESSAGES_MAX, TURN_READ_BYTES_MAX};
use crate::metrics::{Eviction, Limit};
use crate::wire::websocket::{self, Incoming, Input, Intake};

/// The buffers that reading needs, shared by all connections of a shard.
pub(super) struct Reader {
    scratch: Box<[u8]>,
    intake: Intake,
    /// How many more messages the connection may have looked at in its turn.
    left: usize,
    /// Connections that have more to read than their turn allowed.
    more: Vec<u32>,
}

impl Reader {
    pub fn new(message_bytes: usize) -> Self {
        let scratch = vec![0; SCRATCH_BYTES].into_boxed_slice();
        Self { scratch, intake: Intake::new(message_bytes), left: 0, more: Vec::new() }
    }
}

impl<N: Net> Shard<N> {
    pub(super) fn reader_has_more(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| !reader.more.is_empty())
    }

    /// Goes on with those whose turn was over before their socket was empty.
    pub(super) fn read_more(&mut self) {
        let more = self.reader.as_mut().map(|reader| std::mem::take(&mut reader.more));
        for id in more.into_iter().flatten() {
            if let Some(conn) = self.conns.get_mut(id as usize) {
                conn.flags.unheard = false;
                self.readable(id as usize);
            }
        }
    }

    /// Has a connection read on in the next turn; once, however many ask for it.
    fn read_later(&mut self, id: u32) {
        let (Some(reader), Some(conn)) = (&mut self.reader, self.conns.get_mut(id as usize)) else { return };
        if !std::mem::replace(&mut conn.flags.unheard, true) {
            reader.more.push(id);
        }
    }

    /// The socket has something to read, or its end. Who has had its turn already waits for the next.
    pub fn readable(&mut self, token: usize) {
        if self.conns.get(token).is_some_and(|conn| conn.flags.unheard) {
            return;
        }
        let Some(mut reader) = self.reader.take() else { return };
        reader.left = TURN_MESSAGES_MAX;
        self.hear_kept(token, &mut reader);
        let drained = self.read(token, &mut reader);
        self.reader = Some(reader);
        if !drained {
            self.read_later(token as u32);
        }
    }

    /// What an earlier turn has read and not looked at.
    fn hear_kept(&mut self, token: usize, reader: &mut Reader) {
        if self.wants_input(token)
            && let Some(mut waiting) = self.conns[token].waiting.take()
        {
            self.feed(token as u32, reader, &mut waiting.unread);
        }
    }

    /// Whether nothing is left that is wanted now.
    fn read(&mut self, token: usize, reader: &mut Reader) -> bool {
        let mut left = TURN_READ_BYTES_MAX;
        loop {
            if !self.wants_input(token) {
                return true;
            }
            if left == 0 || reader.left == 0 {
                return false;
            }
            match self.net.read(&mut self.conns[token].socket, &mut reader.scratch) {
                Ok(0) => return self.ended(token as u32),
                Ok(count) => {
                    self.decode(token as u32, reader, count);
                    left = left.saturating_sub(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.ended(token as u32),
            }
        }
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
        let mut scratch = std::mem::take(&mut reader.scratch);
        self.feed(id, reader, &mut scratch[..count]);
        reader.scratch = scratch;
    }

    /// Takes what came behind the request.
    pub(super) fn received(&mut self, id: u32, bytes: &mut [u8]) {
        if let Some(mut reader) = self.reader.take() {
            reader.left = TURN_MESSAGES_MAX;
            self.feed(id, &mut reader, bytes);
            self.reader = Some(reader);
            if self.conns[id as usize].waiting.is_some() {
                self.read_later(id);
            }
        }
    }

    fn feed(&mut self, id: u32, reader: &mut Reader, bytes: &mut [u8]) {
        let conn = &mut self.conns[id as usize];
        conn.heard_ms = self.now.millis() as u32;
        conn.flags.pinged = false;
        if !conn.transport.is_websocket() {
            return;
        }
        let mut input = Input::new(bytes);
        loop {
            if self.conns[id as usize].asked != 0 || reader.left == 0 {
                self.keep_unread(id, input.rest());
                break;
            }
            let decoder = &mut self.conns[id as usize].decoder;
            match decoder.next(&mut input, &mut reader.intake) {
                Ok(Some(incoming)) => {
                    reader.left -= 1;
                    self.incoming(id, incoming);
                }
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

    /// Keeps what has been read, at most one buffer of the shard, until an answer comes or the next turn: nothing more is read.
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
        self.read_later(id);
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
        if std::mem::take(&mut conn.flags.paused) {
            self.read_later(id);
        }
    }
}
