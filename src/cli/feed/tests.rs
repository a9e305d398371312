use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::config::Config;
use crate::engine::{Now, Publish, Registry};
use crate::ingest::Publisher;
use crate::json::batch::Batch;
use crate::server::assembly;

/// Topics of the feed besides [`TOPICS`].
const OF_PROTOCOLS: [&str; 10] = [
    "stream.message",
    "stream.telemetry",
    "stream.reasoning",
    "stream.log",
    "events.session-123",
    "events.session-7",
    "channels.sessions",
    "channels.agents",
    "channels.system",
    "analysis.demo",
];

fn topic(event: &Value) -> &str {
    event["topic"].as_str().unwrap()
}

#[test]
fn the_feed_is_lively_and_keeps_to_its_topics() {
    let mut feed = Feed::new(Random::seeded(1), 40);
    let events: Vec<Value> = (0..40_000).map(|_| feed.next()).collect();
    let topics: BTreeSet<_> = events.iter().map(topic).collect();
    assert_eq!(topics, TOPICS.into_iter().chain(OF_PROTOCOLS).collect());
    assert!(events.iter().all(|event| !event["data"].is_null()));
}

#[test]
fn every_protocol_lets_its_events_in_at_any_rate() {
    for (rate, seconds) in [(1, 600), (40, 120), (20_000, 1)] {
        let config = Config::default();
        let registry = Arc::new(Registry::new(assembly::namespaces(&config), 100, 1));
        let publisher =
            Publisher::new(registry, Arc::default(), Arc::new(assembly::protocols(&config, None)));
        let mut feed = Feed::new(Random::seeded(2), rate);
        for tick in 0..seconds * 10 {
            let now = Now { unix_ms: tick * 100, micros: 1_000_000 + tick * 100_000 };
            let mut batch = Batch::default();
            for _ in 0..(u64::from(rate) * (tick + 1) / 10 - u64::from(rate) * tick / 10) {
                batch.route(1, feed.next().to_string().as_bytes(), None, |_| true).unwrap();
            }
            for group in batch.groups {
                let placed = publisher.publish(&group.topic, group.bodies, now).unwrap();
                assert!(placed.places.iter().all(Result::is_ok), "{}: {:?}", group.topic, placed.places);
            }
        }
    }
}

#[test]
fn an_analysis_runs_through_and_another_follows() {
    let (mut analysis, mut random) = (analysis::Analysis::default(), Random::seeded(3));
    let mut step = || {
        let events = analysis.step(&mut random);
        assert!(!events.is_empty() && events.iter().all(|event| topic(event) == "analysis.demo"));
        events.into_iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut kinds = step();
    let following = loop {
        match step() {
            next if next[0] == "pipeline_started" => break next,
            next => kinds.extend(next),
        }
    };
    assert_eq!(following.len(), 1);
    let ends = (kinds.first().unwrap().as_str(), kinds.last().unwrap().as_str());
    assert_eq!(ends, ("pipeline_started", "analysis_summary"));
    let count = |kind: &str| kinds.iter().filter(|other| *other == kind).count();
    assert_eq!((count("stage_changed"), count("agent_started"), count("agent_completed")), (4, 4, 4));
    assert_eq!((count("debate_started"), count("debate_turn"), count("consensus_reached")), (2, 8, 1));
    assert!(count("agent_thinking") > 18 && count("agent_finding") == 6);
}

#[test]
fn walks_stay_in_range() {
    let mut random = Random::seeded(2);
    let last = (0..10_000).fold(50.0, |value, _| wander(&mut random, value, 20.0));
    assert!((0.0..=100.0).contains(&last));
}
