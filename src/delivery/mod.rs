//! Delivery: shards that own connections and write what their topics have.
//!
//! A shard is one thread with one epoll loop ([`driver`]) around a core without I/O of its own ([`shard`]):
//! it is handed sockets, told what happened to them, and takes turns. A connection is a slab entry; it has no
//! task, no timer and, while idle, no buffer. A subscription is a cursor in a dense array of its topic, so
//! that a publication touches one short record per subscriber besides its socket.

pub mod class;
pub mod clock;
pub mod conn;
mod deliver;
pub mod driver;
pub mod gather;
pub mod group;
pub mod host;
mod in_order;
mod joined;
mod leases;
mod lifecycle;
pub mod linger;
pub mod mailbox;
pub mod net;
pub mod pool;
pub mod pump;
pub mod reader;
pub mod shard;
pub mod sieve;
mod slabs;
mod slot;
pub mod slow;
mod subscriptions;
pub mod sys;
pub mod upkeep;
mod verdict;
pub mod wheel;

pub use clock::Clock;
pub use conn::{Consulted, Handoff, Socket};
pub use leases::Leases;
pub use pool::{Drain, Shards};
pub use verdict::seat;
