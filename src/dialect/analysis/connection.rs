//! One client of an analysis.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use super::encode::view;
use super::progress::Progress;
use super::requests::no_place;
use super::{ALL, Shared, count_name, id_of, messages};
use crate::auth::AuthError;
use crate::dialect::{Dialect, Gap, Host, Message, Outcome, Refusal, Start, Subscribe, Transport};
use crate::engine::Topic;
use crate::error::Disconnect;

/// What the client asked for.
pub(super) struct Wanted {
    pub topic: String,
    pub start: Start,
    pub last_sequence: Option<u64>,
}

/// See the module.
pub(super) struct Connection {
    shared: Arc<Shared>,
    transport: Transport,
    /// Until it is open.
    wanted: Option<Box<Wanted>>,
    /// When it has lived long enough, monotonic milliseconds.
    end_ms: u64,
    /// When the client has said nothing for so long that it is sent a ping, monotonic milliseconds.
    ping_at_ms: u64,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    token: Option<Cow<'a, str>>,
}

impl Connection {
    /// A connection that will read what `wanted` says.
    pub(super) fn new(shared: Arc<Shared>, transport: Transport, wanted: Wanted) -> Self {
        Self { shared, transport, wanted: Some(Box::new(wanted)), end_ms: 0, ping_at_ms: 0 }
    }

    fn take_places(&self, topic: &str, host: &mut dyn Host) -> bool {
        let settings = &self.shared.settings;
        let name = count_name(id_of(topic).unwrap_or_default());
        host.take_place(ALL, settings.connections_in_all) && host.take_place(&name, settings.connections)
    }

    fn begin(&mut self, wanted: &Wanted, outcome: &Outcome, host: &mut dyn Host) {
        self.shared.count(wanted.last_sequence.is_some());
        if let Some(requested) = wanted.last_sequence.filter(|_| !outcome.recovered) {
            host.send("gap", &messages::gap(requested, outcome.offset + 1, outcome.topic.head()));
        }
        if let Some(progress) = host.summary(&wanted.topic) {
            send_progress(&wanted.topic, &progress, host);
        }
        let now_ms = host.now().millis();
        self.end_ms = match self.shared.settings.timeout_ms {
            0 => u64::MAX,
            timeout_ms => now_ms + timeout_ms,
        };
        self.heard(host);
        self.wake(host);
    }

    fn heard(&mut self, host: &mut dyn Host) {
        self.ping_at_ms = host.now().millis() + self.shared.settings.ping_ms;
    }

    fn wake(&self, host: &mut dyn Host) {
        let next_ms = self.ping_at_ms.min(self.end_ms);
        host.wake_after(next_ms.saturating_sub(host.now().millis()));
    }

    fn request(&mut self, text: &str, host: &mut dyn Host) {
        let request: Request<'_> = match serde_json::from_str(text) {
            Ok(request) => request,
            Err(error) => {
                let why = format!(
                    "not a message: {error}; send an object with a type, such as {{\"type\":\"ping\"}}"
                );
                return host.send("error", &messages::error("invalid_message", &why, None));
            }
        };
        match (&*request.kind, request.token) {
            ("ping", _) => host.send("pong", &messages::pong(host.now().unix_ms)),
            ("pong", _) => {}
            ("progress_request", _) => tell_progress(host),
            ("auth", Some(token)) => host.authenticate(&token),
            ("auth", None) => {
                host.send(
                    "error",
                    &messages::error("invalid_message", "an auth message needs a token", None),
                );
            }
            (other, _) => {
                let why = format!(
                    "there is no message of type {other:?}; there are ping, progress_request and auth"
                );
                host.send("error", &messages::error("unknown_type", &why, None));
            }
        }
    }
}

/// The topic that this connection reads.
fn topic(host: &dyn Host) -> Option<Arc<Topic>> {
    host.places().into_iter().next().map(|(topic, _)| topic)
}

fn tell_progress(host: &mut dyn Host) {
    let Some(topic) = topic(host) else { return };
    let name = topic.name();
    let now = host.now();
    let unknown = || Progress::new(id_of(name).unwrap_or_default()).write(now);
    let progress = host.summary(name).unwrap_or_else(unknown);
    send_progress(name, &progress, host);
}

fn send_progress(topic: &str, progress: &[u8], host: &mut dyn Host) {
    let id = id_of(topic).unwrap_or_default();
    host.send("progress_update", &messages::progress_update(id, progress, host.now().unix_ms));
}

impl Dialect for Connection {
    fn opened(&mut self, host: &mut dyn Host) {
        let Some(wanted) = self.wanted.take() else { return };
        if !self.take_places(&wanted.topic, host) {
            return host.close(no_place());
        }
        let start = wanted.start.clone();
        let request = Subscribe { start, ..Subscribe::new(&wanted.topic, view(self.transport)) };
        match host.subscribe(&request) {
            Ok(outcome) => self.begin(&wanted, &outcome, host),
            Err(Refusal::Topic(_)) => host.close(Disconnect::Internal),
            Err(refusal) => host.close(Disconnect::policy(refusal.to_string())),
        }
    }

    fn opens_with(&self) -> Vec<String> {
        self.wanted.iter().map(|wanted| wanted.topic.clone()).collect()
    }

    fn received(&mut self, message: Message<'_>, host: &mut dyn Host) {
        self.heard(host);
        match message {
            Message::Text(text) => self.request(text, host),
            Message::Binary(_) => host.close(Disconnect::Binary),
        }
    }

    fn gap(&mut self, topic: &Topic, gap: Gap, host: &mut dyn Host) {
        host.send("gap", &messages::gap(gap.from - 1, gap.to + 1, topic.head()));
    }

    fn due(&mut self, host: &mut dyn Host) {
        let now_ms = host.now().millis();
        if now_ms >= self.end_ms {
            return host.close(Disconnect::Over("Connection timeout"));
        }
        if now_ms >= self.ping_at_ms {
            host.send("ping", &messages::ping(host.now().unix_ms));
            self.heard(host);
        }
        self.wake(host);
    }

    fn authenticated(&mut self, verdict: Result<(), AuthError>, host: &mut dyn Host) {
        match verdict {
            Ok(()) => host.send("auth_success", &messages::auth_success(host.now().unix_ms)),
            Err(error) => host.send("error", &messages::error("auth_failed", &error.to_string(), None)),
        }
    }

    fn noticed(&mut self, _topic: &Topic, text: &[u8], host: &mut dyn Host) {
        host.send("rate_limited", text);
    }

    fn limited(&mut self, _message: Message<'_>, retry_after_ms: u64, host: &mut dyn Host) {
        self.heard(host);
        let why = "messages come too fast; this one was not looked at";
        host.send("error", &messages::error("rate_limited", why, Some(retry_after_ms)));
    }
}
