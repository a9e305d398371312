//! What becomes of sessions and agents, for whoever follows the channels.

use crate::auth::Identity;
use crate::dialect::channels::Channel;
use crate::dialect::sessions::step::user_id;
use crate::dialect::text::{put, put_number, put_string};
use crate::engine::{Body, Parts};
use crate::json::members::{Member, members};

/// What happened to which session.
pub struct Happened<'a> {
    /// The type of the event, such as `session.started`.
    pub event: &'static str,
    /// The session.
    pub session: &'a str,
    /// Who answers.
    pub agent: &'a str,
    /// Who asked.
    pub user: &'a Identity,
    /// The turn; 0 for none.
    pub turn: u64,
    /// How it ended; empty while it has not.
    pub status: &'static str,
    /// Members that only this kind of event has, each behind a comma.
    pub more: &'a [u8],
}

impl Happened<'_> {
    /// The channel's topic.
    pub fn topic(&self) -> Option<&'static str> {
        Channel::of_type(self.event).map(Channel::topic)
    }

    /// The event.
    pub fn body(&self) -> Body {
        let mut out = Vec::with_capacity(160);
        put_string(&mut out, "{\"session_id\":", self.session);
        put_string(&mut out, ",\"agent_id\":", self.agent);
        put_string(&mut out, ",\"user_id\":", user_id(self.user));
        if self.turn > 0 {
            put_number(&mut out, ",\"turn\":", self.turn);
        }
        if !self.status.is_empty() {
            put_string(&mut out, ",\"status\":", self.status);
        }
        out.extend_from_slice(self.more);
        put(&mut out, "}");
        Body::new(&Parts { event: self.event, data: &out, ..Parts::default() })
    }
}

/// Why a turn has failed, as members of an event: what people are told in `error`, and what programs are. Of other ends than
/// failures there is nothing to say.
pub fn failed_with(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for Member { name, value, .. } in str::from_utf8(data).ok().and_then(members).into_iter().flatten() {
        let name = match &*name {
            "message" => ",\"error\":",
            "code" => ",\"code\":",
            "retry_after" => ",\"retry_after\":",
            _ => continue,
        };
        put(&mut out, name);
        put(&mut out, value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::sessions::step::{Code, Done, done, failed};

    #[test]
    fn failures_say_why_and_other_ends_nothing() {
        let failed = failed(Code::RateLimited, "too \"fast\"", Some(1500));
        let why = failed_with(failed.data());
        let wanted = r#","code":"RATE_LIMITED","error":"too \"fast\"","retry_after":1.500"#;
        assert_eq!(String::from_utf8(why).unwrap(), wanted);
        assert!(failed_with(done(&Done::default()).data()).is_empty());
    }
}
