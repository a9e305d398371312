//! Sockets between the listener and a shard.
//!
//! A TCP connection is accepted when its request has arrived (TCP_DEFER_ACCEPT), so the first read succeeds
//! nearly always. One that becomes a stream is then never registered with the runtime: it goes from the
//! listener to the shard's epoll, two system calls and a wake-up cheaper.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::delivery;

/// A socket that hyper can use and that can be taken back from it.
pub trait Reclaim: AsyncRead + AsyncWrite + Unpin {
    /// The socket, registered nowhere.
    ///
    /// # Errors
    /// The system's.
    fn reclaim(self) -> io::Result<delivery::Socket>;
}

impl Reclaim for UnixStream {
    fn reclaim(self) -> io::Result<delivery::Socket> {
        Ok(delivery::Socket::Unix(mio::net::UnixStream::from_std(self.into_std()?)))
    }
}

/// A TCP socket that is registered with the runtime when it first has to wait.
pub enum LazyTcp {
    /// Has not had to wait.
    Fresh(mio::net::TcpStream),
    /// Has.
    Registered(TcpStream),
    /// On its way from one to the other; seen only after a failed registration.
    Broken,
}

impl LazyTcp {
    fn register(&mut self) -> io::Result<()> {
        if let Self::Fresh(socket) = std::mem::replace(self, Self::Broken) {
            *self = Self::Registered(TcpStream::from_std(socket.into())?);
        }
        Ok(())
    }

    /// Tries `operation` without waiting; `None` when the runtime must wait for the socket.
    fn attempt<T>(
        &mut self,
        operation: impl FnOnce(&mut mio::net::TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<Option<T>>> {
        let Self::Fresh(socket) = self else { return Poll::Ready(Ok(None)) };
        match operation(socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Poll::Ready(self.register().map(|()| None))
            }
            done => Poll::Ready(done.map(Some)),
        }
    }

    fn registered(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        match self {
            Self::Registered(socket) => Ok(Pin::new(socket)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Reclaim for LazyTcp {
    fn reclaim(self) -> io::Result<delivery::Socket> {
        match self {
            Self::Fresh(socket) => Ok(delivery::Socket::Tcp(socket)),
            Self::Registered(socket) => {
                Ok(delivery::Socket::Tcp(mio::net::TcpStream::from_std(socket.into_std()?)))
            }
            Self::Broken => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// A socket of which something has been read already, which comes first.
pub struct Ahead<S> {
    ahead: Bytes,
    socket: S,
}

impl<S> Ahead<S> {
    /// `socket` behind `ahead`.
    pub fn new(socket: S, ahead: Vec<u8>) -> Self {
        Self { ahead: ahead.into(), socket }
    }

    /// The socket, and what comes first.
    pub fn into_parts(self) -> (S, Bytes) {
        (self.socket, self.ahead)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Ahead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buf);
        }
        let count = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Ahead<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl AsyncRead for LazyTcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = std::task::ready!(self.attempt(|socket| socket.read(buf.initialize_unfilled())))?;
        match read {
            Some(count) => {
                buf.advance(count);
                Poll::Ready(Ok(()))
            }
            None => self.registered()?.poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for LazyTcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match std::task::ready!(self.attempt(|socket| socket.write(bytes)))? {
            Some(count) => Poll::Ready(Ok(count)),
            None => self.registered()?.poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Fresh(socket) => Poll::Ready(socket.shutdown(std::net::Shutdown::Write)),
            Self::Registered(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Broken => Poll::Ready(Ok(())),
        }
    }
}
