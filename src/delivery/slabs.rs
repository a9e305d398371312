//! A slab of slabs. What it holds never moves: growing copies nothing, which would stop a shard for milliseconds and leave
//! the memory of the copies behind. Keys are given lowest first, and a part without anything in it gives its memory back, so
//! that a crowd that left costs nothing.

use std::collections::BTreeSet;
use std::ops::{Index, IndexMut};

use slab::Slab;

/// Values of a part.
const PART: usize = 128;

/// See the module.
#[derive(Debug)]
pub struct Slabs<T> {
    parts: Vec<Slab<T>>,
    /// Parts that are not full, among those that there are.
    roomy: BTreeSet<usize>,
    len: usize,
}

impl<T> Slabs<T> {
    /// An empty one, without memory.
    pub fn new() -> Self {
        Self { parts: Vec::new(), roomy: BTreeSet::new(), len: 0 }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The key that the next value will have.
    pub fn vacant_key(&self) -> usize {
        match self.roomy.first() {
            Some(&part) => part * PART + self.parts[part].vacant_key(),
            None => self.parts.len() * PART,
        }
    }

    /// Adds a value; its key.
    pub fn insert(&mut self, value: T) -> usize {
        let part = self.roomy.first().copied().unwrap_or(self.parts.len());
        if part == self.parts.len() {
            self.parts.push(Slab::new());
            self.roomy.insert(part);
        }
        let slab = &mut self.parts[part];
        if slab.capacity() == 0 {
            slab.reserve_exact(PART);
        }
        let key = slab.insert(value);
        if slab.len() == PART {
            self.roomy.remove(&part);
        }
        self.len += 1;
        part * PART + key
    }

    /// Takes a value out.
    ///
    /// # Panics
    /// There is none.
    pub fn remove(&mut self, key: usize) -> T {
        let part = key / PART;
        let slab = &mut self.parts[part];
        let value = slab.remove(key % PART);
        if slab.is_empty() {
            *slab = Slab::new();
        }
        self.roomy.insert(part);
        self.len -= 1;
        value
    }

    /// The value of a key.
    pub fn get(&self, key: usize) -> Option<&T> {
        self.parts.get(key / PART)?.get(key % PART)
    }

    /// The value of a key.
    pub fn get_mut(&mut self, key: usize) -> Option<&mut T> {
        self.parts.get_mut(key / PART)?.get_mut(key % PART)
    }

    /// All values with their keys, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        let parts = self.parts.iter().enumerate();
        parts.flat_map(|(part, slab)| slab.iter().map(move |(key, value)| (part * PART + key, value)))
    }
}

impl<T> Index<usize> for Slabs<T> {
    type Output = T;

    fn index(&self, key: usize) -> &T {
        &self.parts[key / PART][key % PART]
    }
}

impl<T> IndexMut<usize> for Slabs<T> {
    fn index_mut(&mut self, key: usize) -> &mut T {
        &mut self.parts[key / PART][key % PART]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn is_a_map_whose_keys_it_chooses() {
        let (mut slabs, mut map, mut random) = (Slabs::new(), BTreeMap::new(), 1u64);
        for value in 0..20_000u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // More and more at first, then fewer and fewer.
            if (random >> 33) % 100 < if value < 10_000 { 60 } else { 30 } {
                let key = slabs.vacant_key();
                assert_eq!(slabs.insert(value), key);
                assert_eq!(map.insert(key, value), None);
            } else if let Some((&key, _)) = map.iter().nth((random >> 20) as usize % map.len().max(1)) {
                assert_eq!(map.remove(&key), Some(slabs.remove(key)));
            }
            assert_eq!(slabs.len(), map.len());
        }
        assert!(slabs.iter().eq(map.iter().map(|(key, value)| (*key, value))));
        assert!(map.iter().all(|(key, value)| slabs.get(*key) == Some(value) && slabs[*key] == *value));
    }

    #[test]
    fn what_leaves_gives_its_memory_back() {
        let mut slabs = Slabs::new();
        let keys: Vec<_> = (0..3 * PART).map(|value| slabs.insert(value)).collect();
        keys[PART..].iter().for_each(|key| assert_eq!(slabs.remove(*key), *key));
        let memory: Vec<_> = slabs.parts.iter().map(Slab::capacity).collect();
        assert!(memory[0] >= PART && memory[1..] == [0, 0], "{memory:?}");
        assert_eq!((slabs.insert(7), slabs.get(PART + 1), slabs.get(9 * PART)), (PART, None, None));
    }
}
