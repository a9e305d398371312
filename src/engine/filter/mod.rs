//! Filters: which events a subscriber wants.
//!
//! A filter is a tree of conditions over the [`Fields`] of an event. It is built bottom up, and each constructor returns the
//! canonical form: nested `and`/`or` flattened, operands sorted and without repetition, double negation gone, constants folded. So
//! filters that are written differently but mean the same are mostly equal, and everybody who has an equal one shares a class and its answer.
//!
//! Evaluation allocates nothing and is linear in the nodes; nodes and depth are bounded. A comparison with a field that is
//! absent, or of another type, is false, never an error.

mod fields;
mod glob;
mod key;
mod value;

pub use fields::{Extract, Field, FieldError, Fields, FieldsBuilder};
pub use glob::{Glob, GlobError};
pub use key::FilterKey;
pub use value::{Number, Scalar, Value};

use crate::limits::{FILTER_DEPTH_MAX, FILTER_NODES_MAX, FILTER_VALUES_MAX};
use glob::Simple;

/// Why a filter cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// More than [`FILTER_NODES_MAX`] nodes.
    #[error("a filter has at most {FILTER_NODES_MAX} nodes")]
    TooManyNodes,
    /// Nested deeper than [`FILTER_DEPTH_MAX`].
    #[error("a filter is at most {FILTER_DEPTH_MAX} deep")]
    TooDeep,
    /// More than [`FILTER_VALUES_MAX`] values to choose from.
    #[error("`in` takes at most {FILTER_VALUES_MAX} values, this one has {0}")]
    TooManyValues(usize),
    /// See [`GlobError`].
    #[error(transparent)]
    Glob(#[from] GlobError),
}

/// A condition on events, in canonical form: filters that are equal select the same events.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filter(Node);

/// In the order in which operands are sorted: what is decided quickly comes first. `And([])` is true, `Or([])` is false.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Node {
    Exists(Field),
    /// One or more values, sorted.
    In(Field, Box<[Value]>),
    Above(Field, Number),
    Below(Field, Number),
    Prefix(Field, Box<str>),
    Glob(Field, Glob),
    Not(Box<Node>),
    And(Box<[Node]>),
    Or(Box<[Node]>),
}

impl Filter {
    /// Holds for every event.
    pub fn all() -> Self {
        Self(Node::And([].into()))
    }

    /// Holds for no event.
    pub fn none() -> Self {
        Self(Node::Or([].into()))
    }

    /// Whether this holds for every event, so that it need not be asked.
    pub fn is_all(&self) -> bool {
        self.0.is_true()
    }

    /// Holds when all of `operands` hold; so without any, always.
    ///
    /// # Errors
    /// When the tree becomes too large or too deep.
    pub fn and(operands: impl IntoIterator<Item = Self>) -> Result<Self, FilterError> {
        let mut nodes = Vec::new();
        operands.into_iter().for_each(|operand| match operand.0 {
            Node::And(inner) => nodes.extend(inner),
            node => nodes.push(node),
        });
        if nodes.iter().any(Node::is_false) {
            return Ok(Self::none());
        }
        Self::joined(nodes, Node::And)
    }

    /// Holds when one of `operands` holds; so without any, never.
    ///
    /// # Errors
    /// As [`Filter::and`].
    pub fn or(operands: impl IntoIterator<Item = Self>) -> Result<Self, FilterError> {
        let mut nodes = Vec::new();
        operands.into_iter().for_each(|operand| match operand.0 {
            Node::Or(inner) => nodes.extend(inner),
            node => nodes.push(node),
        });
        if nodes.iter().any(Node::is_true) {
            return Ok(Self::all());
        }
        Self::joined(nodes, Node::Or)
    }

    /// Holds when `operand` does not.
    ///
    /// # Errors
    /// As [`Filter::and`].
    #[expect(clippy::should_implement_trait, reason = "`!` cannot fail, this can")]
    pub fn not(operand: Self) -> Result<Self, FilterError> {
        match operand.0 {
            Node::Not(inner) => Ok(Self(*inner)),
            node if node.is_true() => Ok(Self::none()),
            node if node.is_false() => Ok(Self::all()),
            node => Self(Node::Not(node.into())).checked(),
        }
    }

    /// Holds when `field` is `value`.
    pub fn eq(field: Field, value: impl Into<Value>) -> Self {
        Self(Node::In(field, [value.into()].into()))
    }

    /// Holds when `field` is one of `values`.
    ///
    /// # Errors
    /// When there are too many.
    pub fn one_of(field: Field, mut values: Vec<Value>) -> Result<Self, FilterError> {
        if values.len() > FILTER_VALUES_MAX {
            return Err(FilterError::TooManyValues(values.len()));
        }
        values.sort_unstable();
        values.dedup();
        Ok(if values.is_empty() { Self::none() } else { Self(Node::In(field, values.into())) })
    }

    /// Holds when `field` is a number above `bound`.
    pub fn gt(field: Field, bound: impl Into<Number>) -> Self {
        Self(Node::Above(field, bound.into()))
    }

    /// Holds when `field` is a number below `bound`.
    pub fn lt(field: Field, bound: impl Into<Number>) -> Self {
        Self(Node::Below(field, bound.into()))
    }

    /// Holds when `field` is there and not null.
    pub fn exists(field: Field) -> Self {
        Self(Node::Exists(field))
    }

    /// Holds when `field` is a string that begins with `text`.
    pub fn prefix(field: Field, text: &str) -> Self {
        Self(Node::Prefix(field, text.into()))
    }

    /// Holds when `field` is a string that matches `glob`: `*` is any run of characters, `?` is one.
    ///
    /// # Errors
    /// See [`GlobError`].
    pub fn glob(field: Field, glob: &str) -> Result<Self, FilterError> {
        let glob = Glob::parse(glob)?;
        Ok(match glob.simplify() {
            Some(Simple::Exactly(text)) => Self::eq(field, Value::Text(text)),
            Some(Simple::Prefix(text)) => Self(Node::Prefix(field, text)),
            None => Self(Node::Glob(field, glob)),
        })
    }

    /// Whether the event with these fields is wanted.
    pub fn evaluate(&self, event: &Fields) -> bool {
        self.0.evaluate(event)
    }

    /// How many nodes the tree has, leaves included.
    pub fn nodes(&self) -> usize {
        self.0.size().0
    }

    /// How deep it is; a leaf is 1.
    pub fn depth(&self) -> usize {
        self.0.size().1
    }

    fn joined(mut nodes: Vec<Node>, join: fn(Box<[Node]>) -> Node) -> Result<Self, FilterError> {
        nodes.sort_unstable();
        nodes.dedup();
        match nodes.pop() {
            Some(only) if nodes.is_empty() => Ok(Self(only)),
            last => {
                nodes.extend(last);
                Self(join(nodes.into())).checked()
            }
        }
    }

    fn checked(self) -> Result<Self, FilterError> {
        match self.0.size() {
            (nodes, _) if nodes > FILTER_NODES_MAX => Err(FilterError::TooManyNodes),
            (_, depth) if depth > FILTER_DEPTH_MAX => Err(FilterError::TooDeep),
            _ => Ok(self),
        }
    }
}

impl Node {
    fn is_true(&self) -> bool {
        matches!(self, Self::And(operands) if operands.is_empty())
    }

    fn is_false(&self) -> bool {
        matches!(self, Self::Or(operands) if operands.is_empty())
    }

    fn operands(&self) -> &[Self] {
        match self {
            Self::And(operands) | Self::Or(operands) => operands,
            Self::Not(operand) => std::slice::from_ref(operand),
            _ => &[],
        }
    }

    /// Nodes and depth.
    fn size(&self) -> (usize, usize) {
        let below = self.operands().iter().map(Self::size);
        let (nodes, depth) = below.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1.max(one.1)));
        (nodes + 1, depth + 1)
    }

    fn evaluate(&self, event: &Fields) -> bool {
        match self {
            Self::And(operands) => operands.iter().all(|operand| operand.evaluate(event)),
            Self::Or(operands) => operands.iter().any(|operand| operand.evaluate(event)),
            Self::Not(operand) => !operand.evaluate(event),
            Self::Exists(field) => event.values(field).any(|value| value != Scalar::Null),
            Self::In(field, values) => event.values(field).any(|value| contains(values, value)),
            Self::Above(field, bound) => numbers(event, field).any(|n| n > *bound),
            Self::Below(field, bound) => numbers(event, field).any(|n| n < *bound),
            Self::Prefix(field, text) => texts(event, field).any(|value| value.starts_with(&**text)),
            Self::Glob(field, glob) => texts(event, field).any(|value| glob.matches(value)),
        }
    }
}

/// One value, by far the most common case, is compared; many are searched.
fn contains(values: &[Value], wanted: Scalar<'_>) -> bool {
    match values {
        [only] => only.as_scalar() == wanted,
        _ => values.binary_search_by(|value| value.as_scalar().cmp(&wanted)).is_ok(),
    }
}

fn numbers<'a>(event: &'a Fields, field: &'a Field) -> impl Iterator<Item = Number> + 'a {
    event.values(field).filter_map(|value| if let Scalar::Number(n) = value { Some(n) } else { None })
}

fn texts<'a>(event: &'a Fields, field: &'a Field) -> impl Iterator<Item = &'a str> + 'a {
    event.values(field).filter_map(|value| if let Scalar::Text(t) = value { Some(t) } else { None })
}

#[cfg(test)]
mod tests;
