//! `millrace serve`: load the configuration, start logging, run the server until a signal.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use super::settings::SettingFlags;
use super::signals::Stop;
use crate::config::{self, Config, LogFormat};
use crate::server::Server;

const EXAMPLES: &str = "\
Examples:
  millrace serve
  millrace serve --config /etc/millrace.toml --log-format json
  millrace serve --listen 0.0.0.0:8000 --listen unix:/run/millrace.sock --config keys.toml
  millrace serve --set namespaces.default.retain_events=1000 --set limits.connections=200000";

/// Flags of `serve`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Serve {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE", env = "MILLRACE_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
    /// Print the effective configuration as TOML and exit.
    #[arg(long)]
    print_config: bool,
    /// Open /test/echo for conformance tests of the WebSocket codec.
    #[arg(long, hide = true)]
    test_echo: bool,
}

impl Serve {
    /// Runs it.
    ///
    /// # Errors
    /// A configuration that is wrong, or a server that cannot start.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut config = self.settings.load(self.config).context("the configuration is wrong")?;
        config.test_echo = self.test_echo;
        if self.print_config {
            io::stdout().write_all(config::to_toml(&config).as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        start_logging(&config)?;
        runtime(&config)?.block_on(serve(config))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The runtime that accepts and takes in publications.
///
/// # Errors
/// When the system has no threads left.
pub fn runtime(config: &Config) -> io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(config.workers()).thread_name("millrace-worker").enable_all().build()
}

/// Log lines go to standard error, so that standard output stays for the addresses.
///
/// # Errors
/// A filter that cannot be read.
pub fn start_logging(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.general.log);
    let filter = filter.context("log: write a level (info) or a filter (millrace=debug)")?;
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.general.log_format {
        LogFormat::Text => logger.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init(),
        LogFormat::Json => logger.json().init(),
    }
    Ok(())
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let stop = Stop::listen()?;
    config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let server = Server::bind(config)?;
    announce(&server.addresses())?;
    server.run(stop.first()).await
}

/// One line for each address: what scripts and tests wait for. A closed standard output does not stop a server.
fn announce(addresses: &[String]) -> anyhow::Result<()> {
    let lines: String = addresses.iter().map(|address| format!("listening on {address}\n")).collect();
    let mut out = io::stdout();
    match out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
