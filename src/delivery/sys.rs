//! The system calls that have no safe wrapper on a bare descriptor.
//!
//! Invariants, cited below:
//!
//! 1. Pointers and lengths passed to the kernel come from one live slice or one live local.
//! 2. A wrong or closed descriptor is an error of the kernel's (`EBADF`), not a memory fault; a shard closes
//!    a descriptor only after it has dropped every subscription that names it.

use std::io;
use std::os::fd::RawFd;

/// Writes as much of `bytes` as fits; the process ignores SIGPIPE, so a closed peer is an error.
///
/// # Errors
/// The system's.
pub fn write(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of a live slice (1); any descriptor is memory-safe (2).
    let written = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

/// Bytes in the socket's send queue (SIOCOUTQ), 0 when that cannot be told.
pub fn queued(fd: RawFd) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one int to a live local (1, 2).
    let result = unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &raw mut bytes) };
    if result == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}

/// Lets at most `bytes` wait unsent in the kernel (TCP_NOTSENT_LOWAT), so that a backlog lives in the ring.
///
/// # Errors
/// The system's.
pub fn set_notsent_lowat(fd: RawFd, bytes: u32) -> io::Result<()> {
    let size = size_of::<u32>() as libc::socklen_t;
    // SAFETY: pointer and length are those of one live local (1, 2).
    let result = unsafe {
        libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, (&raw const bytes).cast(), size)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
