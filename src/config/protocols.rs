//! Settings of the protocols, under the names that their own documents give them.

use std::path::PathBuf;
use std::time::Duration;

use super::kind::{Count, File, Millis, Seconds};
use super::pattern::Pattern;
use super::section::section;
use super::table::Namespace;
use crate::limits;

section! {
    /// The `stream` protocol.
    Stream = "stream" {
        /// Connections of one user; another is closed with 1008. 0 means no bound.
        connections_per_user: Count<0> = limits::STREAM_CONNECTIONS_PER_USER;
        /// Time between heartbeat messages.
        heartbeat_seconds: Seconds<1> = Duration::from_secs(limits::STREAM_HEARTBEAT_SECONDS);
        /// Time after which a connection on which nothing passed is closed with 1000. 0 means never.
        idle_seconds: Seconds<0> = Duration::from_secs(limits::STREAM_IDLE_SECONDS);
        /// Time a client of `/v1/stream/all` has for its first message.
        subscribe_seconds: Seconds<1> = Duration::from_secs(limits::STREAM_SUBSCRIBE_SECONDS);
    }
}

section! {
    /// The `events` protocol.
    Events = "events" {
        /// SQLite database to follow; its table `agent_events` feeds the sessions. Empty follows none.
        db_path: File = PathBuf::new();
        /// Time between two looks at the database.
        poll_interval_ms: Millis<1> = Duration::from_millis(limits::EVENTS_POLL_MILLIS);
        /// Clients of one session; another is closed with 1008. 0 means no bound.
        max_clients_per_session: Count<0> = limits::EVENTS_CLIENTS_PER_SESSION;
        /// Events of a batch, unless the client says otherwise.
        event_batch_size: Count<1> = limits::EVENTS_BATCH_SIZE;
        /// Longest time an event waits for others, unless the client says otherwise.
        event_batch_window_ms: Millis<0> = Duration::from_millis(limits::EVENTS_BATCH_MILLIS);
    }
}

section! {
    /// The `channels` protocol.
    Channels = "channels" {
        /// Time a client has to authenticate by its first message.
        auth_seconds: Seconds<1> = Duration::from_secs(limits::CHANNELS_AUTH_SECONDS);
    }
}

section! {
    /// The `analysis` protocol.
    Analysis = "analysis" {
        /// Connections of one analysis; another is closed with 1008. 0 means no bound.
        max_connections_per_analysis: Count<0> = limits::ANALYSIS_CONNECTIONS;
        /// Connections of all analyses. 0 means no bound.
        max_total_connections: Count<0> = limits::ANALYSIS_CONNECTIONS_TOTAL;
        /// Time after which a connection ends with 1000. 0 means never.
        connection_timeout_seconds: Seconds<0> = Duration::from_secs(limits::ANALYSIS_TIMEOUT_SECONDS);
        /// Time without a client message after which it is sent a ping message.
        ping_interval_seconds: Seconds<1> = Duration::from_secs(limits::ANALYSIS_PING_SECONDS);
        /// Events that an analysis takes a second; more are refused with 429 and announced. A namespace can lower it. 0 means no bound.
        max_events_per_second: Count<0> = limits::ANALYSIS_EVENTS_PER_SECOND;
        /// Time for which thoughts are collected. 0 sends each alone.
        thought_batch_window_ms: Millis<0> = Duration::from_millis(limits::ANALYSIS_THOUGHT_MILLIS);
        /// Events kept for clients that come back, unless a namespace for them (`analysis.**`) says otherwise.
        message_buffer_size: Count<1> = limits::ANALYSIS_BUFFER_EVENTS;
        /// Age up to which they are kept, unless a namespace for them says otherwise.
        message_buffer_seconds: Seconds<0> = Duration::from_secs(limits::ANALYSIS_BUFFER_SECONDS);
    }
}

impl Analysis {
    /// The topics of the protocol.
    const TOPICS: &'static str = "analysis.**";

    /// The pattern of its topics.
    pub fn topics() -> Option<Pattern> {
        Pattern::new(Self::TOPICS).ok()
    }

    /// Whether a namespace is one of its topics alone.
    pub fn covers(pattern: &Pattern) -> bool {
        Self::topics().is_some_and(|topics| topics.covers(pattern.as_str()))
    }

    /// What its topics have where no namespace says otherwise, and `base` has the rest.
    pub fn namespace(&self, base: &Namespace) -> Namespace {
        Namespace {
            retain_events: self.message_buffer_size,
            retain_seconds: self.message_buffer_seconds,
            slow_events: base.slow_events.min(self.message_buffer_size),
            topic_idle_seconds: Duration::from_secs(limits::ANALYSIS_IDLE_SECONDS),
            publish_rate: self.max_events_per_second,
            ..base.clone()
        }
    }

    /// `space` with the protocol's own bound, where that is the lower one.
    pub fn bounded(&self, space: &Namespace) -> Namespace {
        let rates = [space.publish_rate, self.max_events_per_second];
        let lowest = rates.into_iter().filter(|rate| *rate > 0).min();
        Namespace { publish_rate: lowest.unwrap_or(0), ..space.clone() }
    }
}
