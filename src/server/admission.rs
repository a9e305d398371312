//! Who may come in: limits on connections, by node, address and user.
//!
//! An address is counted when it is known: at once, after the PROXY protocol header, or, where proxies name the client in
//! a header of each request, for as long as the request or its stream lasts. Of IPv6 addresses the first 64 bits count,
//! since that is what one customer gets.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::proxies::Peer;
use crate::auth::{AuthError, Identity};
use crate::config::Limits;
use crate::delivery::{Leases, seat};
use crate::dialect::protocol::Fault;
use crate::engine::{Buckets, Counts, Lease, Limited, Now, Rate};
use crate::limits::RETRY_AFTER_SECONDS;
use crate::metrics::{Limit, LimitMetrics};

/// See the module.
pub struct Admission {
    limits: Limits,
    pace: Option<Rate>,
    metrics: Arc<LimitMetrics>,
    counts: Arc<Counts>,
    connections: Arc<AtomicUsize>,
    connects: Buckets<IpAddr>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The node has as many connections as it may.
    Node,
    /// The address has.
    Address,
    /// The address comes too often.
    TooOften(Limited),
}

impl From<Full> for Fault {
    fn from(full: Full) -> Self {
        let (status, code, message, retry_after_ms) = match full {
            Full::Node => (503, "too_many_connections", "no room for another connection", RETRY_MS),
            Full::Address => (
                429,
                "too_many_connections_from_address",
                "no room for another connection from this address",
                RETRY_MS,
            ),
            Full::TooOften(limited) => {
                (429, "too_many_connects", "this address connects too often", limited.retry_after_ms)
            }
        };
        Self { retry_after_ms: Some(retry_after_ms), ..Self::new(status, code, message) }
    }
}

const RETRY_MS: u64 = RETRY_AFTER_SECONDS * 1000;

impl Admission {
    /// Nobody is in.
    pub fn new(limits: &Limits, counts: Arc<Counts>, metrics: Arc<LimitMetrics>) -> Self {
        let (per_second, burst) = (limits.connects_per_second_per_address, limits.connects_burst_per_address);
        Self {
            limits: limits.clone(),
            pace: Rate::or_second(per_second, burst),
            metrics,
            counts,
            connections: Arc::default(),
            connects: Buckets::default(),
        }
    }

    /// Connections now, streams included.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Places for a connection; a proxy's is counted for its clients later.
    ///
    /// # Errors
    /// Which limit is reached.
    pub fn connection(&self, peer: Peer, now: Now) -> Result<Leases, Full> {
        let client = peer.address.filter(|_| !peer.trusted);
        self.connect(client, now)?;
        let node = Lease::take(&self.connections, self.limits.connections);
        let node = self.count(Limit::Connections, node.ok_or(Full::Node))?;
        Ok(Leases::of_connection(node, self.place(client)?))
    }

    /// Notes that a client connects.
    ///
    /// # Errors
    /// It does so too often.
    pub fn connect(&self, client: Option<IpAddr>, now: Now) -> Result<(), Full> {
        let (Some(pace), Some(client)) = (self.pace, client) else { return Ok(()) };
        let (_, limited) = self.connects.take(&customer(client), 1, pace, now);
        self.count(Limit::Connects, limited.map_or(Ok(()), |limited| Err(Full::TooOften(limited))))
    }

    /// A place for one more connection of a client, where a place is needed.
    ///
    /// # Errors
    /// It has as many as it may.
    pub fn place(&self, client: Option<IpAddr>) -> Result<Option<Lease>, Full> {
        let limit = self.limits.connections_per_ip;
        let Some(client) = client.filter(|_| limit > 0) else { return Ok(None) };
        let lease = self.counts.take(&format!("address:{}", customer(client)), limit);
        self.count(Limit::ConnectionsPerIp, lease.map(Some).ok_or(Full::Address))
    }

    /// A place for one more stream of a user, where a place is needed.
    ///
    /// # Errors
    /// It has as many as it may.
    pub fn seat(&self, identity: &Identity) -> Result<Option<Lease>, AuthError> {
        seat(&self.counts, &self.metrics, identity, self.limits.connections_per_user)
    }

    fn count<T, E>(&self, limit: Limit, outcome: Result<T, E>) -> Result<T, E> {
        outcome.inspect_err(|_| self.metrics.of(limit).add(1))
    }
}

/// The part of an address that stands for one customer.
fn customer(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(limits: Limits) -> Admission {
        Admission::new(&limits, Arc::default(), Arc::default())
    }

    fn at(millis: u64) -> Now {
        Now { unix_ms: 0, micros: millis * 1000 }
    }

    fn peer(address: &str, trusted: bool) -> Peer {
        Peer { address: address.parse().ok(), trusted }
    }

    #[test]
    fn addresses_are_counted_and_proxies_are_not() {
        let admission = admission(Limits { connections: 3, connections_per_ip: 1, ..Limits::default() });
        let first = admission.connection(peer("10.0.0.1", false), at(1)).unwrap();
        assert_eq!(admission.connection(peer("10.0.0.1", false), at(1)).unwrap_err(), Full::Address);
        let _proxies = [1, 2].map(|_| admission.connection(peer("10.0.0.9", true), at(1)).unwrap());
        assert_eq!(admission.connection(peer("10.0.0.9", true), at(1)).unwrap_err(), Full::Node);
        drop(first);
        assert!(admission.connection(peer("10.0.0.1", false), at(1)).is_ok());
        assert_eq!(admission.metrics.of(Limit::ConnectionsPerIp).get(), 1);
        assert_eq!(admission.metrics.of(Limit::Connections).get(), 1);
    }

    #[test]
    fn connects_are_paced_by_customer() {
        let limits =
            Limits { connects_per_second_per_address: 1, connects_burst_per_address: 2, ..Limits::default() };
        let admission = admission(limits);
        let connect = |address: &str, millis| admission.connection(peer(address, false), at(millis)).err();
        assert_eq!((connect("2001:db8::1", 1000), connect("2001:db8::2", 1000)), (None, None));
        let limited = Full::TooOften(Limited { retry_after_ms: 1000 });
        assert_eq!((connect("2001:db8::3", 1000), connect("2001:db8:0:1::1", 1000)), (Some(limited), None));
        assert_eq!(connect("2001:db8::3", 2000), None);
        assert_eq!(admission.metrics.of(Limit::Connects).get(), 1);
    }
}
