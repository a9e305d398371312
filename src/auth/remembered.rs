//! What was found out lately, by a hash of what was asked: in two generations. When the younger one is full it becomes the
//! older one, and what of that was not asked for again is forgotten.

use std::collections::HashMap;

/// The SHA-256 of what was asked.
pub type Hash = [u8; 32];

/// See the module.
pub struct Remembered<V> {
    young: HashMap<Hash, V>,
    old: HashMap<Hash, V>,
    generation: usize,
}

impl<V: Clone> Remembered<V> {
    /// Remembers `generation` answers at least, and twice as many at most.
    pub fn new(generation: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), generation }
    }

    /// The answer for this hash.
    pub fn get(&mut self, hash: &Hash) -> Option<V> {
        if let Some(known) = self.young.get(hash) {
            return Some(known.clone());
        }
        let known = self.old.remove(hash)?;
        self.insert(*hash, known.clone());
        Some(known)
    }

    /// Remembers an answer.
    pub fn insert(&mut self, hash: Hash, answer: V) {
        if self.young.len() >= self.generation {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, answer);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.generation);
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
        let mut remembered = Remembered::new(100);
        for i in 0..300 {
            remembered.insert(hash(i + 1), i);
            assert_eq!(remembered.get(&hash(1)), Some(0));
        }
        assert_eq!(remembered.get(&hash(2)), None);
        assert!(remembered.young.len() + remembered.old.len() <= 200);
        remembered.clear();
        assert_eq!(remembered.get(&hash(1)), None);
    }
}
