//! Millrace: publish an event once, deliver it to every subscriber over WebSocket or SSE.

pub mod engine;
pub mod json;
pub mod limits;
