//! The engine: pure and deterministic. No I/O, no clock, no async, no serde.

pub mod filter;
pub mod idempotency;
pub mod name;
pub mod presence;
