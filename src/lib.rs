//! Millrace: publish an event once, deliver it to every subscriber over WebSocket or SSE.

pub mod admin;
pub mod auth;
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
pub mod server;
pub mod sync;
pub mod wire;
