//! Every bound of the server, named. A number that limits what a peer can cause stands here and nowhere else;
//! those that an operator may change are the defaults of the configuration.

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
/// Most subscriptions of one connection (default).
pub const SUBSCRIPTIONS_PER_CONNECTION_MAX: usize = 1_000;
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
/// Bytes one connection may write in one turn of its shard (default).
pub const TURN_BYTES_MAX: usize = 256 << 10;
/// Time one turn of a shard may take before it looks at its sockets again, microseconds (default).
pub const TURN_MICROS_MAX: u64 = 1_000;
/// Smallest message worth compressing, bytes (default).
pub const DEFLATE_BYTES_MIN: usize = 256;

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

/// Most segments the configuration accepts in a pattern; as many as a topic name can have.
pub const PATTERN_SEGMENTS_MAX: usize = TOPIC_NAME_BYTES_MAX.div_ceil(2);
/// Most API keys of a configuration: each attempt to authenticate compares with all of them.
pub const KEYS_MAX: usize = 10_000;
/// Longest API key a client may present, bytes.
pub const TOKEN_BYTES_MAX: usize = 4 << 10;

const _: () = assert!(EVENT_BYTES_MAX <= BODY_BYTES_MAX, "an event must fit into a publish request");
const _: () = assert!(EVENT_BYTES_MAX <= RETAIN_BYTES, "an event must fit into what a topic keeps");
const _: () =
    assert!(SLOW_EVENTS_MAX <= RETAIN_EVENTS, "a reader cannot be further behind than what is kept");
const _: () = assert!(SLOW_BYTES_MAX <= RETAIN_BYTES, "a reader cannot be further behind than what is kept");
const _: () = assert!(RETAIN_EVENTS <= RETAIN_EVENTS_MAX, "the default must be allowed");
