//! The few calls into the kernel that the standard library does not offer, and the only `unsafe` of this crate.
//!
//! 1. **Out-pointers live through the call**: each points at a local that outlives it, of the type the kernel writes.
//! 2. **Only open descriptors are passed**: they come from an owner that is borrowed during the call.
//! 3. **After fork only async-signal-safe calls are made**: the closures given to `pre_exec` allocate nothing.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Readiness to read, for [`Epoll`].
pub const READ: u32 = libc::EPOLLIN as u32;
/// Readiness to write, for [`Epoll`].
pub const WRITE: u32 = libc::EPOLLOUT as u32;

/// A level-triggered epoll instance.
pub struct Epoll(OwnedFd);

/// What [`Epoll::wait`] fills.
pub struct Ready {
    list: Vec<libc::epoll_event>,
    filled: usize,
}

impl Ready {
    /// Room for `capacity` events a wait.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { list: vec![libc::epoll_event { events: 0, u64: 0 }; capacity], filled: 0 }
    }

    /// How many events the last wait brought.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// The token and the readiness bits of event `i`.
    pub fn get(&self, i: usize) -> (u64, u32) {
        let event = self.list[i];
        (event.u64, event.events)
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

impl Epoll {
    /// Opens one.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed; the descriptor that comes back is new and owned by nobody else (2).
        unsafe { Ok(Self(OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?))) }
    }

    fn control(&self, operation: libc::c_int, fd: RawFd, token: u64, interest: u32) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest, u64: token };
        // SAFETY: `event` outlives the call (1), our descriptor is open (2); a stale `fd` is an error, not undefined.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, fd, &mut event) }).map(drop)
    }

    /// Watches `fd`.
    pub fn add(&self, fd: &impl AsRawFd, token: u64, interest: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd.as_raw_fd(), token, interest)
    }

    /// Changes what `fd` is watched for.
    pub fn modify(&self, fd: &impl AsRawFd, token: u64, interest: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd.as_raw_fd(), token, interest)
    }

    /// Waits for at most `timeout_ms` (-1: for ever). A signal counts as nothing ready.
    pub fn wait(&self, ready: &mut Ready, timeout_ms: i32) -> io::Result<()> {
        let room = ready.list.len() as libc::c_int;
        // SAFETY: the kernel writes at most `room` events into `list`, which is that long (1).
        let n = unsafe { libc::epoll_wait(self.0.as_raw_fd(), ready.list.as_mut_ptr(), room, timeout_ms) };
        ready.filled = match check(n) {
            Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
            n => n.unwrap_or(0) as usize,
        };
        Ok(())
    }
}

fn set_of(core: usize) -> libc::cpu_set_t {
    // SAFETY: a cpu_set_t is plain bits, for which all zeroes is the empty set; CPU_SET checks its bounds.
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        libc::CPU_SET(core, &mut set);
        set
    }
}

/// Pins the calling thread (and threads and children it starts from now on) to `core`.
pub fn pin_to(core: usize) -> io::Result<()> {
    let set = set_of(core);
    // SAFETY: `set` outlives the call and its true size is given (1).
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) }).map(drop)
}

/// The cores this process may run on, ascending.
pub fn allowed_cores() -> io::Result<Vec<usize>> {
    // SAFETY: all zeroes is a valid cpu_set_t, it outlives the call (1); CPU_ISSET is asked within its bounds.
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        check(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set))?;
        Ok((0..libc::CPU_SETSIZE as usize).filter(|&core| libc::CPU_ISSET(core, &set)).collect())
    }
}

/// Lets `command` start on `core` (before its first instruction) and die with this process.
pub fn prepare_child(command: &mut Command, core: Option<usize>) {
    let start = move || {
        // SAFETY: prctl with integers only, async-signal-safe (3).
        unsafe { check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))? };
        core.map_or(Ok(()), pin_to)
    };
    // SAFETY: `start` makes two system calls and allocates nothing (3).
    unsafe { command.pre_exec(start) };
}

/// CPU time that all threads of `pid` have used, in nanoseconds.
pub fn process_cpu_ns(pid: i32) -> io::Result<u64> {
    let mut clock = 0;
    // SAFETY: both out-pointers are locals of the right type (1).
    let time = unsafe {
        let error = libc::clock_getcpuclockid(pid, &mut clock);
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        let mut time: libc::timespec = zeroed();
        check(libc::clock_gettime(clock, &mut time))?;
        time
    };
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Raises the soft limit of open files to the hard one, and returns it.
pub fn raise_open_files() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives both calls (1).
    unsafe {
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
        limit.rlim_cur = limit.rlim_max;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &limit))?;
    }
    Ok(limit.rlim_cur)
}

/// Asks `pid` to end (`hard`: without a chance to refuse). `pid` is a child that was not waited for yet, so it is ours.
pub fn terminate(pid: i32, hard: bool) {
    let signal = if hard { libc::SIGKILL } else { libc::SIGTERM };
    // SAFETY: integers only; the worst outcome is an error, which changes nothing.
    unsafe { libc::kill(pid, signal) };
}

fn set_option<T>(fd: BorrowedFd<'_>, name: libc::c_int, value: &T) -> io::Result<()> {
    let size = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` outlives the call and its true size is given (1); the descriptor is open (2).
    let result = unsafe {
        libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, std::ptr::from_ref(value).cast(), size)
    };
    check(result).map(drop)
}

/// Makes closing `fd` reset the connection: no TIME_WAIT, so that ten thousand can come back at once.
pub fn reset_on_close(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_option(fd, libc::SO_LINGER, &libc::linger { l_onoff: 1, l_linger: 0 })
}

/// Sets the size of the receive buffer.
pub fn set_receive_buffer(fd: BorrowedFd<'_>, bytes: i32) -> io::Result<()> {
    set_option(fd, libc::SO_RCVBUF, &bytes)
}

/// Sets the size of the send buffer.
pub fn set_send_buffer(fd: BorrowedFd<'_>, bytes: i32) -> io::Result<()> {
    set_option(fd, libc::SO_SNDBUF, &bytes)
}

/// Lengthens the queue of connections that wait to be accepted beyond the 128 of the standard library.
pub fn widen_backlog(fd: BorrowedFd<'_>, connections: i32) -> io::Result<()> {
    // SAFETY: integers only; the descriptor is open (2), and listening again only changes the length.
    check(unsafe { libc::listen(fd.as_raw_fd(), connections) }).map(drop)
}

/// Accepts a connection that does not block, in one call.
pub fn accept(listener: &std::net::TcpListener) -> io::Result<std::net::TcpStream> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: null address pointers ask for no address; the descriptor that comes back is new and owned by nobody (2).
    unsafe {
        let fd = libc::accept4(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), flags);
        Ok(std::net::TcpStream::from_raw_fd(check(fd)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_clock_of_this_process_advances_with_work() {
        let pid = std::process::id() as i32;
        let before = process_cpu_ns(pid).expect("own clock");
        let sum: u64 = (0..2_000_000u64).fold(0, |sum, i| std::hint::black_box(sum ^ i));
        let after = process_cpu_ns(pid).expect("own clock");
        assert!(after > before, "{sum}");
    }

    #[test]
    fn there_is_a_core_to_run_on() {
        assert!(!allowed_cores().expect("affinity").is_empty());
    }
}
