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
    for secret in secrets("jwt", &jwt.secret_env, &jwt.secret_file)? {
        keys.push(secret_key(&secret, &allowed).context("jwt: the secret")?);
    }
    if let Some(pem) = file(&jwt.public_key_file, "jwt.public_key_file")? {
        keys.push(VerifyingKey::pem(&pem, &allowed).context("jwt.public_key_file")?);
    }
    if let Some(set) = file(&jwt.jwks_file, "jwt.jwks_file")? {
        keys.extend(key_set(&set, &allowed, true).context("jwt.jwks_file")?);
    }
    Ok(keys)
}

/// The secrets that a section of the configuration names: those of a variable and of a file.
///
/// # Errors
/// One that is named and not there.
pub fn secrets(section: &str, variable: &str, path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut secrets = Vec::new();
    if !variable.is_empty() {
        let value = std::env::var_os(variable);
        let value =
            value.with_context(|| format!("{section}.secret_env: there is no variable {variable}"))?;
        secrets.push(value.into_encoded_bytes());
    }
    if let Some(content) = file(path, &format!("{section}.secret_file"))? {
        secrets.push(without_line_break(&content).to_vec());
    }
    Ok(secrets)
}

fn file(path: &Path, setting: &str) -> anyhow::Result<Option<Vec<u8>>> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let read = std::fs::read(path).with_context(|| format!("{setting}: cannot read {}", path.display()));
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
