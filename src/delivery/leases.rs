//! A connection's places under limits. Nearly all have one, the node's, which costs nothing on the heap.

use crate::engine::Lease;

/// See the module.
#[derive(Debug, Default)]
pub struct Leases {
    /// Among the connections of the node, as long as there is a descriptor.
    _node: Option<Lease>,
    /// Among the connections of its address, as long.
    address: Option<Lease>,
    /// Among the streams of its user, who can become another one.
    pub user: Option<Lease>,
    /// What its protocol counts.
    others: Option<Box<Others>>,
}

#[derive(Debug, Default)]
struct Others {
    places: Vec<Lease>,
}

impl Leases {
    /// The places of a connection that has come in.
    pub fn of_connection(node: Lease, address: Option<Lease>) -> Self {
        Self { _node: Some(node), address, ..Self::default() }
    }

    /// The place of a stream among those of its user.
    pub fn of_user(user: Option<Lease>) -> Self {
        Self { user, ..Self::default() }
    }

    /// Holds the place among the connections of an address that has become known, if it needs one.
    pub fn count_address(&mut self, place: Option<Lease>) {
        self.address = place.or(self.address.take());
    }

    /// Holds what the connection needs as a stream.
    pub fn become_stream(&mut self, stream: Self) {
        self.count_address(stream.address);
        (self.user, self.others) = (stream.user, stream.others);
    }

    /// Holds one more place.
    pub fn keep(&mut self, lease: Lease) {
        self.others.get_or_insert_default().places.push(lease);
    }

    /// It is a stream no more: whoever was told so may come again at once, whenever the socket itself is gone.
    pub fn leave_stream(&mut self) {
        (self.user, self.others) = (None, None);
    }
}
