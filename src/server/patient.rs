//! A socket whose peer has a bounded time to take what is written to it. hyper bounds only how long a request's head may
//! take; who asks and does not read would hold its connection, and the answer, for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::limits::ANSWER_PIECE_BYTES;

/// See the module. A write that finds no room starts the time; it ends when so much of a long answer is taken, or with a flush: hyper
/// flushes when all is written, which for a blob whose client is slower than the disk is only at its end.
pub struct Patient<S> {
    socket: S,
    patience: Duration,
    over: Option<Pin<Box<Sleep>>>,
    /// Bytes taken since the time started.
    taken: usize,
}

impl<S> Patient<S> {
    /// Gives the peer so long.
    pub fn new(socket: S, patience: Duration) -> Self {
        Self { socket, patience, over: None, taken: 0 }
    }

    /// The socket.
    pub fn into_inner(self) -> S {
        self.socket
    }

    /// What a write without room comes to.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let patience = self.patience;
        let over = self.over.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        over.as_mut().poll(cx).map(|()| io::ErrorKind::TimedOut.into())
    }

    fn took(&mut self, count: usize) {
        self.taken += count;
        if self.taken >= ANSWER_PIECE_BYTES {
            self.rest();
        }
    }

    fn rest(&mut self) {
        (self.over, self.taken) = (None, 0);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.socket).poll_write(cx, bytes) {
            Poll::Pending => self.wait(cx).map(Err),
            Poll::Ready(Ok(count)) => {
                self.took(count);
                Poll::Ready(Ok(count))
            }
            failed => failed,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.socket).poll_flush(cx));
        self.rest();
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(1000);

    #[tokio::test]
    async fn who_takes_nothing_is_given_up() {
        let (near, _far) = tokio::io::duplex(8);
        let mut socket = Patient::new(near, PATIENCE / 100);
        let failed = socket.write_all(&[0; 9]).await.map_err(|error| error.kind());
        assert_eq!(failed, Err(io::ErrorKind::TimedOut));
    }

    /// Takes `pieces` of so many bytes with a pause before each, from who writes them all and never flushes.
    async fn taken(pieces: usize, bytes: usize) -> io::Result<()> {
        let (near, mut far) = tokio::io::duplex(8);
        let mut socket = Patient::new(near, PATIENCE);
        let reading = async {
            for _ in 0..pieces {
                tokio::time::sleep(PATIENCE * 6 / 10).await;
                if far.read_exact(&mut vec![0; bytes]).await.is_err() {
                    break;
                }
            }
            drop(far);
        };
        let writing = async {
            let written = socket.write_all(&vec![0; pieces * bytes]).await;
            drop(socket);
            written
        };
        tokio::join!(writing, reading).0
    }

    #[tokio::test]
    async fn a_long_answer_has_its_time_piece_by_piece() {
        let (enough, too_little) =
            tokio::join!(taken(3, ANSWER_PIECE_BYTES), taken(3, ANSWER_PIECE_BYTES / 4));
        assert!(enough.is_ok(), "{enough:?}");
        assert_eq!(too_little.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn each_answer_has_its_own_time() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut socket = Patient::new(near, PATIENCE);
        for _ in 0..2 {
            let reading = async {
                tokio::time::sleep(PATIENCE * 6 / 10).await;
                far.read_exact(&mut [0; 16]).await
            };
            let writing = async {
                socket.write_all(&[0; 16]).await?;
                socket.flush().await
            };
            let (read, written) = tokio::join!(reading, writing);
            assert!(read.is_ok() && written.is_ok());
        }
    }
}
