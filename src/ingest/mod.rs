//! The one door into the engine, and the ways that publications take to it.

mod agenda;
mod gates;
pub mod publisher;

pub use publisher::Publisher;
