//! All sessions of a node, and the only place where they change.

mod core;
mod posts;
mod registry;
mod turns;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::Agents;
use super::sink::Sink;
use super::talk::{State, Talk};
use super::turn::{self, Turn as Task};
use crate::auth::{Action, Identity};
use crate::dialect::protocol::Fault;
use crate::dialect::sessions::step;
use crate::dialect::sessions::{Asked, Line, Post, Question, Session, Sessions, Turn, name};
use crate::engine::{Counts, Now, Publish, Registry};
use crate::metrics::SessionMetrics;
use crate::sync::lock;

pub use self::core::Core;

/// Bounds of sessions.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Sessions remembered.
    pub sessions: usize,
    /// Of one user.
    pub sessions_per_user: usize,
    /// Questions of one user that are open.
    pub running_per_user: usize,
    /// Bytes of a question.
    pub question_bytes: usize,
    /// Bytes of a context.
    pub context_bytes: usize,
    /// Pieces of an answer.
    pub answer_tokens: usize,
    /// Bytes of an answer.
    pub answer_bytes: usize,
    /// Time for an answer.
    pub answer: Duration,
    /// Time for which a session goes on that nobody reads.
    pub unwatched: Duration,
    /// Time for which a session is remembered that nobody uses.
    pub idle: Duration,
    /// Turns that feed the next answer.
    pub history_turns: usize,
    /// Their bytes.
    pub history_bytes: usize,
}

/// See the module.
pub struct Desk(Arc<Core>);

impl Desk {
    /// A desk without sessions; `clock` tells the time. Must be called within a runtime.
    pub fn new(
        settings: Settings,
        agents: Agents,
        registry: Arc<Registry>,
        counts: Arc<Counts>,
        metrics: Arc<SessionMetrics>,
        clock: Box<dyn Fn() -> Now + Send + Sync>,
    ) -> Self {
        Self(Arc::new(Core::new(settings, agents, registry, counts, metrics, clock)))
    }

    /// Publishes through `publisher` from now on. Nothing may be asked before.
    pub fn publish_through(&self, publisher: Arc<dyn Publish>) {
        self.0.publish_through(publisher);
    }

    /// Forgets sessions that nobody uses.
    pub fn sweep(&self, now: Now) {
        self.0.sweep(now);
    }

    /// Ends what is answered, and says so: the server is about to end. Nothing is answered any more.
    pub fn close(&self) {
        self.0.closing.store(true, Ordering::SeqCst);
        for talk in self.0.all() {
            let turn = lock(&talk.state).current.as_ref().map(|current| current.turn);
            if let Some(turn) = turn {
                self.0.end(&talk, turn, Some(Err(turns::closing())));
            }
            talk.cancelled.send_replace(u64::MAX);
        }
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<SessionMetrics> {
        &self.0.metrics
    }

    /// Sessions now, and questions of theirs that are answered or wait to be.
    pub fn counts(&self) -> (u64, u64) {
        let all = self.0.all();
        (all.len() as u64, all.iter().map(|talk| lock(&talk.state).open as u64).sum())
    }

    /// The session, and whether the asker may speak in it.
    fn speak(&self, who: &Identity, id: &str) -> Result<Arc<Talk>, Fault> {
        may(who, Action::Publish, id)?;
        self.0.find(&name::topic(who, id)?)
    }

    fn check(&self, question: &Question) -> Result<(), Fault> {
        let settings = &self.0.settings;
        let too_large = |what: &str, limit: usize, setting: &str| {
            Fault::new(413, "too_large", format!("{what} exceeds {limit} bytes; {setting} is the limit"))
        };
        if question.text.len() > settings.question_bytes {
            return Err(too_large("the question", settings.question_bytes, "sessions.question_bytes"));
        }
        match &question.context {
            Some(context) if context.len() > settings.context_bytes => {
                Err(too_large("the context", settings.context_bytes, "sessions.context_bytes"))
            }
            _ => Ok(()),
        }
    }
}

/// Rooms go by grants; everything else is the asker's own.
fn may(who: &Identity, action: Action, id: &str) -> Result<(), Fault> {
    let allowed = !name::is_room(id) || who.may(action, &name::topic(who, id)?);
    if allowed { Ok(()) } else { Err(Fault::forbidden(action)) }
}

impl Sessions for Desk {
    fn open(
        &self,
        who: &Arc<Identity>,
        id: Option<&str>,
        agent: Option<&str>,
        context: Option<&str>,
        now: Now,
    ) -> Result<Session, Fault> {
        let question = Question { context: context.map(str::to_owned), ..Question::default() };
        self.check(&question)?;
        let talk = self.0.open_talk(who, id, (agent, context), now)?;
        Ok(self.0.show(&talk))
    }

    fn find(&self, who: &Arc<Identity>, id: &str, _now: Now) -> Result<Session, Fault> {
        may(who, Action::Subscribe, id)?;
        let talk = self.0.find(&name::topic(who, id)?)?;
        Ok(self.0.show(&talk))
    }

    fn asked_before(&self, who: &Arc<Identity>, agent: &str, text: &str) -> Option<Session> {
        let asked_this = |state: &State| {
            let asked = state.asked.as_ref();
            asked.is_some_and(|(whom, what)| whom.as_deref() == Some(agent) && **what == *text)
        };
        let own = self.0.below(&who.own_sessions());
        let found = own.into_iter().filter_map(|talk| {
            let state = lock(&talk.state);
            asked_this(&state).then(|| (state.touched_ms, Arc::clone(&talk)))
        });
        found.max_by_key(|(touched_ms, _)| *touched_ms).map(|(_, talk)| self.0.show(&talk))
    }

    fn ask(
        &self,
        who: &Arc<Identity>,
        id: Option<&str>,
        question: Question,
        turn: Turn,
        now: Now,
    ) -> Result<Asked, Fault> {
        self.check(&question)?;
        self.0.check_open()?;
        let place = self.0.place(who)?;
        let said = (question.agent.as_deref(), question.context.as_deref());
        let talk = self.0.open_talk(who, id, said, now)?;
        let (over, is_over) = watch::channel(false);
        let mut state = lock(&talk.state);
        if turn == Turn::Alone && state.open > 0 {
            let message = "the session answers something else; wait until it is done, or cancel it";
            return Err(Fault::new(409, "session_busy", message));
        }
        state.taken(&question, now);
        let earlier = [state.tail.replace(is_over.clone()), self.0.join(turn, is_over)];
        let number = state.turns;
        drop(state);
        let session = self.0.show(&talk);
        let asked = Asked { turn: number, before: session.position, session };
        let sink = Sink { core: Arc::clone(&self.0), talk, turn: number };
        let before = earlier.into_iter().flatten().collect();
        self.0.start(turn::run(Task { sink, asker: Arc::clone(who), question, before, over, place }));
        Ok(asked)
    }

    fn cancel(&self, who: &Arc<Identity>, id: &str, _now: Now) -> Result<Session, Fault> {
        let talk = self.speak(who, id)?;
        let (turns, current) = {
            let state = lock(&talk.state);
            (state.turns, state.current.as_ref().map(|current| current.turn))
        };
        if let Some(turn) = current {
            self.0.end(&talk, turn, None);
        }
        talk.cancelled.send_if_modified(|to| {
            turns > *to && {
                *to = turns;
                true
            }
        });
        Ok(self.0.show(&talk))
    }

    fn post(&self, who: &Arc<Identity>, id: &str, post: Post, now: Now) -> Result<u64, Fault> {
        if let Post::Said { text, .. } = &post {
            self.check(&Question { text: text.clone(), ..Question::default() })?;
        }
        let talk = match &post {
            Post::Read { .. } => {
                may(who, Action::Subscribe, id)?;
                self.0.find(&name::topic(who, id)?)?
            }
            Post::Said { .. } => self.0.open_talk(who, Some(id), (None, None), now)?,
            Post::Edited { .. } | Post::Deleted { .. } => self.speak(who, id)?,
        };
        self.0.post(&talk, who, &post, now)
    }

    fn typing(&self, who: &Arc<Identity>, id: &str, is_typing: bool, _now: Now) -> Result<(), Fault> {
        let talk = self.speak(who, id)?;
        if let Some(topic) = self.0.registry.find(&talk.topic) {
            topic.notify(step::typing(who, is_typing));
        }
        Ok(())
    }

    fn line(&self) -> Line {
        self.0.line()
    }

    fn new_id(&self) -> Result<String, Fault> {
        registry::new_id()
    }
}

#[cfg(test)]
mod tests;
