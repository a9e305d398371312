//! What `/proc` and the tool chain say about processes and the machine.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const SETTLE_STEP: Duration = Duration::from_millis(250);
const SETTLE_AT_MOST: Duration = Duration::from_secs(15);
/// This many equal readings in a row count as settled.
const SETTLED_AFTER: usize = 4;

/// Resident memory of `pid` in bytes, exact to the page.
pub fn rss(pid: i32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .context("cannot read the memory of the server")?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("Rss:")?.split_whitespace().next());
    Ok(kilobytes.context("smaps_rollup without Rss")?.parse::<u64>()? * 1024)
}

/// Resident memory of `pid` once it no longer changes (or after 15 seconds).
pub fn settled_rss(pid: i32) -> Result<u64> {
    let start = Instant::now();
    let (mut last, mut equal) = (rss(pid)?, 0);
    while equal < SETTLED_AFTER && start.elapsed() < SETTLE_AT_MOST {
        sleep(SETTLE_STEP);
        let now = rss(pid)?;
        equal = if now.abs_diff(last) <= last / 2000 { equal + 1 } else { 0 };
        last = now;
    }
    Ok(last)
}

fn first_line(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
}

fn cpu_model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What figures depend on, as (name, value).
pub fn versions() -> Vec<(&'static str, String)> {
    let unknown = || "unknown".to_owned();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    // Not what this process may use: it is pinned to one.
    let cores = fs::read_to_string("/proc/cpuinfo").unwrap_or_default().matches("processor\t").count();
    vec![
        ("millrace", env!("CARGO_PKG_VERSION").to_owned()),
        ("rustc", first_line("rustc").unwrap_or_else(unknown)),
        ("kernel", kernel.unwrap_or_else(|_| unknown())),
        ("cpu", format!("{} ({cores} cores)", cpu_model().unwrap_or_else(unknown))),
        ("load average at the start", load),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_this_process_is_known() {
        assert!(rss(std::process::id() as i32).expect("own memory") > 100_000);
    }
}
