//! The keys of tokens that the configuration names: read from the environment and from files when the server starts.

use std::path::Path;

use anyhow::Context;

use crate::auth::jwt::{Allowed, VerifyingKey, allowed, key_set};
use crate::config::Jwt;
use crate::limits::SECRET_BYTES_MIN;

/// Reads all of them.
///
/// # Errors
/// One that is missing or is no key.
pub fn load(jwt: &Jwt) -> anyhow::Result<Vec<VerifyingKey>> {
    let allowed = allowed(&jwt.algorithms);
    let mut keys = Vec::new();
    if !jwt.secret_env.is_empty() {
        let name = &jwt.secret_env;
        let secret =
            std::env::var(name).with_context(|| format!("jwt.secret_env: there is no variable {name}"))?;
        keys.push(
            secret_key(secret.as_bytes(), &allowed).with_context(|| format!("jwt.secret_env: {name}"))?,
        );
    }
    if let Some(secret) = file(&jwt.secret_file, "secret_file")? {
        keys.push(secret_key(without_line_break(&secret), &allowed).context("jwt.secret_file")?);
    }
    if let Some(pem) = file(&jwt.public_key_file, "public_key_file")? {
        keys.push(VerifyingKey::pem(&pem, &allowed).context("jwt.public_key_file")?);
    }
    if let Some(set) = file(&jwt.jwks_file, "jwks_file")? {
        keys.extend(key_set(&set, &allowed, true).context("jwt.jwks_file")?);
    }
    Ok(keys)
}

fn file(path: &Path, setting: &str) -> anyhow::Result<Option<Vec<u8>>> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let read = std::fs::read(path).with_context(|| format!("jwt.{setting}: cannot read {}", path.display()));
    read.map(Some)
}

fn without_line_break(secret: &[u8]) -> &[u8] {
    let secret = secret.strip_suffix(b"\n").unwrap_or(secret);
    secret.strip_suffix(b"\r").unwrap_or(secret)
}

fn secret_key(secret: &[u8], allowed: &Allowed) -> anyhow::Result<VerifyingKey> {
    if secret.len() < SECRET_BYTES_MIN {
        tracing::warn!(
            bytes = secret.len(),
            least = SECRET_BYTES_MIN,
            "the secret of tokens is short and can be guessed"
        );
    }
    Ok(VerifyingKey::secret(secret, allowed)?)
}
