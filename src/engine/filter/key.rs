//! What an event must have for a filter to hold, so short that filters are ruled out without being asked.
//!
//! A mask is a set of values, each of them one of 64 bits. Masks that have no bit in common stand for sets that have no value in
//! common; one bit in common says nothing. So where many filters compare one field with values of their own, each of them takes one
//! `and`, and is asked only when that finds something.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::fields::{Field, Fields};
use super::value::{Scalar, Value};
use super::{Filter, Node};
use crate::limits::FILTER_KEY_VALUES_MAX;

/// A filter with this key holds only for events that have one of the values of `mask` in `field`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterKey {
    /// Where to look.
    pub field: Field,
    /// For what.
    pub mask: u64,
}

impl Filter {
    /// The key; `None` where the filter may hold for events that have none of a few values.
    pub fn key(&self) -> Option<FilterKey> {
        let (field, values) = self.0.key()?;
        Some(FilterKey { field: field.clone(), mask: mask(values.iter().map(Value::as_scalar)) })
    }
}

impl Node {
    fn key(&self) -> Option<(&Field, &[Value])> {
        match self {
            Self::In(field, values) => (values.len() <= FILTER_KEY_VALUES_MAX).then_some((field, values)),
            Self::And(operands) => {
                operands.iter().filter_map(Self::key).min_by_key(|(_, values)| values.len())
            }
            _ => None,
        }
    }
}

impl Fields {
    /// The values of `field`.
    pub fn mask(&self, field: &Field) -> u64 {
        mask(self.values(field))
    }
}

fn mask<'a>(values: impl Iterator<Item = Scalar<'a>>) -> u64 {
    values.fold(0, |mask, value| mask | bit(value))
}

/// The same for values that are equal.
fn bit(value: Scalar<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    1 << (hasher.finish() % 64)
}
