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
