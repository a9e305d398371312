//! A connection's places under limits, held until its end. Nearly all have one for good, which costs nothing on the heap.

use crate::engine::Lease;

/// See the module.
#[derive(Debug, Default)]
pub struct Leases {
    /// Its place for good. Most connections have no other.
    first: Option<Lease>,
    others: Option<Box<Others>>,
    /// Its place among the streams of its user, who can become another one.
    pub user: Option<Lease>,
}

#[derive(Debug, Default)]
struct Others {
    places: Vec<Lease>,
}

impl Leases {
    /// The place of a stream among those of its user.
    pub fn of_user(user: Option<Lease>) -> Self {
        Self { user, ..Self::default() }
    }

    /// Holds all that `more` holds, and has its place among the streams of its user.
    pub fn join(&mut self, more: Self) {
        self.extend(more.first);
        self.extend(more.others.into_iter().flat_map(|others| others.places));
        self.user = more.user;
    }
}

impl Extend<Lease> for Leases {
    /// Holds more places for good.
    fn extend<I: IntoIterator<Item = Lease>>(&mut self, places: I) {
        let mut places = places.into_iter().peekable();
        if self.first.is_none() {
            self.first = places.next();
        }
        if places.peek().is_some() {
            self.others.get_or_insert_default().places.extend(places);
        }
    }
}
