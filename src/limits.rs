//! Every bound of the server, named. A number that limits what a peer can cause stands here and nowhere else;
//! those that an operator may change are the defaults of the configuration.

mod blobs;
mod models;
mod sessions;
mod work;

pub use blobs::*;
pub use models::*;
pub use sessions::*;
pub use work::*;

/// Longest topic name, bytes.
pub const TOPIC_NAME_BYTES_MAX: usize = 255;
/// Longest event type, id, key and idempotency key, bytes.
pub const ATTRIBUTE_BYTES_MAX: usize = 128;
/// Most tags of an event.
pub const TAGS_MAX: usize = 16;
/// Longest tag, bytes.
pub const TAG_BYTES_MAX: usize = 64;
/// Deepest nesting of published JSON. serde_json does not bound the depth of values it passes over.
pub const JSON_DEPTH_MAX: usize = 128;

/// Most nodes of a filter.
pub const FILTER_NODES_MAX: usize = 64;
/// Deepest nesting of a filter.
pub const FILTER_DEPTH_MAX: usize = 16;

/// Largest message a client may send over WebSocket, bytes (default).
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Payload of a control frame, bytes (RFC 6455 section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// Header of a WebSocket frame, bytes: two fixed, eight of length, four of mask (RFC 6455 section 5.2).
pub const FRAME_HEADER_BYTES_MAX: usize = 2 + 8 + 4;
/// Reason of a WebSocket close, bytes: a control payload without the two of the code (RFC 6455 section 5.5.1).
pub const CLOSE_REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

/// Messages shorter than this are sent plain: they cost a compressor's reset and save next to nothing.
pub const DEFLATE_BYTES_MIN: usize = 256;
/// Window of the compressor, as a power of two. Not 15: compressed frames are shared by all subscribers of a shard, so
/// they must suit the smallest window that a common client demands, and Python's `websockets` demands 12.
pub const DEFLATE_WINDOW_BITS: u8 = 12;
/// A shard's scratch buffer that has grown beyond this for one message is given back before the next, bytes.
pub const SCRATCH_BYTES_KEPT: usize = 64 << 10;
/// Most values of one `in` of a filter.
pub const FILTER_VALUES_MAX: usize = 1024;
/// Most values of which an event must have one, for a filter to be ruled out by them; with more, nearly no event is.
pub const FILTER_KEY_VALUES_MAX: usize = 8;
/// Longest filter as JSON text, bytes.
pub const FILTER_BYTES_MAX: usize = 1 << 16;
/// Longest run of a glob between two `*`, characters, where the run contains a `?`: one bit each of a word.
pub const GLOB_RUN_CHARS_MAX: usize = 64;
/// Longest path of a field (`data.a.b`), bytes. A longer one can be neither filtered by nor found.
pub const FIELD_PATH_BYTES_MAX: usize = 256;
/// Most fields of an event that filters can see, in the order of the text; what follows counts as absent.
pub const FIELDS_MAX: usize = 256;
/// Elements of an array that filters can see, from the first; so that a list of numbers does not use up [`FIELDS_MAX`].
pub const FIELD_ELEMENTS_MAX: usize = 32;
/// Deepest nesting inside `data` that filters can see.
pub const FIELD_DEPTH_MAX: usize = 16;

/// Most users present on one topic.
pub const PRESENCE_MEMBERS_MAX: usize = 10_000;
/// Longest name of a present user, bytes.
pub const PRESENCE_USER_BYTES_MAX: usize = 128;
/// Longest `info` of a present user, bytes of JSON.
pub const PRESENCE_INFO_BYTES_MAX: usize = 1024;

/// Most idempotency keys remembered for one topic; beyond it the oldest is forgotten first.
pub const IDEMPOTENCY_KEYS_MAX: usize = 10_000;

// A tag or an attribute that could not be filtered by would be a trap.
const _: () = assert!(TAGS_MAX + 3 < FIELDS_MAX && FIELD_DEPTH_MAX < JSON_DEPTH_MAX);
/// Most subscriptions (topics and patterns) of one connection.
pub const SUBSCRIPTIONS_MAX: usize = 1000;
/// Most topics of a multiplexed SSE stream: its event ids carry a position for each.
pub const SSE_TOPICS_MAX: usize = 64;
/// Most events of a page of history.
pub const PAGE_EVENTS_MAX: usize = 1000;
/// Events that a request which may wait looks at before it answers or waits: it looks again with every event that comes.
pub const WAIT_LOOKS_MAX: usize = 1024;
/// Longest wait of a long-poll, seconds.
pub const WAIT_SECONDS_MAX: u64 = 60;

/// Bytes gathered for one write.
pub const GATHER_BYTES_MAX: usize = 64 << 10;
/// A frame larger than this is written from where it lies; smaller ones are joined by copying.
pub const JOIN_FRAME_BYTES_MAX: usize = 16 << 10;
/// Events looked at for one gather, so that a filter that matches nothing cannot hold the shard.
pub const GATHER_EVENTS_MAX: usize = 1024;
/// Fields whose values a shard remembers, so that filters which compare the same one are ruled out quickly.
pub const SIEVE_FIELDS_MAX: usize = 8;
/// Bytes of the events of one batch; it ends with the event that exceeds them.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// Events looked at for one gather of batches: more, so that a filter does not leave them small.
pub const BATCH_LOOKS_MAX: usize = 16 << 10;
/// Longest time that a namespace may make events wait to go together, milliseconds.
pub const LINGER_MS_MAX: u64 = 50;
/// Writes of one turn of a shard.
pub const TURN_WRITES_MAX: usize = 1024;
/// Bytes written in one turn of a shard.
pub const TURN_BYTES_MAX: usize = 8 << 20;
/// Events looked at in one turn of a shard, per distinct filter and place.
pub const TURN_LOOKS_MAX: usize = 64 << 10;
/// Connections taken over in one turn.
pub const TURN_ADOPT_MAX: usize = 64;
/// Bytes read from one connection in one turn.
pub const TURN_READ_BYTES_MAX: usize = 256 << 10;
/// Messages and control frames taken from one connection in one turn: small ones cost by their number.
pub const TURN_MESSAGES_MAX: usize = 256;
/// The shard's read buffer, bytes.
pub const SCRATCH_BYTES: usize = 64 << 10;
/// Answers waiting for one client, bytes; a single larger answer may exceed it.
pub const OUTBOX_BYTES_MAX: usize = 2 << 20;
/// How long a closed connection may take to read the rest, milliseconds.
pub const CLOSE_MS: u64 = 5_000;
/// What a slow or drained client is told to wait, seconds.
pub const RETRY_AFTER_SECONDS: u64 = 1;
/// Spread of the hint at a drain, so that clients do not all come back at once, milliseconds.
pub const RETRY_JITTER_MS: u64 = 5_000;
/// Events of a backlog that one conflating gather looks at.
pub const CONFLATE_EVENTS_MAX: usize = 16 << 10;
/// Writes that one connection gets before others have their turn.
pub const PUMP_ROUNDS: usize = 4;
/// Answers waiting for a client above which it is not read any further, bytes.
pub const PAUSE_BYTES: usize = 64 << 10;
/// Failed lines that the answer to a batch names; further ones are counted.
pub const FAILED_LINES_MAX: usize = 1000;

// ---- Defaults of the configuration (src/config/table.rs names each setting after what it bounds). ----

/// Largest body of a publish request, bytes (default).
pub const BODY_BYTES_MAX: usize = 16 << 20;
/// Largest single event, bytes of its data (default).
pub const EVENT_BYTES_MAX: usize = 1 << 20;
/// Largest head of a request, bytes (default).
pub const HEADER_BYTES_MAX: usize = 16 << 10;
/// Time a client has to send the head of its request, seconds (default).
pub const HEADER_SECONDS_MAX: u64 = 10;
/// Most open connections (default).
pub const CONNECTIONS_MAX: usize = 100_000;
/// Most topics (default).
pub const TOPICS_MAX: usize = 1_000_000;
/// Most history requests that wait for an event at the same time (default).
pub const WAITING_READS_MAX: usize = 10_000;

/// Time between pings of the server, seconds (default).
pub const PING_SECONDS: u64 = 25;
/// Time in which an answer that is no stream must have been taken, seconds (default).
pub const WRITE_SECONDS_MAX: u64 = 30;
/// Longest drain, seconds (default).
pub const DRAIN_SECONDS_MAX: u64 = 30;
/// Connections closed each second of a drain (default).
pub const DRAIN_RATE: usize = 2_000;
/// Base of the reconnect hint, milliseconds (default).
pub const RETRY_MILLIS: u64 = 1_000;

/// Unsent bytes the kernel may hold for one connection before it is not writable (default).
pub const NOTSENT_LOWAT_BYTES: usize = 128 << 10;

/// Events a topic keeps (default).
pub const RETAIN_EVENTS: usize = 10_000;
/// Most events a topic may be told to keep.
pub const RETAIN_EVENTS_MAX: usize = 1 << 24;
/// Bytes a topic keeps (default).
pub const RETAIN_BYTES: usize = 64 << 20;
/// Age up to which a topic keeps events, seconds (default).
pub const RETAIN_SECONDS: u64 = 3_600;
/// Events a reader may be behind (default).
pub const SLOW_EVENTS_MAX: usize = 8_192;
/// Bytes a reader may be behind (default).
pub const SLOW_BYTES_MAX: usize = 16 << 20;
/// Time a reader may take nothing while something waits for it, seconds (default).
pub const SLOW_SECONDS_MAX: u64 = 30;
/// Time for which an idempotency key is remembered, seconds (default).
pub const IDEMPOTENCY_SECONDS: u64 = 300;
/// Time after which a topic that keeps nothing and has no reader is removed, seconds (default).
pub const TOPIC_IDLE_SECONDS: u64 = 600;
/// The same for a topic to which nothing was ever published, at most, seconds: readers can make these.
pub const UNUSED_TOPIC_SECONDS: u64 = 600;

/// Connections of one user of the `stream` protocol (default).
pub const STREAM_CONNECTIONS_PER_USER: usize = 10;
/// Time between its heartbeats, seconds (default).
pub const STREAM_HEARTBEAT_SECONDS: u64 = 30;
/// Time after which its quiet connections are closed, seconds (default).
pub const STREAM_IDLE_SECONDS: u64 = 300;
/// Time for the first message of `/v1/stream/all`, seconds (default).
pub const STREAM_SUBSCRIBE_SECONDS: u64 = 5;
/// Time between looks at the database of the `events` protocol, milliseconds (default).
pub const EVENTS_POLL_MILLIS: u64 = 100;
/// Newest rows of a table of its database: those that are history at the start, and in which later changes are found.
pub const SQLITE_RECENT_ROWS: usize = 10_000;
/// Events of a table whose state is remembered, so that they are neither missed nor published twice; 24 B each.
pub const SQLITE_KNOWN_EVENTS: usize = 4 * SQLITE_RECENT_ROWS;
/// Rows read at a time.
pub const SQLITE_CHUNK_ROWS: usize = 1_000;
/// Bytes of events made of rows at a time; the row that exceeds them is the last.
pub const SQLITE_CHUNK_BYTES: usize = 4 << 20;
/// Rows that are looked at again with every look for new ones: as many of the newest, and as many of the other recent ones.
pub const SQLITE_RECHECK_ROWS: usize = 512;
/// Time for which a locked database is tried at a time, milliseconds.
pub const SQLITE_BUSY_MS: u64 = 500;
/// Longest pause after a look that failed, milliseconds.
pub const SQLITE_PAUSE_MS_MAX: u64 = 5_000;
/// Least time between two log lines about rows that are refused, milliseconds.
pub const SQLITE_LOG_MS: u64 = 10_000;
/// Clients of one session of the `events` protocol (default).
pub const EVENTS_CLIENTS_PER_SESSION: usize = 10;
/// Events of its batches (default).
pub const EVENTS_BATCH_SIZE: usize = 50;
/// Time its events wait for others, milliseconds (default).
pub const EVENTS_BATCH_MILLIS: u64 = 50;
/// Time to authenticate by message in the `channels` protocol, seconds (default).
pub const CHANNELS_AUTH_SECONDS: u64 = 10;
/// Connections of one analysis (default).
pub const ANALYSIS_CONNECTIONS: usize = 100;
/// Connections of all analyses (default).
pub const ANALYSIS_CONNECTIONS_TOTAL: usize = 1000;
/// Longest life of a connection to an analysis, seconds (default).
pub const ANALYSIS_TIMEOUT_SECONDS: u64 = 3600;
/// Silence after which its client is sent a ping message, seconds (default).
pub const ANALYSIS_PING_SECONDS: u64 = 30;
/// Events that an analysis takes a second (default).
pub const ANALYSIS_EVENTS_PER_SECOND: usize = 50;
/// Time for which its thoughts are collected, milliseconds (default).
pub const ANALYSIS_THOUGHT_MILLIS: u64 = 100;
/// Events it keeps (default).
pub const ANALYSIS_BUFFER_EVENTS: usize = 1000;
/// Age up to which it keeps them, seconds (default).
pub const ANALYSIS_BUFFER_SECONDS: u64 = 300;

/// Thoughts of an analysis that are joined into one event.
pub const ANALYSIS_THOUGHTS_MAX: usize = 256;
/// Bytes of thoughts that are held back to be joined; a single larger one is sent alone.
pub const ANALYSIS_THOUGHT_BYTES_MAX: usize = 256 << 10;
/// Agents of an analysis that are told apart; further ones are only counted.
pub const ANALYSIS_AGENTS_MAX: usize = 256;
/// Time for which an analysis without events and readers keeps its numbering, seconds (default).
pub const ANALYSIS_IDLE_SECONDS: u64 = 86_400;

/// Most segments the configuration accepts in a pattern; as many as a topic name can have.
pub const PATTERN_SEGMENTS_MAX: usize = TOPIC_NAME_BYTES_MAX.div_ceil(2);
/// Most API keys of a configuration: each attempt to authenticate compares with all of them.
pub const KEYS_MAX: usize = 10_000;
/// Longest API key or token a client may present, bytes.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;
/// Verified tokens remembered, so that the same one need not be verified again: twice this at most.
pub const TOKENS_REMEMBERED: usize = 10_000;
/// Longest name of a user in a token, bytes; the name is copied into what counts its connections.
pub const USER_BYTES_MAX: usize = PRESENCE_USER_BYTES_MAX;
/// Longest `jti`, e-mail address and name in a token, bytes.
pub const CLAIM_BYTES_MAX: usize = 256;
/// Latest end of a token, Unix milliseconds: the last moment that RFC 3339 can write, in the year 9999.
pub const EXPIRY_MS_MAX: u64 = 253_402_300_799_999;
/// Time that a webhook has to answer, milliseconds (default).
pub const WEBHOOK_TIMEOUT_MS: u64 = 2_000;
/// Time for which its answer holds, seconds (default).
pub const WEBHOOK_CACHE_SECONDS: u64 = 10;
/// Answers of it that are remembered: twice this at most.
pub const WEBHOOK_ANSWERS_REMEMBERED: usize = 10_000;
/// Requests to it at the same time.
pub const WEBHOOK_REQUESTS_MAX: usize = 256;
/// Time between complaints about a webhook that gives no answer, milliseconds.
pub const WEBHOOK_QUIET_MS: u64 = 1_000;
/// Largest answer of it, bytes.
pub const WEBHOOK_ANSWER_BYTES_MAX: usize = 64 << 10;
/// Least length of a shared secret that is not warned of, bytes (RFC 7518 section 3.2, for HS256).
pub const SECRET_BYTES_MIN: usize = 32;
/// Time for which a ticket is good, seconds.
pub const TICKET_SECONDS: u64 = 30;
/// Most tickets that are good at a time.
pub const TICKETS_MAX: usize = 10_000;
/// Most of them for one user.
pub const TICKETS_PER_USER_MAX: usize = 100;
/// Time between sweeps of tickets that nobody has used, milliseconds.
pub const TICKETS_SWEEP_MS: u64 = 1_000;
/// Most revocations in force.
pub const REVOCATIONS_MAX: usize = 10_000;
/// How long a revocation is in force unless it says otherwise, seconds.
pub const REVOCATION_SECONDS: u64 = 86_400;
/// How long it can be, seconds.
pub const REVOCATION_SECONDS_MAX: u64 = 366 * 86_400;
/// Longest body of a request about revocations, bytes.
pub const REVOCATION_BYTES_MAX: usize = 4 << 10;
/// What a connection that the server itself makes reads ahead, and the longest head of an answer there, bytes.
pub const CLIENT_BUFFER_BYTES_MAX: usize = 64 << 10;
/// Tokens that wait until somebody else has been asked.
pub const QUESTIONS_MAX: usize = 1024;
/// Time that a server that is asked for keys has, milliseconds.
pub const JWKS_TIMEOUT_MS: u64 = 5_000;
/// Largest set of keys (JWKS), bytes.
pub const JWKS_BYTES_MAX: usize = 256 << 10;
/// Most keys of a set; further ones are passed over.
pub const JWKS_KEYS_MAX: usize = 100;
/// Time between fetches of a set of keys, seconds (default).
pub const JWKS_REFRESH_SECONDS: u64 = 300;
/// Least time between such fetches, seconds (default).
pub const JWKS_RETRY_SECONDS: u64 = 10;
/// How far the clock of an issuer may be off, seconds (default).
pub const JWT_LEEWAY_SECONDS: u64 = 30;

const _: () = assert!(EVENT_BYTES_MAX <= BODY_BYTES_MAX, "an event must fit into a publish request");
const _: () = assert!(EVENT_BYTES_MAX <= RETAIN_BYTES, "an event must fit into what a topic keeps");
const _: () =
    assert!(SLOW_EVENTS_MAX <= RETAIN_EVENTS, "a reader cannot be further behind than what is kept");
const _: () = assert!(SLOW_BYTES_MAX <= RETAIN_BYTES, "a reader cannot be further behind than what is kept");
const _: () = assert!(RETAIN_EVENTS <= RETAIN_EVENTS_MAX, "the default must be allowed");
/// Addresses or users whose token buckets are kept apart, about 100 B each; those beyond share one.
pub const BUCKETS_MAX: usize = 1 << 16;
/// Longest PROXY protocol header, bytes: a version 2 header with what proxies add about TLS is below 1 KiB.
pub const PROXY_HEADER_BYTES_MAX: usize = 4 << 10;
/// Addresses of forwarded headers that are looked at, from the right: proxies in a row.
pub const FORWARDED_HOPS_MAX: usize = 32;
/// Connections that the kernel accepts ahead of the server.
pub const LISTEN_BACKLOG: i32 = 4096;
/// Pause after an accept that failed, milliseconds.
pub const ACCEPT_PAUSE_MS: u64 = 50;
/// Retired entries above which a publisher helps to free them, bytes.
pub const GARBAGE_BYTES_FLUSH: u64 = 4 << 20;
/// Bytes of a page of history; it ends after the event that exceeds them.
pub const PAGE_BYTES_MAX: usize = 4 << 20;
/// How long a connection without a request stays out of sight of the listener, seconds.
pub const DEFER_ACCEPT_SECONDS: u32 = 5;
/// Refused connections that are given time to read why.
pub const REFUSED_LINGER_MAX: usize = 64;
/// How long, milliseconds.
pub const REFUSED_LINGER_MS: u64 = 1_000;
/// What a refused request may still send before its connection is closed, bytes.
pub const DISCARD_BYTES_MAX: usize = 1 << 20;
/// And for how long, milliseconds.
pub const DISCARD_MS: u64 = 1_000;
