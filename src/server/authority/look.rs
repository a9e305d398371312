//! Credentials as a server would know them now, for whoever only wants to look.

use super::Authority;
use crate::auth::Credentials;
use crate::config::Config;
use crate::delivery::Clock;

/// See the module.
pub struct Looked {
    authority: Authority,
    fault: Option<&'static str>,
}

impl Looked {
    /// The credentials.
    pub fn credentials(&self) -> &Credentials {
        self.authority.credentials()
    }

    /// What is missing.
    pub fn fault(&self) -> Option<&str> {
        self.fault
    }
}

/// Reads and fetches the keys of a configuration.
///
/// # Errors
/// A key of tokens that is missing or is none.
pub async fn look(config: &Config) -> anyhow::Result<Looked> {
    let (authority, _chores) = Authority::new(config, Clock::start())?;
    let inner = &authority.inner;
    let fetched = match (&inner.jwks, inner.credentials.tokens()) {
        (Some(jwks), Some(tokens)) => jwks.look_again(tokens, &inner.metrics).await,
        _ => true,
    };
    let fault = (!fetched).then_some("jwt.jwks_url does not give any now");
    Ok(Looked { authority, fault })
}
