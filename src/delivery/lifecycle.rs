//! The life of a connection in its shard: taken over, asked, closed, finished, buried.

use std::io;

use super::conn::{Conn, Flags, Handoff, Subs};
use super::host::ShardHost;
use super::net::Net;
use super::shard::Shard;
use crate::dialect::{Dialect, frame};
use crate::engine::Bucket;
use crate::error::Disconnect;
use crate::limits::CLOSE_MS;
use crate::wire::websocket::{self, Decoder, Role};

impl<N: Net> Shard<N> {
    /// Takes over a connection: registers it, lets its dialect begin, and feeds it what came behind the
    /// request.
    ///
    /// # Errors
    /// The socket could not be registered, and is gone.
    pub fn adopt(&mut self, handoff: Handoff<N::Socket>) -> io::Result<()> {
        let Handoff { mut socket, dialect, transport, head, read_ahead, identity, leases, consulted } =
            handoff;
        let token = self.conns.vacant_key();
        self.net.register(&mut socket, token)?;
        let now_ms = self.now.millis() as u32;
        let deflate = transport == crate::dialect::Transport::Deflate;
        let mut conn = Conn {
            socket,
            out: None,
            subs: Subs::None,
            decoder: Decoder::new(Role::Server, deflate),
            identity,
            caller: consulted.caller,
            waiting: None,
            leases,
            allowance: Bucket::default(),
            heard_ms: now_ms,
            spoke_ms: now_ms,
            progress_ms: now_ms,
            wakeup_ms: now_ms,
            ping_ms: now_ms,
            alarm_ms: now_ms,
            asked: 0,
            transport,
            flags: Flags {
                prefixed: dialect.has_prefix(),
                ordered: dialect.keeps_order(),
                ..Flags::default()
            },
            dialect: Some(dialect),
        };
        conn.outgoing().queue = head;
        let id = self.conns.insert(conn) as u32;
        self.metrics.connections.set(self.conns.len() as u64);
        self.metrics.accepted.bump(1);
        self.schedule_first(id);
        if self.is_revoked(id) {
            self.close(id, Disconnect::Revoked);
        } else {
            self.permits = consulted.permits;
            self.ask(id, |dialect, host| dialect.opened(host));
            self.permits.clear();
        }
        self.make_ready(id);
        if !read_ahead.is_empty() {
            self.received(id, &mut read_ahead.to_vec());
        }
        Ok(())
    }

    /// Lets the dialect of a connection act. It is absent while it already acts, and after the end.
    pub(super) fn ask(&mut self, id: u32, act: impl FnOnce(&mut dyn Dialect, &mut ShardHost<'_, N>)) {
        let Some(mut dialect) = self.conns[id as usize].dialect.take() else { return };
        let mut host = ShardHost { shard: self, conn: id, closed: None };
        act(&mut *dialect, &mut host);
        let closed = host.closed;
        if let Some(conn) = self.conns.get_mut(id as usize).filter(|conn| !conn.flags.doomed) {
            conn.dialect = Some(dialect);
        }
        if let Some(why) = closed {
            self.close(id, why);
        }
    }

    /// Ends a connection after what waits for it: says why, then finishes the socket.
    pub(super) fn close(&mut self, id: u32, why: Disconnect) {
        if self.conns[id as usize].flags.closing {
            return;
        }
        let parting = why.clone();
        self.ask(id, |dialect, host| dialect.closing(parting, host));
        self.unsubscribe_all(id);
        let now_ms = self.now.millis();
        let conn = &mut self.conns[id as usize];
        conn.flags.closing = true;
        conn.progress_ms = now_ms as u32;
        let transport = conn.transport;
        let queue = &mut conn.outgoing().queue;
        if transport.is_websocket() {
            websocket::encode_close(queue, why.code(), &why.reason());
        } else {
            frame::end(transport, queue);
        }
        self.schedule(id, now_ms + CLOSE_MS);
        self.make_ready(id);
    }

    /// Everything is written: ends our half, and waits for the peer to end its own.
    pub(super) fn finish(&mut self, id: u32) {
        let conn = &mut self.conns[id as usize];
        if !conn.flags.finished {
            conn.flags.finished = true;
            conn.leases.leave_stream();
            self.net.finish(&mut conn.socket);
            self.hear_out(id);
        }
        if self.conns[id as usize].flags.peer_closed {
            self.doom(id);
        }
    }

    /// Marks a connection for removal at the end of the turn, when nobody iterates over anything.
    pub(super) fn doom(&mut self, id: u32) {
        let conn = &mut self.conns[id as usize];
        if !conn.flags.doomed {
            conn.flags.doomed = true;
            self.doomed.push(id);
        }
    }

    /// Removes what was doomed.
    pub(super) fn bury(&mut self) {
        if self.doomed.is_empty() {
            return;
        }
        while let Some(id) = self.doomed.pop() {
            self.unsubscribe_all(id);
            let conn = self.conns.remove(id as usize);
            match conn.flags.overdue {
                true => self.net.abort(conn.socket),
                false => self.net.close(conn.socket),
            }
        }
        self.metrics.connections.set(self.conns.len() as u64);
        if self.conns.is_empty() {
            // A shard without connections sleeps without ticks: nothing else would correct these.
            self.metrics.blocked.set(0);
            self.metrics.kernel_queued_bytes.set(0);
        }
    }
}
