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

/// How long a publication with a known idempotency key is not published again, milliseconds.
pub const IDEMPOTENCY_MS: u64 = 5 * 60 * 1000;
/// Most idempotency keys remembered for one topic; beyond it the oldest is forgotten first.
pub const IDEMPOTENCY_KEYS_MAX: usize = 10_000;

// A tag or an attribute that could not be filtered by would be a trap.
const _: () = assert!(TAGS_MAX + 3 < FIELDS_MAX && FIELD_DEPTH_MAX < JSON_DEPTH_MAX);
