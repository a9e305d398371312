//! `bench`: the standard set, each run a process of its own with the very command line that is written down.

mod markdown;
mod rows;
mod set;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::mode::Context;
use crate::progress;
use rows::Row;
use set::ROWS;

/// Options of `bench`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Where to write
    #[arg(long, default_value = "docs/BENCHMARKS.md")]
    pub out: PathBuf,
    /// Fewer and shorter rounds
    #[arg(long)]
    pub quick: bool,
    /// Only runs whose command line contains this
    #[arg(long, default_value = "")]
    pub only: String,
}

/// What a run found.
pub struct Outcome {
    /// Which.
    pub row: Row,
    /// Its command line.
    pub command: String,
    /// Its JSON.
    pub figures: Value,
    /// What did not hold.
    pub failures: Vec<String>,
}

/// Runs the set and writes it down; whether everything held.
pub fn run(context: &Context, args: &Args) -> Result<bool> {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| row.command.contains(&args.only)).collect();
    let mut outcomes = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        progress::show(&format!("{} of {}: {}", n + 1, rows.len(), row.title));
        let outcome = measure(context, row, args.quick)?;
        progress::clear();
        outcome.failures.iter().for_each(|failure| println!("{}: {failure}", row.title));
        outcomes.push(outcome);
    }
    let text = markdown::document(&outcomes, args.quick);
    std::fs::write(&args.out, text).with_context(|| format!("cannot write {}", args.out.display()))?;
    println!("wrote {}", args.out.display());
    Ok(outcomes.iter().all(|outcome| outcome.failures.is_empty()))
}

fn measure(context: &Context, row: &Row, quick: bool) -> Result<Outcome> {
    let command = format!("{}{} --json", row.command, if quick { row.quick } else { "" });
    let mut process = Command::new(std::env::current_exe()?);
    process.args(command.split_whitespace()).args(pass_on(context));
    let output = process.output()?;
    let figures = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let failures = match &figures {
        Value::Null => vec![String::from_utf8_lossy(&output.stderr).trim().to_owned()],
        figures => judge(row, figures),
    };
    Ok(Outcome { row: *row, command, figures, failures })
}

/// The options about servers and cores that the runs share with this one.
fn pass_on(context: &Context) -> Vec<String> {
    let server = &context.server;
    let options = [
        ("--server", server.server.as_ref().map(|path| path.display().to_string())),
        ("--url", server.url.clone()),
        ("--pid", server.pid.map(|pid| pid.to_string())),
        ("--token", server.token.clone()),
        ("--server-core", context.core.map(|core| core.to_string())),
        ("--client-core", context.client_core.map(|core| core.to_string())),
        ("--floor-send-buffer", server.floor_send_buffer.map(|bytes| bytes.to_string())),
    ];
    options.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten().collect()
}

/// What the run itself found wrong, and the targets it missed.
fn judge(row: &Row, figures: &Value) -> Vec<String> {
    let own = figures.get("failures").and_then(Value::as_array).into_iter().flatten();
    let mut failures: Vec<String> = own.filter_map(|text| text.as_str().map(str::to_owned)).collect();
    for figure in row.figures.iter().filter(|figure| figure.bound.is_judged()) {
        let value = figures.get(figure.name).and_then(Value::as_f64);
        if !value.is_some_and(|value| figure.bound.holds(value)) {
            let value = value.map_or_else(|| "not measured".to_owned(), |value| value.to_string());
            failures.push(format!("{} {value}", figure.what));
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_and_unmeasured_targets_fail() {
        let failures =
            |ratio: Value| judge(&ROWS[0], &serde_json::json!({"failures": [], "floor_ratio": ratio}));
        assert!(failures(1.08.into()).is_empty());
        assert_eq!(failures(1.09.into()).len(), 1);
        assert_eq!(failures(Value::Null).len(), 1);
        assert_eq!(
            judge(&ROWS[0], &serde_json::json!({"failures": ["3 lost"], "floor_ratio": 1.0})),
            ["3 lost"]
        );
    }
}
