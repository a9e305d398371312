//! Where a reader stands in each topic, and the request that goes on from there. Kept from what the server says
//! (`subscribed`, events, gaps), so that a reader resumes also when it has not got an event yet.

use std::collections::BTreeMap;

use super::connection::encode;

/// Most positions the protocol takes in one request.
const POSITIONS_MAX: usize = 64;

/// What to read.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Selection {
    /// Topics or patterns: `logs.api`, `agents.*`, `metrics.**`.
    #[arg(required = true, value_name = "TOPIC")]
    pub topics: Vec<String>,
    /// Where to begin: `now`, `oldest`, or after a position (`EPOCH:OFFSET`).
    #[arg(long, default_value = "now")]
    pub from: String,
    /// Begin with what was published at or after this RFC 3339 time or Unix milliseconds.
    #[arg(long, conflicts_with = "from")]
    pub since: Option<String>,
    /// Only events this filter (JSON) holds for.
    #[arg(long, value_name = "JSON")]
    pub filter: Option<String>,
}

/// Positions by topic.
#[derive(Debug, Default)]
pub struct Places(BTreeMap<String, (u64, u64)>);

impl Places {
    /// A topic stands at `offset` of `epoch` now.
    pub fn set(&mut self, topic: &str, epoch: u64, offset: u64) {
        self.0.insert(topic.into(), (epoch, offset));
    }

    /// An event of a known topic moves it; without its epoch known there is no position to speak of.
    pub fn advance(&mut self, topic: &str, offset: u64) {
        if let Some(place) = self.0.get_mut(topic) {
            place.1 = place.1.max(offset);
        }
    }

    /// How many topics will begin anew after an interruption, since a request carries no more positions.
    pub fn beyond(&self) -> usize {
        self.0.len().saturating_sub(POSITIONS_MAX)
    }

    fn listed(&self) -> String {
        let places = self.0.iter().take(POSITIONS_MAX);
        places
            .map(|(topic, (epoch, offset))| format!("{topic}={epoch}:{offset}"))
            .collect::<Vec<_>>()
            .join(",")
    }
}

impl Selection {
    /// Whether the form for many topics is needed.
    fn is_many(&self) -> bool {
        self.topics.len() > 1 || self.topics.iter().any(|topic| topic.contains('*'))
    }

    /// The path and query that go on from `places`.
    pub fn path(&self, places: &Places) -> String {
        let filter = self.filter.iter().map(|filter| format!("filter={}", encode(filter)));
        let rest: Vec<String> = self.begin(places).into_iter().chain(filter).collect();
        if self.is_many() {
            let topics = self.topics.iter().map(|topic| format!("topic={}", encode(topic)));
            return format!("/v1/topics?{}", topics.chain(rest).collect::<Vec<_>>().join("&"));
        }
        format!("/v1/topics/{}?{}", encode(&self.topics[0]), rest.join("&"))
    }

    /// Where to begin. Topics of a pattern that have no place yet begin as they were asked to.
    fn begin(&self, places: &Places) -> Vec<String> {
        match (places.0.values().next(), self.is_many()) {
            (Some((epoch, offset)), false) => vec![format!("after={epoch}:{offset}")],
            (Some(_), true) => vec![format!("positions={}", encode(&places.listed())), self.first()],
            (None, _) => vec![self.first()],
        }
    }

    fn first(&self) -> String {
        match (&self.since, self.from.as_str()) {
            (Some(since), _) => format!("since={}", encode(since)),
            (None, "now" | "oldest") => format!("from={}", self.from),
            (None, position) if self.is_many() => format!("positions={}", encode(position)),
            (None, position) => format!("after={}", encode(position)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(topics: &[&str], from: &str) -> Selection {
        Selection {
            topics: topics.iter().map(|t| (*t).into()).collect(),
            from: from.into(),
            since: None,
            filter: None,
        }
    }

    #[test]
    fn one_topic_resumes_after_its_position() {
        let mut places = Places::default();
        let one = selection(&["a"], "oldest");
        assert_eq!(one.path(&places), "/v1/topics/a?from=oldest");
        places.set("a", 5, 0);
        places.advance("a", 7);
        places.advance("unknown", 7);
        assert_eq!(one.path(&places), "/v1/topics/a?after=5:7");
        assert_eq!(selection(&["a"], "5:3").path(&Places::default()), "/v1/topics/a?after=5:3");
    }

    #[test]
    fn many_topics_resume_each_after_its_own() {
        let mut places = Places::default();
        let many = selection(&["a", "b.*"], "now");
        assert_eq!(many.path(&places), "/v1/topics?topic=a&topic=b.*&from=now");
        places.set("a", 5, 7);
        places.set("b.x", 5, 2);
        assert_eq!(many.path(&places), "/v1/topics?topic=a&topic=b.*&positions=a%3D5:7%2Cb.x%3D5:2&from=now");
    }

    #[test]
    fn filters_and_times_are_encoded() {
        let mut one = selection(&["a"], "now");
        one.since = Some("2026-01-01T00:00:00Z".into());
        one.filter = Some("{\"exists\":\"key\"}".into());
        let path = "/v1/topics/a?since=2026-01-01T00:00:00Z&filter=%7B%22exists%22:%22key%22%7D";
        assert_eq!(one.path(&Places::default()), path);
    }
}
