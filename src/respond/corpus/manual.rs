//! The documents of the demo: the manual of a car that nobody builds.

use super::cut::Document;

/// Declares documents by their file names.
macro_rules! manual {
    ($($name:literal),+ $(,)?) => {
        const MANUAL: &[(&str, &str)] = &[$(($name, include_str!(concat!("manual/", $name)))),+];
    };
}

manual!(
    "booking.md",
    "dimensions.md",
    "engine.md",
    "fluids.md",
    "fuel.md",
    "maintenance.md",
    "starting-problems.md",
    "troubleshooting.md",
    "tyres.md",
    "warning-lights.md",
);

/// All of it.
pub fn documents() -> Vec<Document> {
    MANUAL.iter().map(|(name, text)| Document { name: (*name).into(), text: (*text).into() }).collect()
}
