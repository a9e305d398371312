//! Byte codecs: WebSocket frames, permessage-deflate, Server-Sent Events, HTTP/1.1 chunks and percent-encoding.
//!
//! Each is a pure function of bytes, or a small state machine that is fed bytes, so that every one of them can be tested,
//! fuzzed and measured without a socket. What leaves here is final: the bytes that all subscribers of a view share.
//!
//! Never here: I/O, a clock, randomness (a client's mask is an argument), async, JSON, or the name of a dialect.

pub mod chunk;
pub mod deflate;
pub mod percent;
pub mod sse;
pub mod websocket;
