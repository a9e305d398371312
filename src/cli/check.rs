//! `millrace check-config`: everything that is wrong with a file, with its lines, before a server is restarted on it.
//! Looks at the file alone, not at the environment, so that the answer is the same everywhere.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{self, Config, Sources};

/// Flags of `check-config`.
#[derive(clap::Args)]
pub struct CheckConfig {
    /// The file.
    file: PathBuf,
}

impl CheckConfig {
    /// Runs it.
    ///
    /// # Errors
    /// None; problems are printed and make the exit code 1.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match config::load(Sources { file: Some(self.file), ..Sources::default() }) {
            Ok(config) => println!("{}", summary(&config)),
            Err(problems) => {
                eprintln!("{problems}");
                return Ok(ExitCode::FAILURE);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn summary(config: &Config) -> String {
    let addresses: Vec<String> = config.general.listen.iter().map(|listen| listen.url()).collect();
    let namespaces = 1 + config.namespaces.others().count();
    format!("ok: listens on {}; {namespaces} namespaces, {} keys", addresses.join(", "), config.keys.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_matters() {
        assert_eq!(summary(&Config::default()), "ok: listens on http://127.0.0.1:8000; 1 namespaces, 0 keys");
    }
}
