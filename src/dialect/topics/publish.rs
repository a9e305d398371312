//! Publishing over WebSocket: each message is NDJSON, and is answered with where its events went.

use super::super::{Dialect, Gap, Host, Message, Refusal};
use super::{messages, renewal};
use crate::auth::AuthError;
use crate::engine::Topic;
use crate::error::Disconnect;
use crate::json::batch::{Batch, Report};
use crate::json::lines;
use crate::json::text::write_u64;
use crate::limits::EVENT_BYTES_MAX;

/// See the module.
#[derive(Debug, Default)]
pub struct Publisher {
    topic: Option<Box<str>>,
    messages: u64,
}

impl Publisher {
    /// A publisher whose events go to `topic` where they name none.
    pub fn new(topic: Option<&str>) -> Self {
        Self { topic: topic.map(Into::into), messages: 0 }
    }

    fn publish(&mut self, text: &[u8], host: &mut dyn Host) {
        let (mut batch, mut report) = (Batch::default(), Report::default());
        for line in lines::split(text, EVENT_BYTES_MAX) {
            let added = line.content.map_err(|long| long.to_string()).and_then(|content| {
                batch
                    .route(line.number, content, self.topic.as_deref(), |topic| host.may_publish(topic))
                    .map_err(|invalid| invalid.to_string())
            });
            if let Err(why) = added {
                report.failed(line.number, &why);
                host.refused(1);
            }
        }
        for group in batch.groups {
            match host.publish(&group.topic, group.bodies) {
                Ok(placed) => report.placed(&placed, &group.lines),
                Err(refusal) => report.failed(0, &refused(&group.topic, &refusal)),
            }
        }
        self.messages += 1;
        host.send("ack", &self.ack(&report));
    }

    /// Every line of a message that came too fast is named.
    fn too_fast(&mut self, text: &[u8], retry_after_ms: u64, host: &mut dyn Host) {
        let mut report = Report::default();
        for line in lines::split(text, EVENT_BYTES_MAX) {
            report.not_placed(line.number, "the message came too fast", Some(retry_after_ms));
            host.refused(1);
        }
        self.messages += 1;
        host.send("ack", &self.ack(&report));
    }

    fn ack(&self, report: &Report) -> Vec<u8> {
        let mut out = b"{\"type\":\"ack\",\"message\":".to_vec();
        write_u64(&mut out, self.messages);
        out.extend_from_slice(b",\"published\":");
        write_u64(&mut out, report.published);
        report.write_topics(&mut out);
        if report.has_failed() {
            report.write_failed(&mut out);
        }
        out.push(b'}');
        out
    }
}

fn refused(topic: &str, refusal: &Refusal) -> String {
    format!("{topic}: {refusal}")
}

impl Dialect for Publisher {
    fn opened(&mut self, _host: &mut dyn Host) {}

    fn received(&mut self, message: Message<'_>, host: &mut dyn Host) {
        match message {
            Message::Text("{\"type\":\"ping\"}") => {
                host.send("pong", &messages::pong(host.now().unix_ms, None))
            }
            Message::Text(text) => match renewal::token(text) {
                Some(token) => host.authenticate(&token),
                None => self.publish(text.as_bytes(), host),
            },
            Message::Binary(_) => host.close(Disconnect::Binary),
        }
    }

    fn authenticated(&mut self, verdict: Result<(), AuthError>, host: &mut dyn Host) {
        renewal::tell(verdict, None, host);
    }

    fn limited(&mut self, message: Message<'_>, retry_after_ms: u64, host: &mut dyn Host) {
        match message {
            Message::Text(text) => self.too_fast(text.as_bytes(), retry_after_ms, host),
            Message::Binary(_) => host.close(Disconnect::Binary),
        }
    }

    fn gap(&mut self, _topic: &Topic, _gap: Gap, _host: &mut dyn Host) {}
}
