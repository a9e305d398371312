//! The values that filters compare: what an event has in a field, and what a filter asks for.
//!
//! Numbers are kept so that whole numbers from −2^63 to 2^64 − 1 compare exactly, ids beyond 2^53 included, and `1.0` is `1`.
//! All values have one total order, which is what makes a canonical form of filters possible.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// A JSON number. Equality and order are those of the numbers, not of how they were written.
#[derive(Debug, Clone, Copy)]
pub struct Number(Repr);

/// Whole numbers that fit are never `Float`, and `Unsigned` begins where `Signed` ends: so equal numbers look equal.
#[derive(Debug, Clone, Copy)]
enum Repr {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

use Repr::{Float, Signed, Unsigned};

impl Number {
    fn as_f64(self) -> f64 {
        match self.0 {
            Signed(n) => n as f64,
            Unsigned(n) => n as f64,
            Float(n) => n,
        }
    }

    fn rank(self) -> u8 {
        u8::from(matches!(self.0, Float(_)))
    }
}

impl From<i64> for Number {
    fn from(n: i64) -> Self {
        Self(Signed(n))
    }
}

impl From<u64> for Number {
    fn from(n: u64) -> Self {
        Self(i64::try_from(n).map_or(Unsigned(n), Signed))
    }
}

impl From<f64> for Number {
    fn from(n: f64) -> Self {
        const TWO_63: f64 = 9_223_372_036_854_775_808.0;
        if n.trunc() != n {
            Self(Float(n))
        } else if (-TWO_63..TWO_63).contains(&n) {
            Self(Signed(n as i64))
        } else if (TWO_63..2.0 * TWO_63).contains(&n) {
            Self(Unsigned(n as u64))
        } else {
            Self(Float(n))
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0, other.0) {
            (Signed(a), Signed(b)) => a.cmp(&b),
            (Unsigned(a), Unsigned(b)) => a.cmp(&b),
            (Signed(_), Unsigned(_)) => Ordering::Less,
            (Unsigned(_), Signed(_)) => Ordering::Greater,
            // A float that is not whole is small enough for the other side to be exact; one that is whole is larger
            // than every integer, though 2^64 - 1 rounds up to 2^64: hence the rank.
            _ => self.as_f64().total_cmp(&other.as_f64()).then(self.rank().cmp(&other.rank())),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.0 {
            Signed(n) => n.hash(state),
            Unsigned(n) => n.hash(state),
            Float(n) => n.to_bits().hash(state),
        }
    }
}

/// What an event has in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scalar<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string, unescaped.
    Text(&'a str),
    /// An object or an array: it exists, and equals nothing.
    Composite,
}

/// What a filter compares a field with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(Box<str>),
}

impl Value {
    /// The same value as an event would have it.
    pub fn as_scalar(&self) -> Scalar<'_> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(b) => Scalar::Bool(*b),
            Self::Number(n) => Scalar::Number(*n),
            Self::Text(t) => Scalar::Text(t),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<Number> for Value {
    fn from(n: Number) -> Self {
        Self::Number(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::DefaultHasher;

    #[test]
    fn numbers_in_order() {
        let ascending: Vec<Number> = vec![
            (-1e300).into(),
            i64::MIN.into(),
            (i64::MIN + 1).into(),
            (-0.5).into(),
            0i64.into(),
            0.5.into(),
            9_007_199_254_740_992i64.into(),
            9_007_199_254_740_993i64.into(),
            i64::MAX.into(),
            (1u64 << 63).into(),
            u64::MAX.into(),
            18_446_744_073_709_551_616.0.into(),
            f64::INFINITY.into(),
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(a.cmp(b), i.cmp(&j), "{a:?} {b:?}");
            }
        }
    }

    fn hash(n: Number) -> u64 {
        let mut hasher = DefaultHasher::new();
        n.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn numbers_that_are_the_same() {
        let pairs: &[(Number, Number)] = &[
            (1i64.into(), 1.0.into()),
            (0i64.into(), (-0.0).into()),
            (5u64.into(), 5i64.into()),
            ((1u64 << 63).into(), 9_223_372_036_854_775_808.0.into()),
            (i64::MIN.into(), (-9_223_372_036_854_775_808.0).into()),
        ];
        for (a, b) in pairs {
            assert_eq!((a, hash(*a)), (b, hash(*b)));
        }
    }
}
