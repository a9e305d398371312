//! What operators look at.

pub mod metrics;
mod process;
mod prometheus;
