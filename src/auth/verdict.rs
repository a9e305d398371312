//! Asking whether a token is good, and the answers.

use std::net::IpAddr;
use std::sync::Arc;

use super::identity::Identity;
use crate::limits::RETRY_AFTER_SECONDS;

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No token.
    #[error("a credential is needed: send `Authorization: Bearer <token>` or ?token=<token>")]
    Missing,
    /// Not one of ours, or damaged.
    #[error("the credential is not valid")]
    Invalid,
    /// Its time is over.
    #[error("the credential has expired")]
    Expired,
    /// It was taken back.
    #[error("the credential was revoked")]
    Revoked,
    /// It is good, but not for what this connection reads.
    #[error("the credential is another user's, or does not allow what this connection reads")]
    Insufficient,
    /// Whoever must be asked does not want it.
    #[error("the server's backend refuses this connection")]
    Denied,
    /// Whoever must be asked does not answer.
    #[error("the credential cannot be checked now; try again")]
    Unavailable,
    /// Who presents it has as many connections as it may.
    #[error("too many connections of this user; retry after {RETRY_AFTER_SECONDS} s")]
    Crowded,
}

impl AuthError {
    /// A word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing | Self::Invalid => "unauthorized",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Insufficient => "insufficient",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
            Self::Crowded => "too_many_connections_of_user",
        }
    }

    /// After how long the same credential may be let in, milliseconds, if time can change that.
    pub fn retry_after_ms(self) -> Option<u64> {
        matches!(self, Self::Unavailable | Self::Crowded).then_some(RETRY_AFTER_SECONDS * 1000)
    }
}

/// Who presents a token, or why nobody does.
pub type Verdict = Result<Arc<Identity>, AuthError>;

/// Gets a verdict that took a while.
pub type Later<V = Verdict> = Box<dyn FnOnce(V) + Send>;

/// Where a connection comes from, for whoever is asked about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The client's address, as far as that is known.
    pub address: Option<IpAddr>,
    /// The path of its request.
    pub path: Box<str>,
}

/// Topics and patterns, and whether each may be read.
pub type Permits = Vec<(String, bool)>;

/// Decides about credentials, and about what their grants leave to others.
pub trait Authenticate: Send + Sync {
    /// The verdict on `token`; `None` makes `later` get it, from whatever thread, when somebody else must be asked first.
    /// Never blocks.
    fn authenticate(
        &self,
        token: &str,
        caller: Option<&Arc<Caller>>,
        unix_ms: u64,
        later: Later,
    ) -> Option<Verdict>;

    /// Counts a credential that was good but was refused for what it was presented for.
    fn refused(&self, _error: AuthError) {}

    /// Whether the credential of `identity` was taken back since it was checked. Never blocks.
    fn is_revoked(&self, _identity: &Identity, _unix_ms: u64) -> bool {
        false
    }

    /// Whether somebody must be asked before a topic is read, besides the grants.
    fn asks_about_topics(&self) -> bool {
        false
    }

    /// Which of `topics` may be read; `None` makes `later` get it, from whatever thread. Never blocks.
    fn permits(
        &self,
        _identity: &Arc<Identity>,
        _caller: Option<&Arc<Caller>>,
        topics: Vec<String>,
        _later: Later<Permits>,
    ) -> Option<Permits> {
        Some(topics.into_iter().map(|topic| (topic, true)).collect())
    }
}
