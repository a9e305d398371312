//! What can be wrong with a token, for the operator who asks; the client is told less.

use crate::auth::AuthError;

/// What is wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not three parts, or larger than a token may be.
    #[error("it has not the form of a token (three parts with dots between them)")]
    Form,
    /// The header is no JSON object with an algorithm.
    #[error("its header cannot be read")]
    Header,
    /// The header demands something that is not understood.
    #[error("its header says `crit`: it must not be accepted by who does not understand that")]
    Critical,
    /// Not one that a key here is for.
    #[error("it is signed by {0:?}, which is not allowed, or not what its key is for")]
    Algorithm(String),
    /// The key it names is not here.
    #[error("{}", unknown_key(.0))]
    UnknownKey(String),
    /// It names no key, and more than one could be meant.
    #[error("it names no key (`kid`), and several keys could be meant")]
    WhichKey,
    /// The signature is not that of the key.
    #[error("its signature is wrong")]
    Signature,
    /// The claims are no JSON object.
    #[error("its claims are no JSON object")]
    Claims,
    /// It has no end.
    #[error("it has no end (`exp`), and tokens must have one")]
    NoExpiry,
    /// Its end is past, Unix milliseconds, leeway included.
    #[error("it has expired")]
    Expired(u64),
    /// It is valid from then on, Unix milliseconds.
    #[error("it is not valid yet (`nbf`)")]
    NotYet(u64),
    /// Not an issuer that is accepted.
    #[error("its issuer (`iss`) is not one of jwt.issuer")]
    Issuer,
    /// Not for this server.
    #[error("its audience (`aud`) is none of jwt.audience")]
    Audience,
    /// It does not say whose it is.
    #[error("it names no user: there is no claim {0:?} with a text")]
    NoUser(String),
    /// A claim is wrong.
    #[error("its claim `{0}` {1}")]
    Claim(&'static str, &'static str),
    /// The claim with the grants is wrong.
    #[error("its grants are wrong: {0}")]
    Grants(String),
}

/// A token that names no key may be for one of those that are fetched.
fn unknown_key(name: &str) -> String {
    match name {
        "" => "no key for it is here, and none could be fetched".into(),
        name => format!("there is no key {name:?} here"),
    }
}

impl From<Problem> for AuthError {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Expired(_) => Self::Expired,
            _ => Self::Invalid,
        }
    }
}
