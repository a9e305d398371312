//! Instructions of the hot paths, counted by valgrind, so that a regression shows on any machine:
//! `cargo bench --bench instructions`. Needs `valgrind` and `gungraun-runner` of the version in Cargo.lock
//! (`cargo install gungraun-runner --version 0.20.0`); without them it says so and does nothing.

use std::process::{Command, Stdio};

#[path = "instructions/paths.rs"]
mod paths;

fn is_there(tool: &str) -> bool {
    let quiet = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok()
}

fn main() {
    let runner = std::env::var("GUNGRAUN_RUNNER").unwrap_or_else(|_| "gungraun-runner".into());
    let missing: Vec<_> = ["valgrind", &runner].into_iter().filter(|tool| !is_there(tool)).collect();
    if missing.is_empty() {
        paths::run();
    } else {
        println!("SKIPPED instruction counts: {} not found", missing.join(" and "));
    }
}
