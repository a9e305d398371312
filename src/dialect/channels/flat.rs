//! Events flat: what the server knows of an event and what was published, in one object. Members of the server win over
//! those of the same name in what was published.

use super::channel::PREFIX;
use crate::engine::{Entry, Topic};
use crate::json::members::members;
use crate::json::text::{write_on_one_line, write_string, write_u64};
use crate::json::time;

/// Members of an event that are the server's.
const RESERVED: [&str; 4] = ["type", "id", "channel", "created_at"];

/// Appends an event; `one_line` for transports that have lines.
pub fn write_event(topic: &Topic, entry: &Entry, one_line: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":");
    write_string(out, entry.body.event());
    out.extend_from_slice(b",\"id\":");
    write_id(topic, entry, out);
    out.extend_from_slice(b",\"channel\":");
    write_string(out, topic.name().strip_prefix(PREFIX).unwrap_or(topic.name()));
    out.extend_from_slice(b",\"created_at\":\"");
    time::write(out, entry.time_ms);
    out.push(b'"');
    write_members(entry.body.data(), &RESERVED, one_line, out);
    out.push(b'}');
}

/// The publisher's id, or one that is made of the position and so is the same for ever.
fn write_id(topic: &Topic, entry: &Entry, out: &mut Vec<u8>) {
    if !entry.body.id().is_empty() {
        return write_string(out, entry.body.id());
    }
    out.extend_from_slice(b"\"evt_");
    write_u64(out, topic.epoch());
    out.push(b'_');
    write_u64(out, entry.offset);
    out.push(b'"');
}

/// Appends the members of the object `data` but those that are `reserved`, each behind a comma.
pub fn write_members(data: &[u8], reserved: &[&str], one_line: bool, out: &mut Vec<u8>) {
    let members = str::from_utf8(data).ok().and_then(members).into_iter().flatten();
    for member in members.filter(|member| !reserved.contains(&&*member.name)) {
        out.push(b',');
        if one_line {
            write_on_one_line(out, member.text);
        } else {
            out.extend_from_slice(member.text.as_bytes());
        }
    }
}
