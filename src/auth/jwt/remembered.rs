//! What was verified lately, in two generations: when the younger one is full it becomes the older one, and what of that
//! was not asked for again is forgotten.

use std::collections::HashMap;
use std::sync::Arc;

use crate::auth::Identity;
use crate::limits::TOKENS_REMEMBERED;

type Hash = [u8; 32];

/// See the module.
#[derive(Default)]
pub struct Remembered {
    young: HashMap<Hash, Arc<Identity>>,
    old: HashMap<Hash, Arc<Identity>>,
}

impl Remembered {
    /// Who has presented the token of this hash.
    pub fn get(&mut self, hash: &Hash) -> Option<Arc<Identity>> {
        if let Some(known) = self.young.get(hash) {
            return Some(Arc::clone(known));
        }
        let known = self.old.remove(hash)?;
        self.insert(*hash, Arc::clone(&known));
        Some(known)
    }

    /// Remembers.
    pub fn insert(&mut self, hash: Hash, identity: Arc<Identity>) {
        if self.young.len() >= TOKENS_REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, identity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(i: usize) -> Hash {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&i.to_le_bytes());
        hash
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let (mut remembered, nobody) = (Remembered::default(), Arc::new(Identity::nobody()));
        for i in 0..3 * TOKENS_REMEMBERED {
            remembered.insert(hash(i + 1), Arc::clone(&nobody));
            assert!(i == 0 || remembered.get(&hash(1)).is_some());
        }
        assert!(remembered.get(&hash(2)).is_none());
        assert!(remembered.young.len() + remembered.old.len() <= 2 * TOKENS_REMEMBERED);
    }
}
