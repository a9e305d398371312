//! The one door into the engine, and the ways that publications take to it.

mod agenda;
mod gates;
mod pace;
pub mod publisher;
pub mod sqlite;

pub use pace::Pace;
pub use publisher::Publisher;
