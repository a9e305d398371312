//! What is said in a session and asks nothing. Only its author may change or take back what was said.

use crossbeam_epoch as epoch;
use serde::Deserialize;

use super::core::Core;
use crate::auth::Identity;
use crate::dialect::protocol::Fault;
use crate::dialect::sessions::{Post, step};
use crate::engine::{Entry, Now};
use crate::respond::sink::Held;
use crate::respond::talk::Talk;
use crate::sync::lock;

/// Who said something, in the data of an event.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    user: Author<'a>,
}

#[derive(Deserialize)]
struct Author<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
}

impl Core {
    /// Publishes what somebody has said; its position.
    pub(super) fn post(&self, talk: &Talk, who: &Identity, post: &Post, now: Now) -> Result<u64, Fault> {
        let mut state = lock(&talk.state);
        self.check(talk, who, post)?;
        let published = self.publish(&talk.topic, step::posted(post, who), now);
        state.touched_ms = now.millis();
        published.map_err(|held| match held {
            Held::Wait(millis) => Fault::limited("the session takes no more events now", millis),
            Held::Failed(failure) => Fault::new(503, "not_published", failure.message),
            Held::Over => Fault::new(409, "session_over", "the session is over"),
        })
    }

    fn check(&self, talk: &Talk, who: &Identity, post: &Post) -> Result<(), Fault> {
        let topic = self.registry.find(&talk.topic);
        match post {
            Post::Said { .. } => Ok(()),
            Post::Read { position } if topic.as_ref().is_some_and(|topic| *position <= topic.head()) => {
                Ok(())
            }
            Post::Read { .. } => Err(Fault::bad("sequence", "nothing has been said there yet")),
            Post::Edited { position, .. } | Post::Deleted { position } => {
                let pin = epoch::pin();
                let entry = topic.as_ref().and_then(|topic| topic.find(*position, &pin));
                let author = entry.and_then(author).ok_or_else(|| {
                    Fault::new(404, "not_found", "no message of a user is kept at this position")
                })?;
                if author == step::user_id(who) { Ok(()) } else { Err(not_the_author()) }
            }
        }
    }
}

fn not_the_author() -> Fault {
    Fault::new(403, "forbidden", "only its author may change a message")
}

/// Who has said or asked something in an event.
fn author(entry: &Entry) -> Option<String> {
    let said: Said<'_> = serde_json::from_slice(entry.body.data()).ok()?;
    let is_message =
        (entry.body.event() == step::STEP) || (entry.body.event() == step::POST && said.kind == "said");
    is_message.then(|| said.user.id.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Grants;
    use crate::config::Role;
    use crate::dialect::sessions::Step;
    use crate::engine::Body;

    fn entry(body: Body) -> Entry {
        Entry::new(1, 0, 0, 0, body)
    }

    #[test]
    fn questions_and_messages_have_authors() {
        let ann = Identity::new("ann", Role::Observer, Grants::default());
        let said = Post::Said { text: "hi".into(), attachments: vec![] };
        let cases = [
            (step::starting(1, "why?", &[], &ann), Some("ann")),
            (step::posted(&said, &ann), Some("ann")),
            (step::posted(&Post::Read { position: 1 }, &ann), None),
            (step::posted(&Post::Deleted { position: 1 }, &ann), None),
            (Step::Text("ann".into()).body(0), None),
            (Step::Progress("generating".into(), "…".into()).body(0), None),
        ];
        for (body, wanted) in cases {
            let text = String::from_utf8_lossy(body.data()).into_owned();
            assert_eq!(author(&entry(body)).as_deref(), wanted, "{text}");
        }
    }
}
