//! Requests that the server itself makes: one connection each, no redirects, and no task that outlives whoever waits. Dropping
//! what waits closes the connection.
//!
//! A [`Client`] wants the whole answer in time; [`Streams`] give it piece by piece, and are patient for as long as pieces come.

mod address;
mod exchange;
mod streams;
mod whole;

use std::time::Duration;

pub use streams::{Patience, Stream, Streams};
pub use whole::Client;

/// Why there is no answer, or not all of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is no connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// Nothing has come for so long.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// The connection has ended before the answer has.
    #[error("the answer cannot be read: {0}")]
    Broken(String),
    /// The answer is larger than this, bytes.
    #[error("the answer exceeds {0} bytes")]
    TooLarge(usize),
}
