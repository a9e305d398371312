//! Sessions by topic: found, opened, counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::watch;

use super::core::Core;
use super::turns::closing;
use crate::auth::Identity;
use crate::dialect::protocol::Fault;
use crate::dialect::sessions::name;
use crate::engine::Now;
use crate::limits::RETRY_AFTER_SECONDS;
use crate::respond::talk::{State, Talk};
use crate::sync::{Mutex, lock};

/// Random bytes of an id.
const ID_BYTES: usize = 16;

impl Core {
    /// Whether anything may be asked.
    pub fn check_open(&self) -> Result<(), Fault> {
        match self.closing.load(Ordering::SeqCst) {
            true => {
                Err(Fault { retry_after_ms: Some(1000), ..Fault::new(503, "draining", closing().message) })
            }
            false => Ok(()),
        }
    }

    /// The session of a topic.
    pub fn find(&self, topic: &str) -> Result<Arc<Talk>, Fault> {
        let found = lock(&self.talks).get(topic).cloned();
        found.ok_or_else(|| {
            Fault::new(
                404,
                "not_found",
                "there is no such session; it may have expired, or the server was restarted",
            )
        })
    }

    /// All sessions.
    pub fn all(&self) -> Vec<Arc<Talk>> {
        lock(&self.talks).values().cloned().collect()
    }

    /// The sessions whose topics begin with `prefix`.
    pub fn below(&self, prefix: &str) -> Vec<Arc<Talk>> {
        let talks = lock(&self.talks);
        let from = talks.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        from.take_while(|(topic, _)| topic.starts_with(prefix)).map(|(_, talk)| Arc::clone(talk)).collect()
    }

    /// The session `id` of `who`, opened now if it is not there.
    pub fn open_talk(
        &self,
        who: &Arc<Identity>,
        id: Option<&str>,
        (agent, context): (Option<&str>, Option<&str>),
        now: Now,
    ) -> Result<Arc<Talk>, Fault> {
        let id: Arc<str> = match id {
            Some(id) => id.into(),
            None => new_id()?.into(),
        };
        super::may(who, crate::auth::Action::Publish, &id)?;
        let topic: Arc<str> = name::topic(who, &id)?.into();
        let mut talks = lock(&self.talks);
        if let Some(talk) = talks.get(&topic) {
            return Ok(Arc::clone(talk));
        }
        self.check_room(&talks, who)?;
        let talk = Arc::new(Talk {
            id,
            topic: Arc::clone(&topic),
            cancelled: watch::Sender::new(0),
            state: Mutex::new(State::new(agent, context, now)),
        });
        talks.insert(topic, Arc::clone(&talk));
        drop(talks);
        self.metrics.opened.add(1);
        self.tell(&talk, "session.created", (who, agent.unwrap_or_default()), (0, "idle"), b"");
        Ok(talk)
    }

    fn check_room(
        &self,
        talks: &std::collections::BTreeMap<Arc<str>, Arc<Talk>>,
        who: &Identity,
    ) -> Result<(), Fault> {
        let own = who.own_sessions();
        let of_user = talks.range::<str, _>((std::ops::Bound::Included(&*own), std::ops::Bound::Unbounded));
        let of_user = of_user.take_while(|(topic, _)| topic.starts_with(&own));
        let settings = &self.settings;
        let message = if talks.len() >= settings.sessions {
            "the server has as many sessions as it may; sessions.max is the limit"
        } else if of_user.take(settings.sessions_per_user).count() >= settings.sessions_per_user {
            "this user has as many sessions as one may; sessions.per_user is the limit"
        } else {
            return Ok(());
        };
        Err(Fault::limited(message, RETRY_AFTER_SECONDS * 1000))
    }
}

/// An id that nobody can guess.
pub(super) fn new_id() -> Result<String, Fault> {
    let mut bytes = [0; ID_BYTES];
    let failed = |_| Fault::new(503, "no_randomness", "the system gives no random numbers");
    rand::fill(&mut bytes).map_err(failed)?;
    Ok(format!("sess_{}", URL_SAFE_NO_PAD.encode(bytes)))
}
