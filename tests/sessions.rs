//! Sessions over real sockets: questions that are answered token by token by a responder that says what its question tells it to.

#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]
#![allow(clippy::disallowed_methods, reason = "tests read the clock and wait")]

#[path = "sessions/cut.rs"]
mod cut;
#[path = "sessions/script.rs"]
mod script;
#[path = "sessions/stream.rs"]
mod stream;
mod support;
#[path = "sessions/told.rs"]
mod told;
#[path = "sessions/turns.rs"]
mod turns;
