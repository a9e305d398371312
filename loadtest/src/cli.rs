//! The command line.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::floor::{self, FloorArgs, StandInArgs};
use crate::mode::{self, Context};
use crate::report::Report;
use crate::target::ServerArgs;
use crate::{bench, progress, sys};

/// Load generator and checker for Millrace: order, gaps, duplicates, CPU per delivery and its ratio to the floor.
#[derive(Parser, Debug)]
#[command(version, args_override_self = true)]
pub struct Cli {
    #[command(subcommand)]
    mode: Mode,
    #[command(flatten)]
    server: ServerArgs,
    /// Print one JSON object instead of a table
    #[arg(long, global = true)]
    json: bool,
    /// Fail when the ratio that the mode reports is above this
    #[arg(long, global = true, value_name = "RATIO")]
    assert_ratio: Option<f64>,
}

#[derive(Subcommand, Debug)]
enum Mode {
    /// Publish as fast as the window allows, to many subscribers
    Fanout(mode::fanout::Args),
    /// Publish at a steady pace and measure how long events take
    Latency(mode::latency::Args),
    /// Publish to sessions of the events protocol, whose clients get batches
    Events(mode::events::Args),
    /// Memory of connections that do nothing
    Idle(mode::idle::Args),
    /// CPU of accepting, shaking hands and subscribing
    Connect(mode::connect::Args),
    /// Events published per second
    Publish(mode::publish::Args),
    /// What subscribers that do not read do to the others
    Slow(mode::slow::Args),
    /// Connections are cut at random and resumed
    Resume(mode::resume::Args),
    /// Answers, token by token, to the readers of many sessions
    Sessions(mode::sessions::Args),
    /// Connections come and go while events are published
    Churn(mode::churn::Args),
    /// Everything at once, for long
    Soak(mode::soak::Args),
    /// The bare write loop alone
    Floor(mode::fanout::Args),
    /// Run the standard set and write it down as Markdown
    Bench(bench::Args),
    #[command(hide = true)]
    FloorServer(FloorArgs),
    #[command(hide = true)]
    Serve(StandInArgs),
}

/// Does what the command line says; whether everything held.
pub fn run(cli: &Cli) -> Result<bool> {
    match &cli.mode {
        Mode::FloorServer(args) => floor::run_floor(args).map(|()| true),
        Mode::Serve(args) => floor::run_stand_in(args).map(|()| true),
        mode => run_mode(cli, mode),
    }
}

/// The wiring of modes: pins this process, and prints what the mode found.
fn run_mode(cli: &Cli, mode: &Mode) -> Result<bool> {
    let open_files = sys::raise_open_files()? as usize;
    let (core, client_core) = cli.server.pin()?;
    let context = Context { server: cli.server.clone(), core, client_core, open_files };
    let report = match mode {
        Mode::Fanout(args) => mode::fanout::run(&context, args),
        Mode::Latency(args) => mode::latency::run(&context, args),
        Mode::Events(args) => mode::events::run(&context, args),
        Mode::Idle(args) => mode::idle::run(&context, args),
        Mode::Connect(args) => mode::connect::run(&context, args),
        Mode::Publish(args) => mode::publish::run(&context, args),
        Mode::Slow(args) => mode::slow::run(&context, args),
        Mode::Resume(args) => mode::resume::run(&context, args),
        Mode::Sessions(args) => mode::sessions::run(&context, args),
        Mode::Churn(args) => mode::churn::run(&context, args),
        Mode::Soak(args) => mode::soak::run(&context, args),
        Mode::Floor(args) => mode::fanout::run_floor(&context, args),
        Mode::Bench(args) => return bench::run(&context, args),
        Mode::FloorServer(_) | Mode::Serve(_) => return Ok(true),
    };
    progress::clear();
    Ok(print(cli, report?))
}

fn print(cli: &Cli, mut report: Report) -> bool {
    if let Some(limit) = cli.assert_ratio {
        let ratio = report.get(report.ratio_name());
        let shown = ratio.map_or_else(|| "not measured".to_owned(), |ratio| ratio.to_string());
        let name = report.ratio_name();
        report.require(ratio.is_some_and(|ratio| ratio <= limit), || {
            format!("{name} {shown}, at most {limit}")
        });
    }
    match cli.json {
        true => println!("{}", report.json()),
        false => print!("{}", report.table()),
    }
    report.failures().is_empty()
}
