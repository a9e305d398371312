//! What operators look at.

pub mod metrics;
pub mod pages;
mod process;
mod prometheus;
