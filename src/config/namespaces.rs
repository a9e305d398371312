//! Which settings a topic has: those of the most specific pattern that matches it. Looked up once for each topic, when it
//! comes into being, so a walk over the patterns is fast enough.

use std::sync::Arc;

use super::pattern::Pattern;
use super::table::Namespace;

/// All namespaces, resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    default: Arc<Namespace>,
    /// Most specific first.
    others: Vec<(Pattern, Arc<Namespace>)>,
}

impl Namespaces {
    /// Orders the namespaces by how specific they are.
    pub fn new(default: Namespace, others: Vec<(Pattern, Namespace)>) -> Self {
        let mut others: Vec<_> =
            others.into_iter().map(|(pattern, space)| (pattern, Arc::new(space))).collect();
        others.sort_by(|(a, _), (b, _)| b.rank().cmp(&a.rank()).then_with(|| a.cmp(b)));
        Self { default: Arc::new(default), others }
    }

    /// The settings of `topic`: of the pattern with the longest literal beginning, else the default.
    pub fn of(&self, topic: &str) -> &Arc<Namespace> {
        let found = self.others.iter().find(|(pattern, _)| pattern.matches(topic));
        found.map_or(&self.default, |(_, space)| space)
    }

    /// What topics have that no pattern matches.
    pub fn default(&self) -> &Namespace {
        &self.default
    }

    /// The others, most specific first.
    pub fn others(&self) -> impl Iterator<Item = (&Pattern, &Namespace)> {
        self.others.iter().map(|(pattern, space)| (pattern, &**space))
    }
}
