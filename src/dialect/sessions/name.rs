//! Ids of sessions, and their topics.

use crate::auth::Identity;
use crate::dialect::protocol::Fault;
use crate::limits::SESSION_ID_BYTES_MAX;

/// What the ids of rooms begin with.
pub const ROOM: &str = "room:";
/// What the topics of sessions begin with.
pub const SESSIONS: &str = "sessions.";
/// What the topics of rooms begin with.
pub const ROOMS: &str = "rooms.";

/// The topic of the session that `who` calls `id`.
///
/// # Errors
/// No session can be called this.
pub fn topic(who: &Identity, id: &str) -> Result<String, Fault> {
    let name = id.strip_prefix(ROOM).unwrap_or(id);
    let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'@' | b'-');
    if name.is_empty() || id.len() > SESSION_ID_BYTES_MAX || !name.bytes().all(is_ours) {
        let rule = format!("1 to {SESSION_ID_BYTES_MAX} of A-Z a-z 0-9 _ : @ -");
        return Err(Fault::bad("session_id", rule));
    }
    Ok(match is_room(id) {
        true => format!("{ROOMS}{name}"),
        false => format!("{}{id}", who.own_sessions()),
    })
}

/// Whether `id` is that of a room.
pub fn is_room(id: &str) -> bool {
    id.starts_with(ROOM)
}

/// Whether `topic` is that of a session or room.
pub fn is_topic(topic: &str) -> bool {
    topic.starts_with(SESSIONS) || topic.starts_with(ROOMS)
}

/// The id by which the user of a topic knows its session.
pub fn id_of(topic: &str) -> String {
    match topic.strip_prefix(ROOMS) {
        Some(name) => format!("{ROOM}{name}"),
        None => topic.rsplit('.').next().unwrap_or_default().into(),
    }
}
