//! One topic, or one pattern, over any transport.

use std::sync::Arc;

use super::super::{Dialect, Gap, Host, Message, Refusal, Start, Subscribe, Transport};
use super::{messages, renewal, view, write_position};
use crate::auth::AuthError;
use crate::engine::Topic;
use crate::engine::filter::Filter;
use crate::error::Disconnect;

/// What a reader asked for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Topic, or pattern.
    pub topic: String,
    /// From where.
    pub start: Start,
    /// Only these.
    pub filter: Option<Arc<Filter>>,
    /// Only the newest of each key while behind.
    pub conflate: bool,
    /// Be present, with this JSON about the reader (empty for none).
    pub presence: Option<String>,
}

impl Wanted {
    /// Whether a pattern is asked for.
    pub fn is_pattern(&self) -> bool {
        self.topic.contains('*')
    }
}

/// See the module.
#[derive(Debug)]
pub struct Reader {
    transport: Transport,
    /// Kept only by readers of patterns, whose topics come into being later.
    wanted: Option<Box<Wanted>>,
}

impl Reader {
    /// A reader of what `wanted` says.
    pub fn new(transport: Transport, wanted: Wanted) -> Self {
        Self { transport, wanted: Some(Box::new(wanted)) }
    }

    fn read(&self, wanted: &Wanted, topic: &str, start: Start, host: &mut dyn Host) {
        let request = Subscribe {
            start,
            filter: wanted.filter.clone(),
            conflate: wanted.conflate,
            presence: wanted.presence.as_deref(),
            ..Subscribe::new(topic, view(self.transport, true))
        };
        let pattern = wanted.is_pattern().then_some(wanted.topic.as_str());
        match host.subscribe(&request) {
            Ok(outcome) => {
                let mut id = Vec::new();
                if pattern.is_none() {
                    write_position(outcome.topic.epoch(), outcome.offset, &mut id);
                }
                host.send_at("subscribed", &id, &messages::subscribed(&outcome, pattern, None));
            }
            // A topic made while the pattern was added may be reported twice.
            Err(Refusal::AlreadySubscribed) if pattern.is_some() => {}
            Err(refusal) => {
                host.send("error", &messages::refused(&refusal, None));
                if pattern.is_none() {
                    host.close(Disconnect::policy("subscription refused"));
                }
            }
        }
    }

    fn watch(&self, wanted: &Wanted, host: &mut dyn Host) {
        match host.watch(&wanted.topic) {
            Ok(topics) => {
                host.send("subscribed", &messages::watching(&wanted.topic, topics.len(), None));
                for topic in topics {
                    self.read(wanted, topic.name(), wanted.start.clone(), host);
                }
            }
            Err(refusal) => {
                host.send("error", &messages::refused(&refusal, None));
                host.close(Disconnect::policy("subscription refused"));
            }
        }
    }
}

impl Dialect for Reader {
    fn opened(&mut self, host: &mut dyn Host) {
        let Some(wanted) = self.wanted.take() else { return };
        if wanted.is_pattern() {
            self.watch(&wanted, host);
            self.wanted = Some(wanted);
        } else {
            self.read(&wanted, &wanted.topic, wanted.start.clone(), host);
        }
    }

    fn opens_with(&self) -> Vec<String> {
        self.wanted.iter().map(|wanted| wanted.topic.clone()).collect()
    }

    fn received(&mut self, message: Message<'_>, host: &mut dyn Host) {
        match message {
            Message::Text(text) if text.contains("\"ping\"") => {
                host.send("pong", &messages::pong(host.now().unix_ms, None));
            }
            Message::Text(text) => match renewal::token(text) {
                Some(token) => host.authenticate(&token),
                None => {
                    let text = "this connection only reads; to send, use /v1/topics or /v1/publish";
                    host.send("error", &messages::error("read_only", text, None));
                }
            },
            Message::Binary(_) => host.close(Disconnect::Binary),
        }
    }

    fn limited(&mut self, message: Message<'_>, retry_after_ms: u64, host: &mut dyn Host) {
        match message {
            Message::Text(_) => host.send("error", &messages::limited(retry_after_ms, None)),
            Message::Binary(_) => host.close(Disconnect::Binary),
        }
    }

    fn matched(&mut self, _pattern: &str, topic: &Arc<Topic>, host: &mut dyn Host) {
        if let Some(wanted) = self.wanted.take() {
            self.read(&wanted, topic.name(), Start::Created, host);
            self.wanted = Some(wanted);
        }
    }

    fn authenticated(&mut self, verdict: Result<(), AuthError>, host: &mut dyn Host) {
        renewal::tell(verdict, None, host);
    }

    fn gap(&mut self, topic: &Topic, gap: Gap, host: &mut dyn Host) {
        host.send("gap", &messages::gap(topic, gap));
    }

    fn closing(&mut self, why: Disconnect, host: &mut dyn Host) {
        say_goodbye(self.transport, why, host);
    }
}

/// Streams that have no close frame say it in a message.
pub(super) fn say_goodbye(transport: Transport, why: Disconnect, host: &mut dyn Host) {
    if !transport.is_websocket() {
        host.send_retry();
        host.send("close", &messages::closed(why));
    }
}
