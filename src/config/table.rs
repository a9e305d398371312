//! The one table of settings. Each line gives a setting its name, kind, default, what it does and what it costs; the plain
//! structs of the configuration, `serve --help`, `serve --print-config` and the table of docs/OPERATING.md are made of it.
//! Never say anything about a setting elsewhere.

use std::time::Duration;

use super::blobs::Blobs;
use super::choice::{LogFormat, MaybeRole, Refuse, Role, SkipTo, SlowPolicy};
use super::credentials::{Auth, Jwt, Webhook};
use super::key::KeyHash;
use super::kind::{Addresses, Bytes, Count, Listen, Millis, Patterns, Seconds, Switch, Text};
use super::openai::OpenAi;
use super::pattern::Pattern;
use super::protocols::{Analysis, Channels, Events, Stream};
use super::proxy::Proxy;
use super::respond::{Agent, Respond};
use super::roles::{AdminGrants, AuthorityGrants, ObserverGrants, RootGrants};
use super::section::{Setting, section};
use super::sessions::Sessions;
use super::tools::Tool;
use super::worker::Worker;
use crate::limits;

section! {
    /// The process as a whole.
    General = "" {
        /// Addresses to listen on: an IP address and port, or `unix:/path`. Other than loopback needs `[[keys]]`, `[jwt]` or `insecure_open`.
        listen: Addresses = vec![Listen::Tcp(([127, 0, 0, 1], 8000).into())];
        /// Lets everybody on the network publish and read without keys.
        insecure_open: Switch = false;
        /// Serves the page `/ws/test`, a chat to try a server with. Everybody may see it; what it asks for needs a credential like any other client.
        pages: Switch = true;
        /// How clients of the protocols other than the native one are refused: `close` lets the handshake succeed and then closes with a code and a reason, which browsers can read; `http` answers 401, 403, 429 or 503.
        refuse: Refuse = Refuse::Close;
        /// Threads that deliver, each with its own epoll loop; 0 means one per core. About 1 MiB each.
        shards: Count<0> = 0;
        /// Threads that accept and take in publications; 0 means one per core. About 2 MiB each.
        workers: Count<0> = 0;
        /// Which log lines are written to standard error: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `millrace=debug`.
        log: Text = "info".into();
        /// How log lines look.
        log_format: LogFormat = LogFormat::Text;
    }
}

section! {
    /// Bounds on what peers can cause.
    Limits = "limits" {
        /// Open connections; more are refused with 503. An idle one costs about 0.5 KiB, plus what the kernel takes.
        connections: Count<1> = limits::CONNECTIONS_MAX;
        /// Open connections of one IP address; more are refused with 429. 0 means no bound.
        connections_per_ip: Count<0> = 0;
        /// Open streams of one user, over all protocols; more are refused with 429. Who has no name is not counted. 0 means no bound.
        connections_per_user: Count<0> = 0;
        /// Connections that read one topic; more are refused. 0 means no bound.
        connections_per_topic: Count<0> = 0;
        /// Connections that one IP address may open each second; more are refused with 429. 0 means no bound.
        connects_per_second_per_address: Count<0> = 0;
        /// Connections it may open at once before that holds; as many as in a second when 0.
        connects_burst_per_address: Count<0> = 0;
        /// Messages each WebSocket may send a second; more are answered with an error. 0 means no bound.
        messages_per_second: Count<0> = 0;
        /// Messages it may send at once before that holds; as many as in a second when 0.
        messages_burst: Count<0> = 0;
        /// Events that one user may publish a second, over all its connections; more are refused with 429. Who has no name is not counted. 0 means no bound.
        publishes_per_second_per_credential: Count<0> = 0;
        /// Events it may publish at once before that holds; as many as in a second when 0.
        publishes_burst_per_credential: Count<0> = 0;
        /// Topics; a publication or subscription that would create another is refused with 503. An empty one costs about 1 KiB, a full one `retain_bytes`.
        topics: Count<1> = limits::TOPICS_MAX;
        /// Topics one connection may read, about 100 B each.
        subscriptions_per_connection: Count<1> = limits::SUBSCRIPTIONS_MAX;
        /// History requests that may wait for an event (`wait=`) at the same time; about 4 KiB each.
        waiting_reads: Count<0> = limits::WAITING_READS_MAX;
        /// Largest body of a publish request; larger is answered 413. Each request under way may hold this much.
        body_bytes: Bytes<1> = limits::BODY_BYTES_MAX;
        /// Largest WebSocket message of a client; larger closes with 1009. Only an incomplete message is held.
        message_bytes: Bytes<128> = limits::MESSAGE_BYTES_MAX;
        /// Largest data of one event; larger is refused with 413.
        event_bytes: Bytes<1> = limits::EVENT_BYTES_MAX;
        /// Time a client has to send the head of a request.
        header_seconds: Seconds<1> = Duration::from_secs(limits::HEADER_SECONDS_MAX);
        /// Largest head of a request; larger is answered 431. Held while a request is under way.
        header_bytes: Bytes<8192> = limits::HEADER_BYTES_MAX;
    }
}

section! {
    /// Time.
    Timing = "timing" {
        /// Time between pings (SSE and NDJSON: comments or empty lines). Two pings without an answer close a WebSocket. 0 means never.
        ping_seconds: Seconds<0> = Duration::from_secs(limits::PING_SECONDS);
        /// Time after which a stream without a single event is closed with 1001. 0 means never.
        idle_seconds: Seconds<0> = Duration::from_secs(0);
        /// Time a client has to take an answer that is not a stream: each 64 KiB of it, where it is longer.
        write_seconds: Seconds<1> = Duration::from_secs(limits::WRITE_SECONDS_MAX);
        /// Longest time from SIGTERM to the end of the process.
        drain_seconds: Seconds<0> = Duration::from_secs(limits::DRAIN_SECONDS_MAX);
        /// Connections closed each second of a drain, so that their clients do not return all at once.
        drain_rate: Count<1> = limits::DRAIN_RATE;
        /// Base of the hint after which clients reconnect; each gets a random time between one and three times this.
        retry_ms: Millis<0> = Duration::from_millis(limits::RETRY_MILLIS);
    }
}

section! {
    /// How bytes get to readers.
    Delivery = "delivery" {
        /// Unsent bytes the kernel may hold for a connection (TCP_NOTSENT_LOWAT): kernel memory of a reader that stalls. 0 leaves it to the kernel, which takes up to 4 MiB.
        notsent_lowat_bytes: Bytes<0> = limits::NOTSENT_LOWAT_BYTES;
        /// Send buffer of a connection (SO_SNDBUF). 0 leaves it to the kernel, which grows it with the connection's speed.
        send_buffer_bytes: Bytes<0> = 0;
        /// Offers permessage-deflate to WebSocket clients. A message is compressed once, however many read it.
        deflate: Switch = true;
    }
}

section! {
    /// How the topics of a namespace behave.
    Namespace = "namespaces.default" {
        /// Events a topic keeps for readers that come back; at most 16777216. About 100 B each besides their bytes, and for each kind of reader the message it gets.
        retain_events: Count<1> = limits::RETAIN_EVENTS;
        /// Bytes a topic keeps, at most: its greatest share of memory.
        retain_bytes: Bytes<1> = limits::RETAIN_BYTES;
        /// Age up to which events are kept. 0 means any age.
        retain_seconds: Seconds<0> = Duration::from_secs(limits::RETAIN_SECONDS);
        /// What happens to a reader that is too far behind: closed with 1013 (it resumes by its position), moved forward and told about the gap, or given only the newest event of each key.
        slow_policy: SlowPolicy = SlowPolicy::Disconnect;
        /// Where a reader that is moved forward goes on.
        slow_skip_to: SkipTo = SkipTo::Oldest;
        /// Events a reader may be behind; at most `retain_events`, and that when 0. Costs nothing: readers share what the topic keeps.
        slow_events: Count<0> = limits::SLOW_EVENTS_MAX;
        /// Bytes a reader may be behind; at most `retain_bytes`, and that when 0.
        slow_bytes: Bytes<0> = limits::SLOW_BYTES_MAX;
        /// Time a reader may take nothing while something waits for it. 0 means for ever.
        slow_seconds: Seconds<0> = Duration::from_secs(limits::SLOW_SECONDS_MAX);
        /// Whether readers can announce themselves and joins and leaves are published to `$presence.<topic>`. About 200 B for each announced reader.
        presence: Switch = false;
        /// Time for which an idempotency key is remembered. 0 turns idempotency off. About 200 B for each key within that time.
        idempotency_seconds: Seconds<0> = Duration::from_secs(limits::IDEMPOTENCY_SECONDS);
        /// Time after which a topic that keeps nothing and has no reader is removed. 0 means never.
        topic_idle_seconds: Seconds<0> = Duration::from_secs(limits::TOPIC_IDLE_SECONDS);
        /// Time for which the pieces of an answer may wait to reach a reader together, as fewer and longer messages; at most 50 ms. Only protocols that have such messages use it, and ends, errors and tools never wait. 0 sends each piece at once.
        linger_ms: Millis<0> = Duration::ZERO;
        /// Events each topic takes a second; more are refused with 429. 0 means no bound.
        publish_rate: Count<0> = 0;
        /// Events it takes at once before `publish_rate` holds; as many as in a second when 0.
        publish_burst: Count<0> = 0;
    }
}

section! {
    /// An API key and what it may do.
    KeyConfig = "keys" {
        /// Who it is: stands in logs and as the `user` of presence. Required.
        name: Text = String::new();
        /// How far it is trusted: `observer`, `admin`, `authority` or `root`; `none` counts as `observer`. With a role and no lists it may do what `[roles.…]` says.
        role: MaybeRole = Option::<Role>::None;
        /// SHA-256 of the key: `printf %s KEY | sha256sum`. Required.
        hash: KeyHash = KeyHash([0; 32]);
        /// Topics it may publish to.
        publish: Patterns = Vec::<Pattern>::new();
        /// Topics it may stream; a pattern subscription must lie wholly within one of them.
        subscribe: Patterns = Vec::<Pattern>::new();
        /// Topics whose history it may read. What `subscribe` says, when left out.
        history: Patterns = Vec::<Pattern>::new();
        /// Topics whose presence it may read, also as `$presence.<topic>`. What `subscribe` says, when left out.
        presence: Patterns = Vec::<Pattern>::new();
    }
}

/// The whole table, in the order of the file.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    let sections = [
        General::SETTINGS,
        Limits::SETTINGS,
        Proxy::SETTINGS,
        Timing::SETTINGS,
        Delivery::SETTINGS,
        Stream::SETTINGS,
        Events::SETTINGS,
        Channels::SETTINGS,
        Analysis::SETTINGS,
        Sessions::SETTINGS,
        Blobs::SETTINGS,
        Respond::SETTINGS,
        Agent::SETTINGS,
        OpenAi::SETTINGS,
        Tool::SETTINGS,
        Worker::SETTINGS,
        Auth::SETTINGS,
        Jwt::SETTINGS,
        Webhook::SETTINGS,
        ObserverGrants::SETTINGS,
        AdminGrants::SETTINGS,
        AuthorityGrants::SETTINGS,
        RootGrants::SETTINGS,
        Namespace::SETTINGS,
        KeyConfig::SETTINGS,
    ];
    sections.into_iter().flatten()
}

/// The settings of one section.
pub fn section(name: &str) -> impl Iterator<Item = &'static Setting> {
    settings().filter(move |setting| setting.section == name)
}
