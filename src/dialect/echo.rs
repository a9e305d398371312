//! Sends every message back: the route that conformance suites need. Opened by a flag for tests only.

use super::{Dialect, Gap, Host, Message};
use crate::engine::Topic;

/// See the module.
#[derive(Debug)]
pub struct Echo;

impl Dialect for Echo {
    fn opened(&mut self, _host: &mut dyn Host) {}

    fn received(&mut self, message: Message<'_>, host: &mut dyn Host) {
        match message {
            Message::Text(text) => host.send("message", text.as_bytes()),
            Message::Binary(bytes) => host.send_binary(bytes),
        }
    }

    fn gap(&mut self, _topic: &Topic, _gap: Gap, _host: &mut dyn Host) {}
}
