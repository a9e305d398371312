//! From the configuration to what the engine, the shards and the protocols take.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::config::{self, Config};
use crate::delivery::shard::Settings;
use crate::dialect::channels::{self, Channels};
use crate::dialect::protocol::Protocols;
use crate::dialect::refuse::Refuse;
use crate::dialect::stream::{self, Streams};
use crate::engine::name::Pattern;
use crate::engine::{Namespace, Namespaces, Rate, Retention, SkipTo, Slow, SlowPolicy};
use crate::limits::{ANALYSIS_IDLE_SECONDS, OUTBOX_BYTES_MAX};

/// The topics of the `analysis` protocol.
const ANALYSES: &str = "analysis.*";

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

/// All protocols but the native one.
pub fn protocols(config: &Config) -> Protocols {
    let auth_ms = millis(config.channels.auth_seconds);
    let channels = channels::Settings { refuse: refuse(config), auth_ms };
    Protocols::new(vec![Box::new(Streams::new(streams(config))), Box::new(Channels::new(channels))])
}

fn refuse(config: &Config) -> Refuse {
    match config.general.refuse {
        config::Refuse::Close => Refuse::Close,
        config::Refuse::Http => Refuse::Http,
    }
}

fn streams(config: &Config) -> stream::Settings {
    let settings = &config.stream;
    stream::Settings {
        refuse: refuse(config),
        connections_per_user: settings.connections_per_user,
        heartbeat_ms: millis(settings.heartbeat_seconds),
        idle_ms: millis(settings.idle_seconds),
        subscribe_ms: millis(settings.subscribe_seconds),
    }
}

/// What shards need to know.
pub fn settings(config: &Config) -> Settings {
    Settings {
        ping_ms: millis(config.timing.ping_seconds),
        idle_ms: millis(config.timing.idle_seconds),
        message_bytes: config.limits.message_bytes,
        subscriptions: config.limits.subscriptions_per_connection,
        outbox_bytes: OUTBOX_BYTES_MAX,
        seed: RandomState::new().hash_one("seed"),
    }
}

/// The namespaces of topics, with those that protocols bring along.
pub fn namespaces(config: &Config) -> Namespaces {
    let mut specific: Vec<_> =
        config.namespaces.others().map(|(p, space)| (p.clone(), space.clone())).collect();
    if !specific.iter().any(|(pattern, _)| pattern.as_str() == ANALYSES) {
        // The pattern is a valid one.
        specific.extend(config::Pattern::new(ANALYSES).ok().map(|pattern| (pattern, analyses(config))));
    }
    specific.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.rank()));
    let parsed = specific.iter().filter_map(|(pattern, space)| {
        // The configuration has checked the pattern by the same rules.
        Some((Pattern::parse(pattern.as_str()).ok()?, namespace(space)))
    });
    Namespaces::new(parsed.collect(), namespace(config.namespaces.default()))
}

fn analyses(config: &Config) -> config::Namespace {
    let settings = &config.analysis;
    let base = config.namespaces.default();
    config::Namespace {
        retain_events: settings.message_buffer_size,
        retain_seconds: settings.message_buffer_seconds,
        slow_events: base.slow_events.min(settings.message_buffer_size),
        topic_idle_seconds: Duration::from_secs(ANALYSIS_IDLE_SECONDS),
        publish_rate: settings.max_events_per_second,
        ..base.clone()
    }
}

fn namespace(space: &config::Namespace) -> Namespace {
    let policy = match (space.slow_policy, space.slow_skip_to) {
        (config::SlowPolicy::Disconnect, _) => SlowPolicy::Disconnect,
        (config::SlowPolicy::Skip, config::SkipTo::Oldest) => SlowPolicy::Skip(SkipTo::Oldest),
        (config::SlowPolicy::Skip, config::SkipTo::Newest) => SlowPolicy::Skip(SkipTo::Newest),
        (config::SlowPolicy::Conflate, _) => SlowPolicy::Conflate,
    };
    let burst = if space.publish_burst == 0 { space.publish_rate } else { space.publish_burst };
    Namespace {
        retention: Retention {
            events: space.retain_events,
            bytes: space.retain_bytes as u64,
            age_ms: millis(space.retain_seconds),
        },
        slow: Slow {
            policy,
            events: space.slow_events as u64,
            bytes: space.slow_bytes as u64,
            stall_ms: millis(space.slow_seconds),
        },
        presence: space.presence,
        idempotency_ms: millis(space.idempotency_seconds),
        idle_ms: millis(space.topic_idle_seconds),
        rate: Rate::new(space.publish_rate as u64, burst as u64),
    }
}
