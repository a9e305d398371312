//! What the process counts, under the names that docs/METRICS.md promises. Sums over shards are made here, when
//! somebody asks; nobody who counts waits for it.

use std::sync::Arc;

use super::process;
use super::prometheus::{Head, Kind, Page};
use crate::metrics::{
    AuthMetrics, BlobMetrics, Counter, Eviction, GARBAGE, Histogram, HttpMetrics, LimitMetrics,
    PublishMetrics, Refused, SessionMetrics, ShardMetrics, SqliteMetrics, WorkMetrics,
};

pub use super::prometheus::CONTENT_TYPE;

/// Where the figures are.
pub struct Sources {
    /// Of each shard.
    pub shards: Vec<Arc<ShardMetrics>>,
    /// Of publishing.
    pub publish: Arc<PublishMetrics>,
    /// Of requests.
    pub http: Arc<HttpMetrics>,
    /// Of credentials.
    pub auth: Arc<AuthMetrics>,
    /// Of limits.
    pub limits: Arc<LimitMetrics>,
    /// Of the SQLite source.
    pub sqlite: Arc<SqliteMetrics>,
    /// Of blobs.
    pub blobs: Arc<BlobMetrics>,
    /// Of sessions.
    pub sessions: Arc<SessionMetrics>,
    /// Sessions now, and their questions that are answered or wait to be.
    pub sessions_now: (u64, u64),
    /// Of the jobs of workers.
    pub work: Arc<WorkMetrics>,
    /// Topics now.
    pub topics: u64,
    /// Connections now.
    pub connections: u64,
}

type Of<T> = fn(&T) -> &Counter;

/// Summed over all shards.
const SUMS: [(Head, Of<ShardMetrics>); 13] = [
    (("streams_accepted_total", Kind::Counter, "Connections that became streams."), |m| &m.accepted),
    (("subscriptions", Kind::Gauge, "Subscriptions now."), |m| &m.subscriptions),
    (("deliveries_total", Kind::Counter, "Events handed to a socket, counted per subscriber."), |m| {
        &m.deliveries
    }),
    (("writes_total", Kind::Counter, "Writes to streams that took something."), |m| &m.writes),
    (("sent_bytes_total", Kind::Counter, "Bytes that the sockets of streams took."), |m| &m.bytes_out),
    (("received_bytes_total", Kind::Counter, "Bytes read from streams."), |m| &m.bytes_in),
    (("client_messages_total", Kind::Counter, "WebSocket messages of clients."), |m| &m.messages_in),
    (
        ("gathers_total", Kind::Counter, "Buffers built for a write; one serves everybody at its place."),
        |m| &m.gathers,
    ),
    (("gaps_total", Kind::Counter, "Gap messages sent."), |m| &m.gaps),
    (("missed_events_total", Kind::Counter, "Events that subscribers were told they miss."), |m| &m.missed),
    (("conflated_events_total", Kind::Counter, "Events left out because a newer one has their key."), |m| {
        &m.conflated
    }),
    (("blocked_connections", Kind::Gauge, "Streams whose socket is full, at the last look."), |m| &m.blocked),
    (
        ("kernel_queued_bytes", Kind::Gauge, "Bytes in send queues of blocked streams, at the last look."),
        |m| &m.kernel_queued_bytes,
    ),
];

const PUBLISH: [(Head, Of<PublishMetrics>); 4] = [
    (("published_events_total", Kind::Counter, "Events appended to topics."), |m| &m.events),
    (("published_bytes_total", Kind::Counter, "Bytes appended to topics."), |m| &m.bytes),
    (("publish_refused_total", Kind::Counter, "Events that were not published."), |m| &m.refused),
    (("publish_duplicates_total", Kind::Counter, "Events known by their idempotency key."), |m| {
        &m.duplicates
    }),
];

const HTTP: [(Head, Of<HttpMetrics>); 5] = [
    (("connections_accepted_total", Kind::Counter, "Connections accepted."), |m| &m.accepted_connections),
    (("connections_refused_total", Kind::Counter, "Connections refused by a limit."), |m| {
        &m.refused_connections
    }),
    (("http_requests_total", Kind::Counter, "Requests."), |m| &m.requests),
    (("http_unauthorized_total", Kind::Counter, "Requests without a valid credential."), |m| &m.unauthorized),
    (
        ("bad_proxy_headers_total", Kind::Counter, "Connections of proxies without a PROXY protocol header."),
        |m| &m.bad_proxy_headers,
    ),
];

const SQLITE: [(Head, Of<SqliteMetrics>); 7] = [
    (("sqlite_rows_total", Kind::Counter, "Rows of the database published."), |m| &m.rows),
    (("sqlite_updated_rows_total", Kind::Counter, "Rows published again after a change."), |m| &m.updated),
    (("sqlite_refused_rows_total", Kind::Counter, "Rows that were not published."), |m| &m.refused),
    (("sqlite_errors_total", Kind::Counter, "Looks at the database that failed."), |m| &m.errors),
    (("sqlite_open", Kind::Gauge, "Whether the database is open."), |m| &m.open),
    (("sqlite_found_rows", Kind::Gauge, "New rows that the last look has found."), |m| &m.found),
    (("sqlite_lag_milliseconds", Kind::Gauge, "Age of the newest row when published."), |m| &m.lag_ms),
];

const BLOBS: [(Head, Of<BlobMetrics>); 9] = [
    (("blobs", Kind::Gauge, "Blobs, with those that are removed and still read."), |m| &m.blobs),
    (("blob_bytes", Kind::Gauge, "Bytes that blobs take on disk."), |m| &m.bytes),
    (("blob_uploads_total", Kind::Counter, "Uploads completed."), |m| &m.uploaded),
    (("blob_uploads_broken_total", Kind::Counter, "Uploads that ended before their end."), |m| &m.broken),
    (("blob_refused_total", Kind::Counter, "Uploads and downloads that a limit refused."), |m| &m.refused),
    (("blob_downloads_total", Kind::Counter, "Downloads begun."), |m| &m.downloads),
    (("blob_downloads_cut_total", Kind::Counter, "Downloads that ended before their end."), |m| &m.cut),
    (("blob_read_bytes_total", Kind::Counter, "Bytes read for downloads."), |m| &m.read_bytes),
    (("blobs_expired_total", Kind::Counter, "Blobs removed because their time was over."), |m| &m.expired),
];

const SESSIONS: [(Head, Of<SessionMetrics>); 3] = [
    (("sessions_opened_total", Kind::Counter, "Sessions opened."), |m| &m.opened),
    (("session_turns_total", Kind::Counter, "Questions that were begun to be answered."), |m| &m.started),
    (("session_tokens_total", Kind::Counter, "Pieces of answers."), |m| &m.tokens),
];

const WORK: [(Head, Of<WorkMetrics>); 6] = [
    (("work_workers", Kind::Gauge, "Workers that are connected."), |m| &m.connected),
    (("work_jobs_waiting", Kind::Gauge, "Questions that wait for a worker."), |m| &m.waiting),
    (("work_jobs_leased", Kind::Gauge, "Questions that are a worker's now."), |m| &m.leased),
    (("work_jobs_lost_total", Kind::Counter, "Jobs whose worker was lost."), |m| &m.lost),
    (("work_jobs_retried_total", Kind::Counter, "Questions given to another worker."), |m| &m.retried),
    (("work_events_repeated_total", Kind::Counter, "Messages that had been taken before."), |m| &m.repeated),
];

/// The text.
pub fn render(sources: &Sources) -> String {
    let mut page = Page::default();
    node(sources, &mut page);
    HTTP.iter().for_each(|(head, of)| page.single(*head, of(&sources.http).get()));
    PUBLISH.iter().for_each(|(head, of)| page.single(*head, of(&sources.publish).get()));
    SQLITE.iter().for_each(|(head, of)| page.single(*head, of(&sources.sqlite).get()));
    work(&sources.work, &mut page);
    BLOBS.iter().for_each(|(head, of)| page.single(*head, of(&sources.blobs).get()));
    SUMS.iter().for_each(|(head, of)| page.single(*head, sum(sources, of)));
    sessions(sources, &mut page);
    evictions(sources, &mut page);
    credentials(&sources.auth, &mut page);
    limits(sources, &mut page);
    histograms(sources, &mut page);
    shards(sources, &mut page);
    whole_process(&mut page);
    page.finish()
}

fn sum(sources: &Sources, of: impl Fn(&ShardMetrics) -> &Counter) -> u64 {
    sources.shards.iter().map(|shard| of(shard).get()).sum()
}

fn node(sources: &Sources, page: &mut Page) {
    page.single(("connections", Kind::Gauge, "Connections now, streams included."), sources.connections);
    page.single(("topics", Kind::Gauge, "Topics now."), sources.topics);
    let (entries, bytes) = (GARBAGE.entries.get(), GARBAGE.bytes.get());
    page.single(
        ("ring_garbage_entries", Kind::Gauge, "Expired entries that readers may still see."),
        entries,
    );
    page.single(
        ("ring_garbage_bytes", Kind::Gauge, "Bytes of expired entries that readers may still see."),
        bytes,
    );
}

fn sessions(sources: &Sources, page: &mut Page) {
    let (known, questions) = sources.sessions_now;
    page.single(("sessions", Kind::Gauge, "Sessions now."), known);
    page.single(("session_questions", Kind::Gauge, "Questions that are answered or wait to be."), questions);
    let metrics = &*sources.sessions;
    SESSIONS.iter().for_each(|(head, of)| page.single(*head, of(metrics).get()));
    let ended = ("session_turns_ended_total", Kind::Counter, "Turns that are over.");
    let outcomes =
        [("answered", &metrics.answered), ("failed", &metrics.failed), ("cancelled", &metrics.cancelled)];
    page.labelled(ended, "outcome", outcomes.map(|(label, count)| (label.to_owned(), count.get())));
}

fn evictions(sources: &Sources, page: &mut Page) {
    let head = ("evictions_total", Kind::Counter, "Slow streams closed with 1013.");
    let of = |why: Eviction| (why.label().to_owned(), sum(sources, |shard| &shard.evictions[why as usize]));
    page.labelled(head, "reason", Eviction::ALL.map(of));
}

fn credentials(auth: &AuthMetrics, page: &mut Page) {
    let refused = ("auth_refused_total", Kind::Counter, "Credentials and pages that were refused.");
    let of = |why: Refused| (why.label().to_owned(), auth.refused[why as usize].get());
    page.labelled(refused, "reason", Refused::ALL.map(of));
    let fetches = ("jwks_fetches_total", Kind::Counter, "Fetches of the keys of tokens.");
    let outcomes = [("ok", &auth.jwks_fetched), ("failed", &auth.jwks_failed)];
    page.labelled(fetches, "result", outcomes.map(|(label, count)| (label.to_owned(), count.get())));
    let asked = ("webhook_requests_total", Kind::Counter, "Questions to the webhook.");
    let outcomes = [
        ("allowed", &auth.webhook_allowed),
        ("denied", &auth.webhook_denied),
        ("failed", &auth.webhook_failed),
    ];
    page.labelled(asked, "result", outcomes.map(|(label, count)| (label.to_owned(), count.get())));
}

fn work(work: &WorkMetrics, page: &mut Page) {
    WORK.iter().for_each(|(head, of)| page.single(*head, of(work).get()));
    let head = ("work_jobs_ended_total", Kind::Counter, "Questions that are over, by how.");
    let outcomes = [("answered", &work.answered), ("failed", &work.failed)];
    page.labelled(head, "outcome", outcomes.map(|(label, count)| (label.to_owned(), count.get())));
}

fn limits(sources: &Sources, page: &mut Page) {
    let head = ("limited_total", Kind::Counter, "What a limit refused.");
    page.labelled(head, "limit", sources.limits.all().map(|(label, count)| (label.to_owned(), count)));
}

fn histograms(sources: &Sources, page: &mut Page) {
    let of = |pick: fn(&ShardMetrics) -> &Histogram| sources.shards.iter().map(move |shard| pick(shard));
    let backlog = ("backlog_events", "Events that a blocked subscription is behind, sampled.");
    page.histogram(backlog, of(|m| &m.backlog_events), |i| ((1u64 << i) - 1) as f64, 1.0);
    let latency =
        ("publish_to_write_seconds", "Time from publication to the write, per delivery to who keeps up.");
    page.histogram(latency, of(|m| &m.publish_to_write_micros), |i| (1u64 << i) as f64 / 1e6, 1e-6);
}

fn shards(sources: &Sources, page: &mut Page) {
    let each = |of: fn(&ShardMetrics) -> u64| {
        sources.shards.iter().enumerate().map(move |(i, shard)| (i.to_string(), of(shard)))
    };
    let busy = sources.shards.iter().enumerate();
    let busy = busy.map(|(i, shard)| (i.to_string(), shard.busy_micros.get() as f64 / 1e6));
    page.labelled(("shard_busy_seconds_total", Kind::Counter, "Time a shard has worked."), "shard", busy);
    let turns = each(|shard| shard.turns.get());
    page.labelled(("shard_turns_total", Kind::Counter, "Turns of a shard's loop."), "shard", turns);
    let connections = each(|shard| shard.connections.get());
    page.labelled(("shard_connections", Kind::Gauge, "Streams of a shard now."), "shard", connections);
}

fn whole_process(page: &mut Page) {
    let version = [(env!("CARGO_PKG_VERSION").to_owned(), 1)];
    page.labelled(("build_info", Kind::Gauge, "Which version this is."), "version", version);
    let memory = ("process_resident_memory_bytes", Kind::Gauge, "Resident memory of the process.");
    page.process(memory, process::resident_bytes());
    let descriptors = ("process_open_fds", Kind::Gauge, "Open descriptors of the process.");
    page.process(descriptors, process::open_descriptors());
}
