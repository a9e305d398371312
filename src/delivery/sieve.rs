//! Which events of a topic the filter of a class need not be asked about.
//!
//! Many classes often compare the same field, each with values of its own. What the events have in that field is
//! looked up once, as masks; then a class rules out most events with one `and` each, and asks its filter about the
//! others. An event never changes, so a mask never gets stale.

use super::gather::{Key, Source};
use crate::engine::filter::{Field, FilterKey};
use crate::limits::{BATCH_LOOKS_MAX, SIEVE_FIELDS_MAX};

/// The masks of a shard: those fields that were asked for last.
#[derive(Debug, Default)]
pub struct Masks {
    columns: Vec<Column>,
    next: usize,
}

/// What consecutive events of one topic have in one field.
#[derive(Debug)]
struct Column {
    /// The life of the topic's log, which no other has.
    epoch: u64,
    field: Field,
    first: u64,
    masks: Vec<u64>,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sieve<'m> {
    first: u64,
    masks: &'m [u64],
    wanted: u64,
}

impl Sieve<'_> {
    /// Whether the class certainly does not want the event `offset`.
    pub fn rules_out(&self, offset: u64) -> bool {
        let mask = self.masks.get(offset.wrapping_sub(self.first) as usize);
        mask.is_some_and(|mask| mask & self.wanted == 0)
    }
}

impl Masks {
    /// A sieve for the gather `of` a class whose filter has the key `wanted`.
    pub fn sieve(&mut self, wanted: Option<&FilterKey>, of: Key, from: &Source<'_>) -> Sieve<'_> {
        let Some(FilterKey { field, mask }) = wanted else { return Sieve::default() };
        let column = self.column(field, from.topic.epoch());
        column.cover(of.cursor, from.last(of), from);
        Sieve { first: column.first, masks: &column.masks, wanted: *mask }
    }

    fn column(&mut self, field: &Field, epoch: u64) -> &mut Column {
        let known = self.columns.iter().position(|column| column.epoch == epoch && column.field == *field);
        let at = known.unwrap_or_else(|| self.replace(field, epoch));
        &mut self.columns[at]
    }

    /// Puts a new column in the place of the oldest; where it is.
    fn replace(&mut self, field: &Field, epoch: u64) -> usize {
        let at = self.next;
        self.next = (at + 1) % SIEVE_FIELDS_MAX;
        let new = Column { epoch, field: field.clone(), first: 1, masks: Vec::new() };
        match self.columns.get_mut(at) {
            Some(old) => *old = new,
            None => self.columns.push(new),
        }
        at
    }
}

impl Column {
    /// Looks up what is missing. What is no longer kept ends it; whoever reads on finds that out again.
    fn cover(&mut self, after: u64, last: u64, from: &Source<'_>) {
        let continues = (self.first..=self.end()).contains(&(after + 1));
        if !continues || last >= self.first + BATCH_LOOKS_MAX as u64 {
            self.first = after + 1;
            self.masks.clear();
        }
        while self.end() <= last
            && let Some(entry) = from.topic.find(self.end(), from.pin)
        {
            self.masks.push(entry.fields(from.extract).mask(&self.field));
        }
    }

    /// The first offset that is not covered.
    fn end(&self) -> u64 {
        self.first + self.masks.len() as u64
    }
}

#[cfg(test)]
#[path = "sieve_tests.rs"]
mod tests;
