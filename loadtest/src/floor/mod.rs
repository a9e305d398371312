//! The floor: what the same deliveries cost when a server does nothing but write.
//!
//! A bare epoll loop. Each event is laid out once, exactly as Millrace would send it; what is pending is joined in one
//! contiguous buffer; every subscriber gets one non-blocking write of it. A full socket keeps its position and waits for
//! writability. Nothing else happens: no routing, no authentication, no metrics, no timers.
//!
//! The same loop with history kept, and with Millrace's ways to publish, is the *stand-in*: enough of a Millrace for the
//! tests of this crate. `MILLRACE_LOADTEST_FAULT=drop|duplicate|reorder|corrupt` makes it (and the floor) deliver event 50
//! of every topic wrongly, to prove that the checks can fail.

pub mod frame;
mod request;
mod serve;
mod stream;

use std::path::PathBuf;

use crate::protocol::Payload;

/// How the loop is to behave.
#[derive(Debug, Clone)]
pub struct FloorSpec {
    /// What events carry when the control connection only says how many.
    pub payload: Payload,
    /// Whether everything is kept, so that subscribers can resume.
    pub keep: bool,
    /// A subscriber that is further behind is dropped.
    pub backlog_bytes: usize,
    /// `SO_SNDBUF` of accepted sockets.
    pub send_buffer: Option<i32>,
    /// What to do wrong.
    pub fault: Fault,
}

/// The arguments of the hidden `floor-server`.
#[derive(Debug, Clone, clap::Args)]
pub struct FloorArgs {
    /// Bytes of data of each event
    #[arg(long, default_value_t = 128)]
    pub size: usize,
    /// Number of buckets events are spread over
    #[arg(long)]
    pub buckets: Option<u32>,
    /// SO_SNDBUF of subscribers
    #[arg(long)]
    pub send_buffer: Option<i32>,
}

/// The arguments of the hidden stand-in: those of `millrace serve` that are used here.
#[derive(Debug, Clone, clap::Args)]
pub struct StandInArgs {
    /// Address to listen on (loopback is used whatever it says)
    #[arg(long)]
    pub listen: Option<String>,
    /// Configuration, of which only `slow_bytes` is read
    #[arg(long)]
    pub config: Option<PathBuf>,
}

/// What the loop does wrong, to show that it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The event is never delivered.
    Drop,
    /// It is delivered twice.
    Duplicate,
    /// It is delivered after its successor.
    Reorder,
    /// Its last byte is another.
    Corrupt,
}

/// Which event of each topic suffers the fault.
pub const FAULTY_OFFSET: u64 = 50;
/// The environment variable that asks for one.
pub const FAULT_VARIABLE: &str = "MILLRACE_LOADTEST_FAULT";

impl Fault {
    /// The one that the environment asks for.
    pub fn from_environment() -> Self {
        match std::env::var(FAULT_VARIABLE).as_deref() {
            Ok("drop") => Self::Drop,
            Ok("duplicate") => Self::Duplicate,
            Ok("reorder") => Self::Reorder,
            Ok("corrupt") => Self::Corrupt,
            _ => Self::None,
        }
    }
}

/// Runs the floor until it is killed.
pub fn run_floor(args: &FloorArgs) -> anyhow::Result<()> {
    serve::run(FloorSpec {
        payload: Payload::new(args.size, args.buckets),
        keep: false,
        backlog_bytes: 256 << 20,
        send_buffer: args.send_buffer,
        fault: Fault::from_environment(),
    })
}

/// Runs the stand-in until it is killed.
pub fn run_stand_in(args: &StandInArgs) -> anyhow::Result<()> {
    let config = args.config.as_ref().map(std::fs::read_to_string).transpose()?.unwrap_or_default();
    let slow_bytes = config.lines().find_map(|line| line.strip_prefix("slow_bytes = ")?.parse().ok());
    serve::run(FloorSpec {
        payload: Payload::new(2, None),
        keep: true,
        backlog_bytes: slow_bytes.unwrap_or(64 << 20),
        send_buffer: Some(64 << 10),
        fault: Fault::from_environment(),
    })
}
