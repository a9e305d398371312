//! The Prometheus text of what the process counts.

use std::sync::Arc;

use crate::metrics::{HttpMetrics, PublishMetrics, ShardMetrics};

/// Where the figures are.
pub struct Sources {
    /// Of each shard.
    pub shards: Vec<Arc<ShardMetrics>>,
    /// Of publishing.
    pub publish: Arc<PublishMetrics>,
    /// Of requests.
    pub http: Arc<HttpMetrics>,
    /// Topics now.
    pub topics: u64,
    /// Connections now.
    pub connections: u64,
}

/// The text.
pub fn render(sources: &Sources) -> String {
    format!("millrace_topics {}\n", sources.topics)
}
