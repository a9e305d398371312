//! What a shard needs of the network: implemented over epoll by the driver and over memory by the simulation.

use std::io;

/// Sockets, as a shard sees them. All calls are non-blocking.
pub trait Net {
    /// An open socket.
    type Socket;

    /// What [`Self::write`] knows the socket by; a subscription keeps it, so that a delivery need not look
    /// the connection up.
    fn key(&self, socket: &Self::Socket) -> i32;

    /// From now on events of the socket are reported under `token`.
    ///
    /// # Errors
    /// The system's.
    fn register(&mut self, socket: &mut Self::Socket, token: usize) -> io::Result<()>;

    /// Writes as much of `bytes` as fits.
    ///
    /// # Errors
    /// The system's; `WouldBlock` when nothing fits.
    fn write(&mut self, key: i32, bytes: &[u8]) -> io::Result<usize>;

    /// Reads what there is; 0 at the end.
    ///
    /// # Errors
    /// The system's; `WouldBlock` when there is nothing.
    fn read(&mut self, socket: &mut Self::Socket, buffer: &mut [u8]) -> io::Result<usize>;

    /// Tells the peer that nothing follows.
    fn finish(&mut self, socket: &mut Self::Socket);

    /// Bytes that the kernel holds and the peer has not acknowledged.
    fn queued(&self, key: i32) -> usize;

    /// Drops the socket and what the kernel still holds of it: the peer has had its time.
    fn abort(&mut self, socket: Self::Socket);

    /// Drops the socket.
    fn close(&mut self, socket: Self::Socket);
}
