//! The channels, and what events must look like.

use crate::engine::{Body, Content, Misfit};
use crate::json::batch::DEFAULT_EVENT;
use crate::json::members::members;

/// What the names of the topics of all channels begin with.
pub const PREFIX: &str = "channels.";

/// A channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// What becomes of sessions.
    Sessions,
    /// What becomes of agents.
    Agents,
    /// What becomes of teams.
    Teams,
    /// What becomes of webhooks.
    Webhooks,
    /// What is to be paid.
    Billing,
    /// What concerns everybody.
    System,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Sessions, Self::Agents, Self::Teams, Self::Webhooks, Self::Billing, Self::System];

    /// Its name.
    pub fn name(self) -> &'static str {
        &self.topic()[PREFIX.len()..]
    }

    /// Its topic.
    pub fn topic(self) -> &'static str {
        match self {
            Self::Sessions => "channels.sessions",
            Self::Agents => "channels.agents",
            Self::Teams => "channels.teams",
            Self::Webhooks => "channels.webhooks",
            Self::Billing => "channels.billing",
            Self::System => "channels.system",
        }
    }

    /// The channel that clients call `name`.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }

    /// The channel of a topic.
    pub fn of_topic(topic: &str) -> Option<Self> {
        topic.strip_prefix(PREFIX).and_then(Self::of_name)
    }

    /// The channel to which an event of this type belongs: its first word is the channel's name, or the singular of it.
    pub fn of_type(kind: &str) -> Option<Self> {
        let word = kind.split('.').next()?;
        Self::ALL.into_iter().find(|channel| {
            let name = channel.name();
            name == word || name.strip_suffix('s') == Some(word)
        })
    }
}

/// The names of all channels, for people.
pub const NAMES: &str = "sessions, agents, teams, webhooks, billing, system";

fn misfit(field: &str, problem: &str) -> Misfit {
    Misfit { field: field.into(), problem: problem.into() }
}

/// Checks an event for `topic`.
///
/// # Errors
/// Names what is wrong with it, or says that there is no such channel.
pub fn admit(topic: &str, body: Body) -> Result<Body, Misfit> {
    if Channel::of_topic(topic).is_none() {
        return Err(misfit("topic", "there is no such channel below `channels.`"));
    }
    if !is_type(body.event()) {
        return Err(untyped(&body));
    }
    if body.content() != Content::Json {
        return Err(misfit("data", "must be JSON; send it with Content-Type: application/json"));
    }
    if body.data().first() != Some(&b'{') {
        return Err(misfit("data", "must be an object"));
    }
    Ok(body)
}

/// Why the type of an event is none: it is wrong, or the event was no envelope, so that its `type` was taken for data.
fn untyped(body: &Body) -> Misfit {
    let data = str::from_utf8(body.data()).unwrap_or_default();
    let has = |name: &str| members(data).is_some_and(|mut all| all.any(|member| member.name == name));
    if body.event() != DEFAULT_EVENT || !has("type") {
        misfit("type", "must be words joined by dots, such as session.started")
    } else if has("data") {
        misfit("data", "must hold all that is not type, id, key, tags or idempotency_key")
    } else {
        misfit("data", "is missing; it must be an object")
    }
}

/// Two words or more, so that no event is taken for an answer, such as `error`.
fn is_type(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    text.contains('.') && text.split('.').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Parts;

    #[test]
    fn types_lead_to_channels() {
        let cases = [
            ("session.started", Some(Channel::Sessions)),
            ("sessions.x", Some(Channel::Sessions)),
            ("billing.due", Some(Channel::Billing)),
            ("system.up", Some(Channel::System)),
            ("webhook.failed.again", Some(Channel::Webhooks)),
            ("session", Some(Channel::Sessions)),
            ("user.x", None),
            ("", None),
        ];
        for (kind, channel) in cases {
            assert_eq!(Channel::of_type(kind), channel, "{kind}");
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
        let event =
            |event: &str, data: &str| Body::new(&Parts { event, data: data.as_bytes(), ..Parts::default() });
        let field = |body| admit("channels.sessions", body).err().map(|misfit| misfit.field);
        for kind in ["message", "", ".", "a.", ".a", "a..b", "a.b c", "a.b\n", "error"] {
            assert_eq!(field(event(kind, "{}")).as_deref(), Some("type"), "{kind:?}");
        }
        for kind in ["session.started", "a.b.c", "A-1.b_2"] {
            assert_eq!(field(event(kind, "{}")), None, "{kind}");
        }
        for data in [r#"{"type":"a.b"}"#, r#"{"type":"a.b","data":{},"more":1}"#] {
            assert_eq!(field(event("message", data)).as_deref(), Some("data"), "{data}");
        }
        for data in ["[]", "1", "null", "\"{\""] {
            assert_eq!(field(event("a.b", data)).as_deref(), Some("data"), "{data}");
        }
        let binary = Parts { event: "a.b", content: Content::Binary, data: b"{}", ..Parts::default() };
        assert_eq!(field(Body::new(&binary)).as_deref(), Some("data"));
        assert_eq!(admit("channels.users", event("a.b", "{}")).unwrap_err().field, "topic");
    }
}
