//! Settings about who clients are: tokens, where they may come from, and whom the server asks. No secret stands here, only
//! the name of the variable or file that holds it.

use std::path::PathBuf;
use std::time::Duration;

use super::choice::{Algorithm, Asked, MaybeRole, Role};
use super::kind::{File, Millis, Seconds, Text};
use super::lists::{MaybeText, MaybeUrl, Texts, Words};
use super::section::section;
use crate::limits;

section! {
    /// Where credentials may come from.
    Auth = "auth" {
        /// Cookie that may hold a token or key; none when empty.
        cookie: MaybeText = String::new();
        /// Origins (`https://app.example.com`) whose pages may open streams and use the cookie; `*` for all. When empty: all, but with `auth.cookie` the server's own only.
        origins: Texts = Vec::<String>::new();
    }
}

section! {
    /// JSON Web Tokens.
    Jwt = "jwt" {
        /// Ways of signing that are accepted, of those that suit the key.
        algorithms: Words<Algorithm> = Algorithm::ALL.to_vec();
        /// Environment variable with a shared secret (HS256, HS384, HS512); 32 bytes or more.
        secret_env: MaybeText = String::new();
        /// File with a shared secret; a line break at its end does not count.
        secret_file: File = PathBuf::new();
        /// File with a public key (PEM).
        public_key_file: File = PathBuf::new();
        /// File with a set of keys (JWKS).
        jwks_file: File = PathBuf::new();
        /// Where a set of public keys is fetched from.
        jwks_url: MaybeUrl = String::new();
        /// Time between fetches.
        jwks_refresh_seconds: Seconds<1> = Duration::from_secs(limits::JWKS_REFRESH_SECONDS);
        /// Least time between fetches, when a token names a key that is not known or a fetch has failed.
        jwks_retry_seconds: Seconds<1> = Duration::from_secs(limits::JWKS_RETRY_SECONDS);
        /// Issuers (`iss`) that are accepted; any when empty.
        issuer: Texts = Vec::<String>::new();
        /// Audiences (`aud`), one of which a token must name; when empty, it may name any.
        audience: Texts = Vec::<String>::new();
        /// How far the clock of the issuer may be off: added to `exp`, and to now for `nbf`.
        leeway_seconds: Seconds<0> = Duration::from_secs(limits::JWT_LEEWAY_SECONDS);
        /// Claim that names the user.
        user_claim: Text = "sub".into();
        /// Claim with the role, or a list in which the highest counts; `a.b` is member `b` of claim `a`.
        role_claim: Text = "role".into();
        /// Claim with lists of patterns (`publish`, `subscribe`, `history`, `presence`); with it the role gives no topics.
        grants_claim: Text = "grants".into();
        /// Role of tokens without one.
        default_role: MaybeRole = Option::<Role>::None;
    }
}

section! {
    /// The backend that is asked about connections and topics, besides what grants say.
    Webhook = "webhook" {
        /// Where to ask, by POST; nobody is asked when empty.
        url: MaybeUrl = String::new();
        /// Environment variable with a secret that requests are signed with.
        secret_env: MaybeText = String::new();
        /// File with that secret; a line break at its end does not count.
        secret_file: File = PathBuf::new();
        /// Time to answer; after it the client is refused.
        timeout_ms: Millis<1> = Duration::from_millis(limits::WEBHOOK_TIMEOUT_MS);
        /// Time for which an answer holds for the same question. 0 asks each time.
        cache_seconds: Seconds<0> = Duration::from_secs(limits::WEBHOOK_CACHE_SECONDS);
        /// What it is asked about: `connect` before a stream begins, `subscribe` before topics are read.
        on: Words<Asked> = vec![Asked::Connect, Asked::Subscribe];
    }
}

impl Webhook {
    /// Whether it is asked about `what`.
    pub fn is_asked(&self, what: Asked) -> bool {
        !self.url.is_empty() && self.on.contains(&what)
    }
}

impl Algorithm {
    /// All.
    pub const ALL: [Self; 12] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];
}

impl Jwt {
    /// Whether tokens are accepted: there is something to check them with.
    pub fn is_configured(&self) -> bool {
        let files = [&self.secret_file, &self.public_key_file, &self.jwks_file];
        let texts = [&self.secret_env, &self.jwks_url];
        files.iter().any(|file| !file.as_os_str().is_empty()) || texts.iter().any(|text| !text.is_empty())
    }
}
