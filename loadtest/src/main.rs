//! Load generator and checker for Millrace.
//!
//! One thread, one epoll, thousands of subscribers. Every subscriber checks that it reads every offset of its topic once
//! and in order; every mode prints what it measured as a table or, with `--json`, as one object, and ends with status 1
//! when anything was lost, duplicated, reordered or corrupted.
//!
//! **What is compared.** CPU per delivery is read from the CPU clock of the server process, over rounds in which all that
//! was published has been read by everybody. The same rounds are run on the *floor* ([`floor`]): this program again, as a
//! bare loop that writes the same bytes to the same number of sockets. Server and floor are pinned to the same core and
//! take turns (in changing order) in one run, and the figure that counts is the median of the ratios of neighbouring
//! rounds: what disturbs the machine disturbs both.
//!
//! **What is not a bottleneck.** A read takes everything a socket has; frames are recognised in place ([`wire`]); an
//! event is checked by comparing it with what it must look like ([`look`], [`protocol`]) and its number with what was read
//! before ([`check`]); a delivery takes one integer from a count ([`window`]). A new event is published when the window has room:
//! `--window 1` publishes the next when all have read the last.
//!
//! **Who is who.** [`target`] is a process under load, [`swarm`] its subscribers, [`publisher`] the one who publishes,
//! [`side`] the three together, [`mode`] what is done with them, [`mod@bench`] the standard set.

mod bench;
mod check;
mod cli;
mod envelope;
mod floor;
mod look;
mod mode;
mod proc;
mod progress;
mod protocol;
mod publisher;
mod report;
mod side;
mod stats;
mod swarm;
mod sys;
mod target;
mod window;
mod wire;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::run(&cli::Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::from(2)
        }
    }
}
