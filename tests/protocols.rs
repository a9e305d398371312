//! What the protocols have in common with each other and with the native one, against a real server: an event published once
//! is read everywhere, and one that does not fit is let in nowhere.

#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

#[path = "protocols/drain.rs"]
mod drain;
#[path = "protocols/everywhere.rs"]
mod everywhere;
#[path = "protocols/reading.rs"]
mod reading;
#[path = "protocols/renewal.rs"]
mod renewal;
#[path = "support/signer.rs"]
mod signer;
mod support;
#[path = "protocols/waiting.rs"]
mod waiting;
#[path = "protocols/wrong.rs"]
mod wrong;
