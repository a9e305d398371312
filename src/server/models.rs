//! From the configuration to the models that answer. Their keys come from the environment, and stand nowhere else.

use std::sync::Arc;

use anyhow::Context;

use crate::config::{self, Config};
use crate::respond::openai::{Knowledge, OpenAi, Tool, Tools};

/// The variable that holds the key of the provider at this host.
const OPENROUTER: (&str, &str) = ("openrouter.ai", "OPENROUTER_API_KEY");

/// The model of `[openai]`, which goes by what `knowledge` finds.
///
/// # Errors
/// A URL that cannot be asked, no certificates to check its server by, or a token that is named and not there.
pub fn openai(config: &Config, knowledge: Arc<dyn Knowledge>) -> anyhow::Result<OpenAi> {
    let settings = &config.openai;
    let key = key(settings);
    warn(settings, key.is_some());
    let tools =
        config.tools.0.iter().map(|(name, said)| tool(name, said).with_context(|| format!("tools.{name}")));
    let tools = Arc::new(Tools::new(tools.collect::<anyhow::Result<_>>()?));
    OpenAi::new(settings, key.as_deref(), tools, knowledge)
}

/// The key: of the first variable that is set. A key is not sent to another provider than its own where both are known.
fn key(settings: &config::OpenAi) -> Option<String> {
    let mut variables: Vec<&str> = settings.key_env.iter().map(String::as_str).collect();
    if host(&settings.url) == OPENROUTER.0 {
        variables.sort_by_key(|variable| *variable != OPENROUTER.1);
    }
    let values = variables.into_iter().filter_map(|variable| std::env::var(variable).ok());
    values.map(|key| key.trim().to_owned()).find(|key| !key.is_empty())
}

fn host(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// What an operator should know, though it may be meant.
fn warn(settings: &config::OpenAi, has_key: bool) {
    let host = host(&settings.url);
    let is_local = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if has_key && !is_local && settings.url.starts_with("http://") {
        tracing::warn!(
            host,
            "openai.url: the API key and all questions leave this machine without encryption"
        );
    }
    if !has_key && !is_local && !settings.key_env.is_empty() {
        let variables = settings.key_env.join(", ");
        tracing::warn!(variables, host, "openai.key_env: none of the variables is set; no API key is sent");
    }
}

fn tool(name: &str, said: &config::Tool) -> anyhow::Result<Tool> {
    let variable = &said.token_env;
    let token = match variable.is_empty() {
        true => None,
        false => Some(
            std::env::var(variable).with_context(|| format!("token_env: there is no variable {variable}"))?,
        ),
    };
    Tool::new(name, &said.url, (&said.description, said.schema()), said.timeout_seconds, token.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let cases = [
            ("https://openrouter.ai/api/v1", "openrouter.ai"),
            ("http://127.0.0.1:11434/v1", "127.0.0.1"),
            ("http://[::1]:80", "::1"),
            ("https://a.b?x", "a.b"),
            ("", ""),
        ];
        for (url, expected) in cases {
            assert_eq!(host(url), expected, "{url}");
        }
    }
}
