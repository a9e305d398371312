//! Millrace: publish an event once, deliver it to every subscriber over WebSocket or SSE.

pub mod auth;
pub mod cli;
pub mod config;
pub mod limits;
pub mod server;
