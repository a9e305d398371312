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
