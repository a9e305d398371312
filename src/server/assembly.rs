//! From the configuration to what the engine, the shards and the protocols take.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use crate::config::{self, Analysis, Config};
use crate::delivery::shard::Settings;
use crate::dialect::Linger;
use crate::dialect::analysis;
use crate::dialect::channels::{self, Channels};
use crate::dialect::chat::{self, Chat};
use crate::dialect::events::{self, Events, FEED};
use crate::dialect::protocol::Protocols;
use crate::dialect::refuse::Refuse;
use crate::dialect::sessions::Sessions;
use crate::dialect::stream::{self, Streams};
use crate::dialect::work::{self, Work};
use crate::engine::name::Pattern;
use crate::engine::{Namespace, Namespaces, Rate, Retention, SkipTo, Slow, SlowPolicy};
use crate::ingest::{Pace, sqlite};
use crate::limits::{OUTBOX_BYTES_MAX, RETRY_AFTER_SECONDS};
use crate::metrics::LimitMetrics;
use crate::respond;
use crate::respond::worker::Workshop;

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

/// All protocols but the native one; without `sessions` they answer no questions.
pub fn protocols(config: &Config, sessions: Option<Arc<dyn Sessions>>) -> Protocols {
    let auth_ms = millis(config.channels.auth_seconds);
    // An answer ends by itself before nobody waits for it any more.
    let answer_seconds = config.sessions.answer_seconds.as_secs() + RETRY_AFTER_SECONDS;
    let chat = chat::Settings { sessions: sessions.clone(), answer_seconds };
    let channels = channels::Settings { refuse: refuse(config), auth_ms, sessions, answer_seconds };
    Protocols::new(vec![
        Box::new(Streams::new(streams(config))),
        Box::new(Events::new(events(config))),
        Box::new(Channels::new(channels)),
        Box::new(analysis(config)),
        Box::new(Chat::new(chat)),
    ])
}

/// The protocol of workers.
pub fn work(config: &Config, workshop: Arc<Workshop>) -> Work {
    Work::new(work::Settings { refuse: refuse(config), workshop })
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

/// The database to follow, if there is one. Its history is what the topic of all sessions keeps.
pub fn sqlite(config: &Config, namespaces: &Namespaces) -> Option<sqlite::Settings> {
    let settings = &config.events;
    (!settings.db_path.as_os_str().is_empty()).then(|| sqlite::Settings {
        path: settings.db_path.clone(),
        poll: settings.poll_interval_ms,
        history: namespaces.of(FEED).retention.events,
        event_bytes: config.limits.event_bytes,
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

/// Bounds of sessions.
pub fn desk(config: &Config) -> respond::Settings {
    let said = &config.sessions;
    respond::Settings {
        sessions: said.max,
        sessions_per_user: said.per_user,
        running_per_user: said.running_per_user,
        question_bytes: said.question_bytes,
        context_bytes: said.context_bytes,
        answer_tokens: said.answer_tokens,
        answer_bytes: said.answer_bytes,
        answer: said.answer_seconds,
        unwatched: said.unwatched_seconds,
        idle: said.idle_seconds,
        history_turns: said.history_turns,
        history_bytes: said.history_bytes,
    }
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
    let base = config.namespaces.default();
    let own = Analysis::topics().map(|topics| (topics, analysis.namespace(base))).into_iter();
    let own = own.chain(config::Sessions::topics().map(|topics| (topics, config.sessions.namespace(base))));
    let own: Vec<_> = own.filter(|(own, _)| !specific.iter().any(|(pattern, _)| pattern == own)).collect();
    specific.extend(own);
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
        linger_ms: space.linger_ms.as_millis() as u32,
        rate: Rate::or_second(space.publish_rate, space.publish_burst),
    }
}
