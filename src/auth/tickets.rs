//! One-time tickets: a client that holds a credential gets a ticket for a page that can send no header, and the page comes
//! back with it once, within [`TICKET_SECONDS`]. A ticket stands for whoever asked for it. Known by their SHA-256, as keys are.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Identity;
use crate::limits::{TICKET_SECONDS, TICKETS_MAX, TICKETS_PER_USER_MAX, TICKETS_SWEEP_MS, TOKEN_BYTES_MAX};
use crate::sync::{Mutex, lock};

struct Ticket {
    identity: Arc<Identity>,
    expires_ms: u64,
}

/// The tickets that are good now; about 150 B each.
#[derive(Default)]
pub struct Tickets(Mutex<Waiting>);

/// Tickets that wait to be used. Those that nobody came back with are swept away every so often, not each time, so that a
/// ticket costs the same however many there are.
#[derive(Default)]
struct Waiting {
    tickets: HashMap<[u8; 32], Ticket>,
    of_user: HashMap<String, usize>,
    swept_ms: u64,
}

impl Waiting {
    fn sweep(&mut self, now_ms: u64) {
        self.swept_ms = now_ms;
        self.tickets.retain(|_, ticket| ticket.expires_ms > now_ms);
        self.of_user.clear();
        for ticket in self.tickets.values() {
            *self.of_user.entry(ticket.identity.name.clone()).or_default() += 1;
        }
    }

    fn has_room(&self, user: &str) -> bool {
        let same_user = self.of_user.get(user).copied().unwrap_or_default();
        self.tickets.len() < TICKETS_MAX && same_user < TICKETS_PER_USER_MAX
    }

    fn insert(&mut self, hash: [u8; 32], ticket: Ticket) {
        *self.of_user.entry(ticket.identity.name.clone()).or_default() += 1;
        self.tickets.insert(hash, ticket);
    }

    fn take(&mut self, hash: &[u8; 32]) -> Option<Ticket> {
        let ticket = self.tickets.remove(hash)?;
        let user = &ticket.identity.name;
        match self.of_user.get_mut(user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.of_user.remove(user)),
        }
        Some(ticket)
    }
}

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
        let mut waiting = lock(&self.0);
        if now_ms >= waiting.swept_ms + TICKETS_SWEEP_MS {
            waiting.sweep(now_ms);
        }
        if !waiting.has_room(&identity.name) {
            return Err(TooMany);
        }
        let text = URL_SAFE_NO_PAD.encode(random);
        let ticket = Ticket { identity: Arc::clone(identity), expires_ms: now_ms + TICKET_SECONDS * 1000 };
        waiting.insert(hash(&text), ticket);
        Ok(text)
    }

    /// Whom a ticket stands for; it is used up.
    pub fn redeem(&self, text: &str, now_ms: u64) -> Option<Arc<Identity>> {
        let hash = (text.len() <= TOKEN_BYTES_MAX).then(|| hash(text))?;
        let ticket = lock(&self.0).take(&hash)?;
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

    #[test]
    fn a_used_ticket_makes_room() {
        let (tickets, ann) = (Tickets::default(), user("ann"));
        let texts: Vec<_> =
            (0..TICKETS_PER_USER_MAX).map(|i| tickets.issue(&ann, random(i), 0).unwrap()).collect();
        assert_eq!(tickets.issue(&ann, random(1000), 0), Err(TooMany));
        assert!(tickets.redeem(&texts[0], 0).is_some() && tickets.redeem(&texts[0], 0).is_none());
        assert!(tickets.issue(&ann, random(1000), 0).is_ok());
        assert_eq!(tickets.issue(&ann, random(1001), 0), Err(TooMany));
        assert!(tickets.issue(&user("bob"), random(1001), 0).is_ok());
    }
}
