//! JSON in, JSON out: the one home of serde on the way of an event.
//!
//! Publishing reads [`envelope`]s, a line at a time ([`lines`]); subscribing reads a [`filter`]; [`fields`] is what the engine's filters
//! look at. [`text`] and [`time`] write what dialects put around the data. Published data itself is checked, never
//! rebuilt: it leaves as it came. Nothing here does I/O or reads a clock.

pub mod batch;
pub mod depth;
pub mod envelope;
pub mod fields;
pub mod filter;
pub mod lines;
pub mod members;
pub mod misfit;
pub mod moment;
mod scan;
pub mod text;
pub mod time;
