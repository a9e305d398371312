//! Configuration in two stages: `raw` holds what was said and where (file, environment, flags), [`Config`] holds every
//! value, resolved and checked together. One table (`table`) names the settings for the file, the flags, the environment
//! and the documentation. Never reads a clock, opens a socket or holds a secret: keys are known by their hashes.

mod blobs;
mod choice;
mod credentials;
mod key;
mod kind;
mod lists;
mod namespaces;
mod openai;
mod pattern;
mod print;
mod problem;
mod protocols;
mod proxy;
mod raw;
mod resolve;
mod respond;
mod roles;
mod section;
mod sessions;
mod table;
mod tools;
mod units;
mod worker;

use std::path::PathBuf;

pub use blobs::Blobs;
pub use choice::{
    Algorithm, Asked, ForwardedHeader, LogFormat, OnLost, ProxyProtocol, Refuse, Responder, Role, SkipTo,
    SlowPolicy,
};
pub use credentials::{Auth, Jwt, Webhook};
pub use key::KeyHash;
pub use kind::Listen;
pub use namespaces::Namespaces;
pub use openai::OpenAi;
pub use pattern::Pattern;
pub use print::{key_to_toml, to_markdown, to_toml};
pub use problem::{Origin, Problem, Problems};
pub use protocols::{Analysis, Channels, Events, Stream};
pub use proxy::{Network, Proxy};
pub use respond::{Agent, Agents, Respond};
pub use roles::{RoleGrants, Roles};
pub use section::Setting;
pub use sessions::Sessions;
pub use table::{Delivery, General, KeyConfig, Limits, Namespace, Timing, settings};
pub use tools::{Tool, Tools};
pub use worker::Worker;

/// The configuration of a server: every value is there and they fit together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The process as a whole.
    pub general: General,
    /// Bounds on what peers can cause.
    pub limits: Limits,
    /// Proxies in front of the server.
    pub proxy: Proxy,
    /// Time.
    pub timing: Timing,
    /// How bytes get to readers.
    pub delivery: Delivery,
    /// The `stream` protocol.
    pub stream: Stream,
    /// The `events` protocol.
    pub events: Events,
    /// The `channels` protocol.
    pub channels: Channels,
    /// The `analysis` protocol.
    pub analysis: Analysis,
    /// Questions that are answered.
    pub sessions: Sessions,
    /// Blobs.
    pub blobs: Blobs,
    /// Who answers them.
    pub respond: Respond,
    /// Among whom they are divided.
    pub agents: Agents,
    /// Models that answer.
    pub openai: OpenAi,
    /// What they can have done.
    pub tools: Tools,
    /// Processes that answer them.
    pub worker: Worker,
    /// The backend that is asked.
    pub webhook: Webhook,
    /// What roles may do.
    pub roles: Roles,
    /// How topics behave, by pattern.
    pub namespaces: Namespaces,
    /// Where credentials may come from.
    pub auth: Auth,
    /// JSON Web Tokens.
    pub jwt: Jwt,
    /// API keys.
    pub keys: Vec<KeyConfig>,
    /// Opens `/test/echo` for conformance tests of the WebSocket codec. Only a hidden flag sets it.
    pub test_echo: bool,
    /// What the operator should know, though it is not wrong. For the log.
    pub warnings: Vec<String>,
}

/// Where the configuration is said. The later fields win over the earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// The environment; names that do not begin with `MILLRACE_` are passed over.
    pub environment: Vec<(String, String)>,
    /// Flags as dotted keys and values.
    pub flags: Vec<(String, String)>,
}

/// Reads, merges and checks the configuration.
///
/// # Errors
/// Everything that is wrong, each with its place and what to do.
pub fn load(sources: Sources) -> Result<Config, Problems> {
    let mut raw = raw::Raw::default();
    if let Some(path) = &sources.file {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => raw.file(&name, &text),
            Err(error) => {
                raw.problems.push(Origin::Nowhere, format!("cannot read the configuration {name}: {error}"))
            }
        }
    }
    raw.environment(sources.environment);
    raw.flags(sources.flags);
    resolve::resolve(raw)
}

impl Config {
    /// Whether clients must say who they are; otherwise everybody may do everything.
    pub fn has_credentials(&self) -> bool {
        !self.keys.is_empty() || self.jwt.is_configured()
    }

    /// Reads and checks a configuration from text alone; `name` stands in the problems.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn from_toml(name: &str, text: &str) -> Result<Self, Problems> {
        let mut raw = raw::Raw::default();
        raw.file(name, text);
        resolve::resolve(raw)
    }

    /// Delivering threads: as configured, else one per core.
    pub fn shards(&self) -> usize {
        or_cores(self.general.shards)
    }

    /// Accepting threads: as configured, else one per core.
    pub fn workers(&self) -> usize {
        or_cores(self.general.workers)
    }
}

fn or_cores(count: usize) -> usize {
    if count > 0 { count } else { std::thread::available_parallelism().map_or(1, usize::from) }
}
