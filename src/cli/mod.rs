//! The `millrace` command. The client commands speak the public protocol over HTTP like any other client, so that they
//! show what it can do; nothing here reaches into the server but `serve` and `demo`, which start one.

mod backoff;
mod check;
mod connect;
mod connection;
mod demo;
mod feed;
mod publish;
mod publish_batch;
mod publish_lines;
mod serve;
mod settings;
mod signals;
mod sse;
mod subscribe;
mod subscribe_place;
mod subscribe_print;
mod token;
mod token_explain;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  millrace demo                                     a server with a live feed, to look at
  millrace serve --listen 127.0.0.1:8000            a server
  millrace publish logs.api '{\"status\":200}'        publish one event
  tail -f api.log | millrace publish logs.api       publish each line
  millrace subscribe logs.api --from oldest         read a topic, resuming after interruptions
  millrace subscribe 'agents.**' metrics.host-1     read several at once
  millrace connect /ws/events/session-123           speak WebSocket, in any protocol";

/// Publish an event once, deliver it to every subscriber over WebSocket or SSE.
#[derive(Parser)]
#[command(name = "millrace", version, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Serve),
    /// Run a server with a believable live feed, to look at.
    Demo(demo::Demo),
    /// Publish an event, or each line of standard input.
    Publish(publish::Publish),
    /// Read topics as they come; resumes after interruptions.
    Subscribe(subscribe::Subscribe),
    /// Speak WebSocket with any path, in whatever protocol is at home there.
    Connect(connect::Connect),
    /// Check a configuration file and say everything that is wrong with it.
    CheckConfig(check::CheckConfig),
    /// Make keys, sign tokens for tests, and find out what a credential may do.
    #[command(subcommand)]
    Token(token::Token),
    /// Print completions for a shell: `source <(millrace completions bash)`.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
}

/// Runs the command line. Failures are told on standard error, with exit code 1; a reader of our output that went away
/// is no failure.
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(serve) => serve.run(),
        Command::Demo(demo) => demo.run(),
        Command::Publish(publish) => block_on(publish.run()),
        Command::Subscribe(subscribe) => block_on(subscribe.run()),
        Command::Connect(connect) => block_on(connect.run()),
        Command::CheckConfig(check) => check.run(),
        Command::Token(token) => token.run(),
        Command::Completions { shell } => completions(shell),
    }
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "millrace", &mut script);
    io::Write::write_all(&mut io::stdout(), &script)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a client command: one thread is plenty.
fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(command);
    runtime.shutdown_background();
    result
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_at_the_top_has_its_flag_and_help() {
        let mut command = Cli::command();
        let help = command.find_subcommand_mut("serve").unwrap().render_long_help().to_string();
        for setting in crate::config::settings().filter(|setting| setting.flag().is_some()) {
            let flag = setting.flag().unwrap();
            assert!(help.contains(&format!("--{flag}")), "{flag}");
            assert!(help.contains(&setting.env().unwrap()), "{flag}");
        }
    }

    #[test]
    fn only_a_broken_pipe_is_quiet() {
        let pipe = anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing");
        assert!(is_broken_pipe(&pipe));
        assert!(!is_broken_pipe(&anyhow::anyhow!("else")));
    }
}
