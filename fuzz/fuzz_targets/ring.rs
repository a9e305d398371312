//! The ring against a model: a vector of everything ever appended, and the oldest offset that is kept. Readers hold pins
//! over several operations, so that what they were lent must still be whole after it was expired.
#![no_main]

use crossbeam_epoch as epoch;
use libfuzzer_sys::fuzz_target;
use millrace::engine::ring::{Read, Ring, Weigh};
use millrace::metrics::GARBAGE;

#[derive(Debug, PartialEq)]
struct Item(String);

impl Weigh for Item {
    fn weight(&self) -> usize {
        self.0.len()
    }
}

fn item(offset: u64) -> Item {
    Item(format!("entry {offset}"))
}

/// What the ring should hold: the entries `oldest..=head`.
#[derive(Default)]
struct Model {
    head: u64,
    oldest: u64,
}

fuzz_target!(|data: &[u8]| {
    let ring: Ring<Item, u32> = Ring::new(0);
    let mut model = Model { head: 0, oldest: 1 };
    let mut cursors = [0u64; 4];
    for piece in data.chunks(16) {
        let pin = epoch::pin();
        let mut lent = Vec::new();
        for &byte in piece {
            let argument = u64::from(byte >> 3);
            match byte & 7 {
                0 | 1 => append(&ring, &mut model, argument, &pin),
                2 => expire(&ring, &mut model, argument, &pin),
                3 => ring.claim().shrink(&pin),
                4 => lent.extend(ring.find(argument, &pin).map(|found| (argument, found))),
                5 => cursors[byte as usize >> 6] = argument,
                _ => read(&ring, &model, &mut cursors[byte as usize >> 6], &pin),
            }
            compare(&ring, &model, &pin);
        }
        for (offset, found) in lent {
            assert_eq!(*found, item(offset), "what was lent has changed");
        }
    }
    drop(ring);
    free();
    assert_eq!((GARBAGE.entries.get(), GARBAGE.bytes.get()), (0, 0), "what was retired is not freed");
});

/// Nobody holds a pin: a few epochs later nothing waits any more.
fn free() {
    for _ in 0..8 {
        epoch::pin().flush();
    }
}

fn append(ring: &Ring<Item, u32>, model: &mut Model, count: u64, pin: &epoch::Guard) {
    let mut claim = ring.claim();
    for _ in 0..=count % 8 {
        model.head += 1;
        assert_eq!(claim.append(item(model.head), pin), model.head);
        *claim += 1;
    }
}

fn expire(ring: &Ring<Item, u32>, model: &mut Model, count: u64, pin: &epoch::Guard) {
    let mut claim = ring.claim();
    for _ in 0..=count {
        assert_eq!(claim.is_empty(), model.oldest > model.head);
        if claim.is_empty() {
            return;
        }
        assert_eq!(claim.peek(pin), Some(&item(model.oldest)));
        claim.expire(pin);
        model.oldest += 1;
    }
}

fn read(ring: &Ring<Item, u32>, model: &Model, cursor: &mut u64, pin: &epoch::Guard) {
    match ring.read(*cursor, pin) {
        Read::Entry(offset, found) => {
            assert_eq!((offset, found), (*cursor + 1, &item(*cursor + 1)));
            assert!((model.oldest..=model.head).contains(&offset));
            *cursor = offset;
        }
        Read::Empty => assert!(*cursor >= model.head),
        Read::Lagged { missed, resume_at } => {
            assert_eq!((resume_at, missed), (model.oldest, model.oldest - *cursor - 1));
            *cursor = resume_at - 1;
        }
    }
}

fn compare(ring: &Ring<Item, u32>, model: &Model, pin: &epoch::Guard) {
    assert_eq!((ring.head(), ring.oldest()), (model.head, model.oldest));
    let claim = ring.claim();
    assert_eq!(claim.len() as u64, model.head + 1 - model.oldest);
    assert_eq!(u64::from(*claim), model.head);
    assert!(claim.capacity(pin) >= claim.len() && claim.capacity(pin).is_power_of_two());
    let inside = |offset: u64| (model.oldest..=model.head).contains(&offset);
    for offset in model.oldest.saturating_sub(3)..=model.oldest + 3 {
        assert_eq!(ring.find(offset, pin).is_some(), inside(offset), "{offset}");
    }
}
