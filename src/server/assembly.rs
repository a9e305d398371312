//! From the configuration to what the engine, the shards and the protocols take.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use crate::config::{self, Analysis, Config};
use crate::delivery::shard::Settings;
use crate::dialect::Linger;
use crate::dialect::analysis;
use crate::dialect::events::{self, Events};
use crate::dialect::protocol::Protocols;
use crate::dialect::refuse::Refuse;
use crate::dialect::stream::{self, Streams};
use crate::engine::name::Pattern;
use crate::engine::{Namespace, Namespaces, Rate, Retention, SkipTo, Slow, SlowPolicy};
use crate::ingest::Pace;
use crate::limits::OUTBOX_BYTES_MAX;
use crate::metrics::LimitMetrics;

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

/// All protocols but the native one.
pub fn protocols(config: &Config) -> Protocols {
    Protocols::new(vec![
        Box::new(Streams::new(streams(config))),
        Box::new(Events::new(events(config))),
        Box::new(analysis(config)),
    ])
}

/// How clients of the protocols are refused.
pub fn refuse(config: &Config) -> Refuse {
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

fn events(config: &Config) -> events::Settings {
    let settings = &config.events;
    let linger = Linger {
        window_ms: millis(settings.event_batch_window_ms) as u32,
        events: settings.event_batch_size as u32,
    };
    events::Settings { refuse: refuse(config), clients_per_session: settings.max_clients_per_session, linger }
}

fn analysis(config: &Config) -> analysis::Analysis {
    let said = &config.analysis;
    analysis::Analysis::new(analysis::Settings {
        connections: said.max_connections_per_analysis,
        connections_in_all: said.max_total_connections,
        timeout_ms: millis(said.connection_timeout_seconds),
        ping_ms: millis(said.ping_interval_seconds),
        thought_window_ms: millis(said.thought_batch_window_ms),
        refuse: refuse(config),
    })
}

/// What shards need to know.
pub fn settings(config: &Config) -> Settings {
    Settings {
        ping_ms: millis(config.timing.ping_seconds),
        idle_ms: millis(config.timing.idle_seconds),
        message_bytes: config.limits.message_bytes,
        subscriptions: config.limits.subscriptions_per_connection,
        subscribers: config.limits.connections_per_topic,
        streams_per_user: config.limits.connections_per_user,
        messages: Rate::or_second(config.limits.messages_per_second, config.limits.messages_burst),
        outbox_bytes: OUTBOX_BYTES_MAX,
        seed: RandomState::new().hash_one("seed"),
    }
}

/// How fast one user may publish.
pub fn pace(config: &Config, metrics: &Arc<LimitMetrics>) -> Pace {
    let limits = &config.limits;
    let (per_second, burst) =
        (limits.publishes_per_second_per_credential, limits.publishes_burst_per_credential);
    Pace::new(Rate::or_second(per_second, burst), Arc::clone(metrics))
}

/// The namespaces of topics, with those that protocols bring along.
pub fn namespaces(config: &Config) -> Namespaces {
    let analysis = &config.analysis;
    let bounded = |pattern: &config::Pattern, space: &config::Namespace| match Analysis::covers(pattern) {
        true => analysis.bounded(space),
        false => space.clone(),
    };
    let mut specific: Vec<_> =
        config.namespaces.others().map(|(p, space)| (p.clone(), bounded(p, space))).collect();
    let own = Analysis::topics().filter(|own| !specific.iter().any(|(pattern, _)| pattern == own));
    specific.extend(own.map(|own| (own, analysis.namespace(config.namespaces.default()))));
    specific.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.rank()));
    let parsed = specific.iter().filter_map(|(pattern, space)| {
        // The configuration has checked the pattern by the same rules.
        Some((Pattern::parse(pattern.as_str()).ok()?, namespace(space)))
    });
    Namespaces::new(parsed.collect(), namespace(config.namespaces.default()))
}

fn namespace(space: &config::Namespace) -> Namespace {
    let policy = match (space.slow_policy, space.slow_skip_to) {
        (config::SlowPolicy::Disconnect, _) => SlowPolicy::Disconnect,
        (config::SlowPolicy::Skip, config::SkipTo::Oldest) => SlowPolicy::Skip(SkipTo::Oldest),
        (config::SlowPolicy::Skip, config::SkipTo::Newest) => SlowPolicy::Skip(SkipTo::Newest),
        (config::SlowPolicy::Conflate, _) => SlowPolicy::Conflate,
    };
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
        rate: Rate::or_second(space.publish_rate, space.publish_burst),
    }
}
