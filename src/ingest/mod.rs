//! The one door into the engine, and the ways that publications take to it.

mod gates;
pub mod publisher;
pub mod sqlite;

pub use publisher::Publisher;
