//! Flags of `serve`, made of the table of settings: a flag for each setting at the top, `--set` for all others. The values
//! go to the configuration as they were typed; it judges them together with the file and the environment.

use std::env;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, error::Error};

use crate::config::{self, Config, Problems, Setting, Sources};

/// What the flags said.
#[derive(Clone, Debug, Default)]
pub struct SettingFlags(Vec<(String, String)>);

impl SettingFlags {
    /// Loads the configuration from the file, this process's environment and these flags.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(self, file: Option<PathBuf>) -> Result<Config, Problems> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        };
        config::load(Sources { file, environment: env::vars_os().filter_map(text).collect(), flags: self.0 })
    }
}

fn flagged() -> impl Iterator<Item = (&'static Setting, String)> {
    config::settings().filter_map(|setting| Some((setting, setting.flag()?)))
}

fn arg(setting: &Setting, flag: String) -> Arg {
    let env = setting.env().unwrap_or_default();
    let help = format!("{} [default: {}] [env: {env}]", setting.effect.trim(), (setting.default)());
    let arg = Arg::new(setting.key()).long(flag).help(help);
    match setting.kind {
        "true or false" => {
            arg.action(ArgAction::Set).num_args(0..=1).require_equals(true).default_missing_value("true")
        }
        "list of addresses" => arg.action(ArgAction::Append).value_name("ADDRESS"),
        _ => arg.action(ArgAction::Set).value_name("VALUE"),
    }
}

fn set_arg() -> Arg {
    let help = "Any other setting, such as --set limits.connections=5000. docs/OPERATING.md lists them; \
                --print-config shows what they are.";
    Arg::new("set")
        .long("set")
        .action(ArgAction::Append)
        .value_name("KEY=VALUE")
        .help(help)
        .value_parser(split)
}

fn split(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as limits.connections=5000")?;
    Ok((key.trim().into(), value.trim().into()))
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        flagged().fold(command, |command, (setting, flag)| command.arg(arg(setting, flag))).arg(set_arg())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Vec::new();
        for (setting, _) in flagged() {
            let said = matches.get_many::<String>(&setting.key()).into_iter().flatten();
            let said: Vec<&str> = said.map(String::as_str).collect();
            if !said.is_empty() {
                flags.push((setting.key(), said.join(",")));
            }
        }
        flags.extend(matches.get_many::<(String, String)>("set").into_iter().flatten().cloned());
        Ok(Self(flags))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches;

    fn parse(args: &[&str]) -> Vec<(String, String)> {
        let command = SettingFlags::augment_args(Command::new("t").no_binary_name(true));
        SettingFlags::from_arg_matches(&command.get_matches_from(args)).unwrap().0
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.into(), value.into())
    }

    #[test]
    fn repeated_addresses_become_one_list() {
        assert_eq!(parse(&["--listen", "a:1", "--listen=b:2"]), [pair("listen", "a:1,b:2")]);
    }

    #[test]
    fn switches_need_no_value() {
        assert_eq!(parse(&["--insecure-open"]), [pair("insecure_open", "true")]);
        assert_eq!(parse(&["--insecure-open=false"]), [pair("insecure_open", "false")]);
    }

    #[test]
    fn any_setting_can_be_set() {
        assert_eq!(
            parse(&["--set", "limits.topics=5", "--shards", "2"]),
            [pair("shards", "2"), pair("limits.topics", "5")]
        );
        assert!(split("limits.topics").unwrap_err().contains("KEY=VALUE"));
    }
}
