//! A connection that reads one session, or all.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use super::super::refuse::unreadable;
use super::super::{Dialect, Gap, Host, Linger, Message, Start, Subscribe};
use super::messages;
use crate::auth::AuthError;
use crate::engine::filter::Filter;
use crate::engine::{Encode, Topic};
use crate::error::Disconnect;

/// Why a client gets no place.
pub(super) const FULL: &str = "Session client limit reached";

/// What a reader asked for.
pub(super) struct Wanted {
    pub topic: String,
    /// `None` for all.
    pub session: Option<String>,
    pub start: Start,
    pub view: &'static dyn Encode,
    pub filter: Option<Arc<Filter>>,
    pub linger: Option<Linger>,
    /// Clients that the session may have; 0 for any number.
    pub clients_max: usize,
    /// What it asked for has been there, and is not kept any more, as far as anybody knows.
    pub forgotten: bool,
}

impl Wanted {
    fn subscribe(&self) -> Subscribe<'_> {
        Subscribe {
            start: self.start.clone(),
            filter: self.filter.clone(),
            linger: self.linger,
            ..Subscribe::new(&self.topic, self.view)
        }
    }
}

/// What clients of a session are counted under.
pub(super) fn place_of(session: &str) -> String {
    format!("events:{session}")
}

/// See the module.
pub(super) struct Reader {
    wanted: Option<Box<Wanted>>,
    session: Option<Box<str>>,
}

/// What a client may say.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    token: Option<Cow<'a, str>>,
}

impl Reader {
    pub fn new(wanted: Wanted) -> Self {
        let session = wanted.session.as_deref().map(Box::from);
        Self { session, wanted: Some(Box::new(wanted)) }
    }

    fn request(&self, text: &str, host: &mut dyn Host) {
        let now_ms = host.now().unix_ms;
        let request = match serde_json::from_str::<Request<'_>>(text) {
            Ok(request) => request,
            Err(error) => {
                let why = format!("expected an object with a `type`, such as {{\"type\":\"ping\"}}: {error}");
                return host.send("error", &messages::error("invalid_message", &why, now_ms));
            }
        };
        match (&*request.kind, request.token) {
            ("ping", _) => host.send("pong", &messages::pong(now_ms)),
            ("auth", Some(token)) => host.authenticate(&token),
            ("auth", None) => {
                let why = "`token` is missing: send {\"type\":\"auth\",\"token\":\"…\"}";
                host.send("error", &messages::error("invalid_message", why, now_ms));
            }
            (other, _) => {
                let why = format!(
                    "there is no message of type {other:?}; this connection reads, and takes ping and auth"
                );
                host.send("error", &messages::error("unknown_type", &why, now_ms));
            }
        }
    }
}

impl Dialect for Reader {
    fn opened(&mut self, host: &mut dyn Host) {
        let Some(wanted) = self.wanted.take() else { return };
        if let Some(session) = &wanted.session
            && !host.take_place(&place_of(session), wanted.clients_max)
        {
            return host.close(Disconnect::policy(FULL));
        }
        match host.subscribe(&wanted.subscribe()) {
            Ok(outcome) if outcome.recovered && !wanted.forgotten => {}
            Ok(outcome) => {
                let missed = outcome.missed.filter(|_| !wanted.forgotten);
                let gap = messages::gap(self.session.as_deref(), missed, host.now().unix_ms);
                host.send("gap", &gap);
            }
            Err(refusal) => host.close(unreadable(&refusal)),
        }
    }

    fn opens_with(&self) -> Vec<String> {
        self.wanted.iter().map(|wanted| wanted.topic.clone()).collect()
    }

    fn received(&mut self, message: Message<'_>, host: &mut dyn Host) {
        match message {
            Message::Text(text) => self.request(text, host),
            Message::Binary(_) => host.close(Disconnect::Binary),
        }
    }

    fn gap(&mut self, _topic: &Topic, gap: Gap, host: &mut dyn Host) {
        let missed = gap.to + 1 - gap.from;
        host.send("gap", &messages::gap(self.session.as_deref(), Some(missed), host.now().unix_ms));
    }

    /// A new identity reads on only if it could have begun.
    fn authenticated(&mut self, verdict: Result<(), AuthError>, host: &mut dyn Host) {
        let now_ms = host.now().unix_ms;
        match verdict {
            Ok(()) => {
                let text = messages::authenticated(&host.identity().name, now_ms);
                host.send("auth_success", &text);
            }
            Err(error) => host.send("error", &messages::error("auth_failed", &error.to_string(), now_ms)),
        }
    }

    fn limited(&mut self, _message: Message<'_>, retry_after_ms: u64, host: &mut dyn Host) {
        host.send("error", &messages::limited(retry_after_ms, host.now().unix_ms));
    }
}
