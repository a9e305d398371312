//! Listeners and what becomes of an accepted socket.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::admission::Full;
use super::answer::Fault;
use super::node::Node;
use super::proxies::Peer;
use super::socket::{Ahead, LazyTcp, Reclaim};
use super::takeover;
use crate::config::{Delivery, Listen};
use crate::delivery::{Leases, Socket, sys};
use crate::dialect::protocol;
use crate::limits::{
    ACCEPT_PAUSE_MS, DEFER_ACCEPT_SECONDS, LISTEN_BACKLOG, REFUSED_LINGER_MAX, REFUSED_LINGER_MS,
};

/// An open listener.
pub enum Listener {
    /// TCP.
    Tcp(AsyncFd<mio::net::TcpListener>),
    /// A Unix socket, and its path, which is removed at the end.
    Unix(UnixListener, String),
}

/// A connection that was accepted.
pub enum Accepted {
    /// TCP.
    Tcp(LazyTcp),
    /// Unix domain.
    Unix(UnixStream),
}

impl Listener {
    /// Opens the listener.
    ///
    /// # Errors
    /// The system's. A Unix socket that a dead server left behind is replaced; a live one is an error.
    pub fn open(listen: &Listen, delivery: &Delivery) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => {
                let socket =
                    RawSocket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP))?;
                socket.set_reuse_address(true)?;
                socket.set_nonblocking(true)?;
                prepare(&socket, delivery)?;
                socket.bind(&(*address).into())?;
                socket.listen(LISTEN_BACKLOG)?;
                let listener = mio::net::TcpListener::from_std(socket.into());
                Ok(Self::Tcp(watch(listener)?))
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
            Self::Tcp(listener) => listener
                .get_ref()
                .local_addr()
                .map_or_else(|_| "http://?".into(), |at| format!("http://{at}")),
            Self::Unix(_, path) => format!("unix:{path}"),
        }
    }

    async fn accept(&self) -> io::Result<(Accepted, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (socket, peer) =
                    listener.async_io(Interest::READABLE, |listener| listener.accept()).await?;
                Ok((Accepted::Tcp(LazyTcp::Fresh(socket)), Some(peer.ip())))
            }
            Self::Unix(listener, _) => Ok((Accepted::Unix(listener.accept().await?.0), None)),
        }
    }
}

/// Puts a listener under the runtime's epoll. The runtime's own listener registers every socket it accepts,
/// which ours must not.
#[allow(
    deprecated,
    reason = "sound here: mio's listener owns its descriptor until it is dropped; the successor is unsafe"
)]
fn watch(listener: mio::net::TcpListener) -> io::Result<AsyncFd<mio::net::TcpListener>> {
    AsyncFd::with_interest(listener, Interest::READABLE)
}

/// Options that accepted sockets inherit. Small frames leave at once, a backlog stays in the ring, where it is
/// shared, and a connection is accepted when its request is there.
fn prepare(listener: &RawSocket, delivery: &Delivery) -> io::Result<()> {
    listener.set_tcp_nodelay(true)?;
    sys::set_defer_accept(listener.as_raw_fd(), DEFER_ACCEPT_SECONDS)?;
    if delivery.notsent_lowat_bytes > 0 {
        sys::set_notsent_lowat(listener.as_raw_fd(), delivery.notsent_lowat_bytes as u32)?;
    }
    if delivery.send_buffer_bytes > 0 {
        listener.set_send_buffer_size(delivery.send_buffer_bytes)?;
    }
    Ok(())
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
    let peer = node.proxies.peer(address);
    match node.admission.connection(peer, node.clock.now()) {
        Ok(leases) => {
            node.http_metrics.accepted_connections.add(1);
            start(Arc::clone(node), (socket, peer), leases, draining.clone(), alive.clone());
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
    socket: (Accepted, Peer),
    leases: Leases,
    draining: watch::Receiver<bool>,
    alive: mpsc::Sender<()>,
) {
    tokio::spawn(async move {
        takeover::serve(node, socket, leases, draining).await;
        drop(alive);
    });
}

/// Refused connections that linger; in a flood the others are told without waiting.
static LINGERING: Semaphore = Semaphore::const_new(REFUSED_LINGER_MAX);

#[allow(clippy::disallowed_methods, reason = "drain waits for `alive`, which the task holds")]
fn refuse(socket: Accepted, full: Full, alive: mpsc::Sender<()>) {
    let Ok(place) = LINGERING.try_acquire() else {
        return match socket {
            Accepted::Tcp(socket) => say_at_once(socket, full),
            Accepted::Unix(socket) => say_at_once(socket, full),
        };
    };
    tokio::spawn(async move {
        match socket {
            Accepted::Tcp(socket) => say_no(socket, full).await,
            Accepted::Unix(socket) => say_no(socket, full).await,
        }
        drop((place, alive));
    });
}

/// As [`refuse`], in the task of the connection.
pub async fn turn_away<S: Reclaim>(socket: Ahead<S>, full: Full) {
    match LINGERING.try_acquire() {
        Ok(_place) => say_no(socket, full).await,
        Err(_) => say_at_once(socket.into_parts().0, full),
    }
}

/// Says no to a peer that is not given time: what has come of its request is read away, as far as it is short, so that
/// closing does not reset the connection, and the answer fits a socket that is new. Nobody is left to tell of a failure.
fn say_at_once(socket: impl Reclaim, full: Full) {
    let mut scratch = [0; 4096];
    let answer = refusal(full.into());
    let _told = socket.reclaim().and_then(|socket| match socket {
        Socket::Tcp(mut socket) => socket.read(&mut scratch).and_then(|_| socket.write(&answer)),
        Socket::Unix(mut socket) => socket.read(&mut scratch).and_then(|_| socket.write(&answer)),
    });
}

/// Says no without looking at the request: there is no room for it. A peer that goes on is reset after all.
async fn say_no(socket: impl AsyncRead + AsyncWrite + Unpin, full: Full) {
    let said = answer_and_linger(socket, full);
    let _elapsed = tokio::time::timeout(Duration::from_millis(REFUSED_LINGER_MS), said).await;
}

/// A socket that is closed with something unread is reset, and the reset overtakes the answer; so what comes
/// is read away until the peer ends.
async fn answer_and_linger(mut socket: impl AsyncRead + AsyncWrite + Unpin, full: Full) -> io::Result<()> {
    socket.write_all(&refusal(full.into())).await?;
    socket.shutdown().await?;
    let mut scratch = [0; 1024];
    while socket.read(&mut scratch).await? > 0 {}
    Ok(())
}

fn refusal(fault: protocol::Fault) -> Vec<u8> {
    let wait = fault.retry_after_ms.unwrap_or_default().div_ceil(1000);
    let status = match fault.status {
        429 => "429 Too Many Requests",
        _ => "503 Service Unavailable",
    };
    let body = Fault::from(fault).body();
    let mut out = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nretry-after: {wait}\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    out.extend_from_slice(&body);
    out
}
