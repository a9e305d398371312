//! Millrace: publish an event once, deliver it to every subscriber over WebSocket or SSE.

pub mod admin;
pub mod auth;
#[cfg(not(loom))]
pub mod blobs;
#[cfg(not(loom))]
pub mod client;
// Under loom tokio has no network, and no model needs one.
#[cfg(not(loom))]
pub mod cli;
pub mod config;
pub mod delivery;
pub mod dialect;
pub mod engine;
pub mod error;
pub mod ingest;
pub mod json;
pub mod limits;
pub mod metrics;
#[cfg(not(loom))]
pub mod respond;
#[cfg(not(loom))]
pub mod server;
pub mod sync;
pub mod wire;
