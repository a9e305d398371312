//! The core: topics, their logs, and what subscribers may ask of them.
//!
//! Pure and deterministic: no I/O, no clock, no async, no JSON. Time comes in as [`Now`]; bytes come in
//! encoded and go out as frames that dialects made.

pub mod bucket;
pub mod buckets;
pub mod counts;
pub mod entry;
pub mod filter;
pub mod gate;
pub mod idempotency;
pub mod interest;
pub mod name;
pub mod namespace;
pub mod now;
pub mod presence;
pub mod publish;
pub mod registry;
pub mod ring;
pub mod sweep;
pub mod topic;
pub mod traffic;

pub use bucket::{Bucket, Limited, Rate};
pub use buckets::Buckets;
pub use counts::{Counts, Lease};
pub use entry::{Body, Content, Encode, Entry, Parts, ViewId};
pub use gate::{Gate, Gated};
pub use interest::{Interest, Wake};
pub use namespace::{Namespace, Namespaces, Retention, SkipTo, Slow, SlowPolicy};
pub use now::Now;
pub use publish::{Change, Misfit, Placed, Publish, Unplaced};
pub use registry::{Registry, TopicError, Watch};
pub use ring::Read;
pub use topic::{Published, Removed, Topic};
