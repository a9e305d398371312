//! The thread of a shard: one epoll loop around the core.

use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_epoch as epoch;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use socket2::SockRef;

use super::clock::Clock;
use super::conn::{Handoff, Socket};
use super::mailbox::{Alarm, Mailbox};
use super::net::Net;
use super::shard::{Shard, Shared};
use super::sys;
use crate::metrics::ShardMetrics;

/// The token of the mailbox; connections have their place in the slab.
const MAILBOX: Token = Token(usize::MAX);
/// Events taken from the kernel at once.
const EVENTS: usize = 1024;

/// Sockets under an epoll.
pub struct Epoll {
    registry: Registry,
}

impl Net for Epoll {
    type Socket = Socket;

    fn key(&self, socket: &Socket) -> i32 {
        socket.as_raw_fd()
    }

    fn register(&mut self, socket: &mut Socket, token: usize) -> io::Result<()> {
        // Both directions once and for all: edge-triggered, so that an idle socket costs no further call.
        self.registry.register(socket.source(), Token(token), Interest::READABLE | Interest::WRITABLE)
    }

    fn write(&mut self, key: i32, bytes: &[u8]) -> io::Result<usize> {
        sys::write(key, bytes)
    }

    fn read(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> io::Result<usize> {
        socket.read(buffer)
    }

    fn finish(&mut self, socket: &mut Socket) {
        socket.finish();
    }

    fn queued(&self, key: i32) -> usize {
        sys::queued(key)
    }

    fn abort(&mut self, socket: Socket) {
        // A socket that cannot be reset is dropped all the same.
        let _refused: io::Result<()> = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    }

    fn close(&mut self, socket: Socket) {
        // Closing takes it out of the epoll.
        drop(socket);
    }
}

impl Alarm for Waker {
    fn ring(&self) {
        // Fails only if the eventfd is gone, and then so is the shard.
        let _gone: io::Result<()> = self.wake();
    }
}

/// A shard's loop before it runs.
pub struct Driver {
    poll: Poll,
    shard: Shard<Epoll>,
    mailbox: Arc<Mailbox>,
    clock: Clock,
}

impl Driver {
    /// Opens the epoll.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn open(shared: Shared, metrics: Arc<ShardMetrics>, clock: Clock) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), MAILBOX)?;
        let mailbox = Arc::new(Mailbox::new(Box::new(waker)));
        let net = Epoll { registry: poll.registry().try_clone()? };
        let adopt: fn(Handoff) -> Option<Handoff> = Some;
        let shard = Shard::new(net, shared, Arc::clone(&mailbox), metrics, clock.now(), adopt);
        Ok(Self { poll, shard, mailbox, clock })
    }

    /// Where to leave letters.
    pub fn mailbox(&self) -> Arc<Mailbox> {
        Arc::clone(&self.mailbox)
    }

    /// Runs until the shard is over.
    ///
    /// # Errors
    /// The epoll failed, which it does not.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while !self.shard.is_over() {
            while self.shard.turn(self.clock.now()) && !self.shard.is_over() {
                self.shard.settle(self.clock.now());
                self.poll(&mut events, Some(Duration::ZERO))?;
            }
            self.rest(&mut events)?;
        }
        Ok(())
    }

    /// Nothing is left to do: frees what readers of the past kept alive, and sleeps.
    fn rest(&mut self, events: &mut Events) -> io::Result<()> {
        let now = self.clock.now();
        self.shard.settle(now);
        epoch::pin().flush();
        let timeout = match self.mailbox.arm() {
            true => self.shard.sleep_micros(now).map(Duration::from_micros),
            false => Some(Duration::ZERO),
        };
        let polled = self.poll(events, timeout);
        self.mailbox.disarm();
        polled
    }

    fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        self.shard.at(self.clock.now());
        for event in events.iter().filter(|event| event.token() != MAILBOX) {
            let token = event.token().0;
            if event.is_writable() {
                self.shard.writable(token);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.shard.readable(token);
            }
        }
        // What clients sent has been served here, outside of any turn.
        self.shard.settle(self.clock.now());
        Ok(())
    }
}
