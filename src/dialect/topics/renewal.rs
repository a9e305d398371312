//! Renewing the credential of a connection that has no requests: one message, `{"type":"auth","token":"…"}`.

use std::borrow::Cow;

use serde::Deserialize;

use super::super::Host;
use super::messages;
use crate::auth::AuthError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Auth<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    token: Cow<'a, str>,
}

/// The token of a message that is this and nothing else. An event is none: it has data, or names no token.
pub(super) fn token(text: &str) -> Option<Cow<'_, str>> {
    let auth: Auth<'_> = serde_json::from_str(text).ok()?;
    (auth.kind == "auth").then_some(auth.token)
}

/// Tells what became of it; after a refusal the connection goes on with what it had.
pub(super) fn tell(verdict: Result<(), AuthError>, reference: Option<&str>, host: &mut dyn Host) {
    let (event, answer) = match verdict {
        Ok(()) => ("authenticated", messages::authenticated(host.identity(), reference)),
        Err(error) => ("error", messages::unauthenticated(error, reference)),
    };
    host.send(event, &answer);
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn nothing_but_an_auth_message_renews() {
        assert_eq!(token("{\"type\":\"auth\",\"token\":\"a\\\"b\"}").as_deref(), Some("a\"b"));
        for other in [
            "{\"type\":\"auth\"}",
            "{\"type\":\"ping\",\"token\":\"a\"}",
            "{\"type\":\"auth\",\"token\":\"a\",\"data\":1}",
            "{\"type\":\"auth\",\"token\":\"a\"}\n{\"data\":1}",
            "auth",
        ] {
            assert_eq!(token(other), None, "{other}");
        }
    }
}
