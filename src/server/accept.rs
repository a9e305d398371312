//! Listeners and what becomes of an accepted socket.

use std::io;
use std::net::{IpAddr, Shutdown};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::node::{Full, Node};
use super::takeover;
use crate::config::{Delivery, Listen};
use crate::delivery::{Lease, sys};
use crate::limits::{ACCEPT_PAUSE_MS, LISTEN_BACKLOG, REFUSED_LINGER_MAX, REFUSED_LINGER_MS};

/// An open listener.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket, and its path, which is removed at the end.
    Unix(UnixListener, String),
}

/// A socket that hyper can use and that can be taken back from it.
pub enum Accepted {
    /// TCP.
    Tcp(TcpStream),
    /// Unix domain.
    Unix(UnixStream),
}

impl Accepted {
    /// Ends our half, and reads until the peer ends its own.
    async fn drain(&self) {
        let shut = match self {
            Self::Tcp(socket) => SockRef::from(socket).shutdown(Shutdown::Write),
            Self::Unix(socket) => SockRef::from(socket).shutdown(Shutdown::Write),
        };
        let mut scratch = [0; 1024];
        while shut.is_ok() && self.read(&mut scratch).await.is_ok_and(|count| count > 0) {}
    }

    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match self {
                Self::Tcp(socket) => socket.readable().await.and_then(|()| socket.try_read(buffer)),
                Self::Unix(socket) => socket.readable().await.and_then(|()| socket.try_read(buffer)),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

impl Listener {
    /// Opens the listener.
    ///
    /// # Errors
    /// The system's. A Unix socket that a dead server left behind is replaced; a live one is an error.
    pub fn open(listen: &Listen) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => {
                let socket =
                    RawSocket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP))?;
                socket.set_reuse_address(true)?;
                socket.set_nonblocking(true)?;
                socket.bind(&(*address).into())?;
                socket.listen(LISTEN_BACKLOG)?;
                Ok(Self::Tcp(TcpListener::from_std(socket.into())?))
            }
            Listen::Unix(path) => {
                if std::os::unix::net::UnixStream::connect(path).is_err() {
                    // Nobody answers: a leftover, or nothing at all.
                    let _absent: io::Result<()> = std::fs::remove_file(path);
                }
                Ok(Self::Unix(UnixListener::bind(path)?, path.display().to_string()))
            }
        }
    }

    /// Where clients connect to.
    pub fn url(&self) -> String {
        match self {
            Self::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| "http://?".into(), |at| format!("http://{at}"))
            }
            Self::Unix(_, path) => format!("unix:{path}"),
        }
    }

    async fn accept(&self) -> io::Result<(Accepted, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (socket, peer) = listener.accept().await?;
                Ok((Accepted::Tcp(socket), Some(peer.ip())))
            }
            Self::Unix(listener, _) => Ok((Accepted::Unix(listener.accept().await?.0), None)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Somebody may have removed it already.
            let _absent: io::Result<()> = std::fs::remove_file(path);
        }
    }
}

/// Runs something that [`super::Server::run`] aborts when it drains.
#[allow(clippy::disallowed_methods, reason = "its handle is aborted on drain")]
pub fn background(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}

/// Accepts until it is aborted. Every connection holds a clone of `alive`.
pub fn spawn(
    listener: Listener,
    node: Arc<Node>,
    draining: watch::Receiver<bool>,
    alive: mpsc::Sender<()>,
) -> JoinHandle<()> {
    background(async move {
        loop {
            match listener.accept().await {
                Ok((socket, address)) => welcome(&node, socket, address, &draining, &alive),
                Err(error) => {
                    // Out of descriptors, mostly: connections that end make room.
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            }
        }
    })
}

fn welcome(
    node: &Arc<Node>,
    socket: Accepted,
    address: Option<IpAddr>,
    draining: &watch::Receiver<bool>,
    alive: &mpsc::Sender<()>,
) {
    match node.admit(address) {
        Ok(leases) => {
            node.http_metrics.accepted_connections.add(1);
            start(Arc::clone(node), socket, leases, draining.clone(), alive.clone());
        }
        Err(full) => {
            node.http_metrics.refused_connections.add(1);
            refuse(socket, full, alive.clone());
        }
    }
}

/// Every connection's task ends on drain, and is waited for through `alive`.
#[allow(clippy::disallowed_methods, reason = "drain waits for `alive`, which the task holds")]
fn start(
    node: Arc<Node>,
    socket: Accepted,
    leases: Vec<Lease>,
    draining: watch::Receiver<bool>,
    alive: mpsc::Sender<()>,
) {
    if let Accepted::Tcp(socket) = &socket
        && let Err(error) = prepare(socket, &node.config.delivery)
    {
        tracing::debug!(%error, "a socket broke before it was used");
        return;
    }
    tokio::spawn(async move {
        takeover::serve(node, socket, leases, draining).await;
        drop(alive);
    });
}

/// Small frames leave at once, and a backlog stays in the ring, where it is shared.
fn prepare(socket: &TcpStream, delivery: &Delivery) -> io::Result<()> {
    socket.set_nodelay(true)?;
    if delivery.notsent_lowat_bytes > 0 {
        sys::set_notsent_lowat(socket.as_raw_fd(), delivery.notsent_lowat_bytes as u32)?;
    }
    if delivery.send_buffer_bytes > 0 {
        SockRef::from(socket).set_send_buffer_size(delivery.send_buffer_bytes)?;
    }
    Ok(())
}

/// Refused connections that linger; a flood of them is cut at once.
static LINGERING: Semaphore = Semaphore::const_new(REFUSED_LINGER_MAX);

/// Says no without looking at the request: there is no room for it. A socket that is closed with something
/// unread is reset, and the reset overtakes the answer; so what comes is read away for a moment.
#[allow(clippy::disallowed_methods, reason = "drain waits for `alive`, which the task holds")]
fn refuse(socket: Accepted, full: Full, alive: mpsc::Sender<()>) {
    say_no(&socket, full);
    let Ok(place) = LINGERING.try_acquire() else { return };
    tokio::spawn(async move {
        // A peer that goes on is reset after all.
        let _elapsed = tokio::time::timeout(Duration::from_millis(REFUSED_LINGER_MS), socket.drain()).await;
        drop((place, alive));
    });
}

fn say_no(socket: &Accepted, full: Full) {
    let (status, code) = match full {
        Full::Node => ("503 Service Unavailable", "too_many_connections"),
        Full::Address => ("429 Too Many Requests", "too_many_connections_from_address"),
    };
    let body =
        format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"no room for another connection\"}}}}");
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nretry-after: 1\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let text = head + &body;
    // Best effort: a peer that does not get it sees the connection close.
    let _sent = match socket {
        Accepted::Tcp(socket) => socket.try_write(text.as_bytes()),
        Accepted::Unix(socket) => socket.try_write(text.as_bytes()),
    };
}
