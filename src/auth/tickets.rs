//! One-time tickets: a client that holds a credential gets a ticket for a page that can send no header, and the page comes
//! back with it once, within [`TICKET_SECONDS`]. A ticket stands for whoever asked for it. Known by their SHA-256, as keys are.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Identity;
use crate::limits::{TICKET_SECONDS, TICKETS_MAX, TICKETS_PER_USER_MAX, TOKEN_BYTES_MAX};
use crate::sync::{Mutex, lock};

struct Ticket {
    identity: Arc<Identity>,
    expires_ms: u64,
}

/// The tickets that are good now; about 100 B each.
#[derive(Default)]
pub struct Tickets(Mutex<HashMap<[u8; 32], Ticket>>);

/// There are as many tickets as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many tickets wait to be used; use them, or try again in {TICKET_SECONDS} seconds")]
pub struct TooMany;

impl Tickets {
    /// A ticket for `identity`, made of `random` bytes that nobody can guess; `now_ms` is monotonic.
    ///
    /// # Errors
    /// There are too many, of this user or of all.
    pub fn issue(&self, identity: &Arc<Identity>, random: [u8; 32], now_ms: u64) -> Result<String, TooMany> {
        let mut tickets = lock(&self.0);
        tickets.retain(|_, ticket| ticket.expires_ms > now_ms);
        let same_user = tickets.values().filter(|ticket| ticket.identity.name == identity.name).count();
        if tickets.len() >= TICKETS_MAX || same_user >= TICKETS_PER_USER_MAX {
            return Err(TooMany);
        }
        let text = URL_SAFE_NO_PAD.encode(random);
        let ticket = Ticket { identity: Arc::clone(identity), expires_ms: now_ms + TICKET_SECONDS * 1000 };
        tickets.insert(hash(&text), ticket);
        Ok(text)
    }

    /// Whom a ticket stands for; it is used up.
    pub fn redeem(&self, text: &str, now_ms: u64) -> Option<Arc<Identity>> {
        let hash = (text.len() <= TOKEN_BYTES_MAX).then(|| hash(text))?;
        let ticket = lock(&self.0).remove(&hash)?;
        (ticket.expires_ms > now_ms).then_some(ticket.identity)
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(i: usize) -> [u8; 32] {
        Sha256::digest(i.to_le_bytes()).into()
    }

    fn user(name: &str) -> Arc<Identity> {
        Arc::new(Identity { name: name.into(), ..Identity::nobody() })
    }

    #[test]
    fn a_ticket_is_good_once_and_for_a_while() {
        let (tickets, ann) = (Tickets::default(), user("ann"));
        let first = tickets.issue(&ann, random(1), 0).unwrap();
        let second = tickets.issue(&ann, random(2), 0).unwrap();
        assert!(first.len() == 43 && first != second);
        assert_eq!(tickets.redeem(&first, 29_999).unwrap().name, "ann");
        assert!(tickets.redeem(&first, 29_999).is_none());
        assert!(tickets.redeem(&second, 30_000).is_none());
        assert!(
            tickets.redeem("", 0).is_none() && tickets.redeem(&"x".repeat(TOKEN_BYTES_MAX + 1), 0).is_none()
        );
    }

    #[test]
    fn their_number_is_bounded_for_each_and_for_all() {
        let tickets = Tickets::default();
        let issued = (0..TICKETS_MAX + 500)
            .filter(|i| tickets.issue(&user(&format!("u{}", i / 50)), random(*i), 0).is_ok());
        assert_eq!(issued.count(), TICKETS_MAX);
        assert!(tickets.issue(&user("late"), random(1), 30_000).is_ok(), "old ones make room");
        let ann = user("ann");
        let of_one = (0..200).filter(|i| tickets.issue(&ann, random(i + 50_000), 30_000).is_ok()).count();
        assert_eq!(of_one, TICKETS_PER_USER_MAX);
    }
}
