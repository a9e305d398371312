//! A run of the standard set, and what it must show.

/// A bound on a figure.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    /// Not above.
    AtMost(f64),
    /// Not below.
    AtLeast(f64),
    /// Reported beside what a document says of what is replaced, not judged.
    Said(f64),
    /// Reported, not judged.
    Shown,
}

/// One figure of a run.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its name in the JSON.
    pub name: &'static str,
    /// What it is called in the table.
    pub what: &'static str,
    /// What it must be.
    pub bound: Bound,
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What it is about.
    pub title: &'static str,
    /// The command line.
    pub command: &'static str,
    /// What is added to make it short.
    pub quick: &'static str,
    /// What it must show.
    pub figures: &'static [Figure],
}

impl Bound {
    /// Whether a value can miss it.
    pub fn is_judged(self) -> bool {
        matches!(self, Self::AtMost(_) | Self::AtLeast(_))
    }

    /// Whether `value` is within.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
            Self::Said(_) | Self::Shown => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_on_their_side() {
        assert!(Bound::AtMost(1.0).holds(1.0) && !Bound::AtMost(1.0).holds(1.01));
        assert!(Bound::AtLeast(1.0).holds(1.0) && !Bound::AtLeast(1.0).holds(0.99));
        assert!(Bound::Said(1.0).holds(2.0) && !Bound::Said(1.0).is_judged());
    }
}
