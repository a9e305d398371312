//! How a turn begins and ends: under the lock of its session, so that nothing comes after its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Settings;
use super::core::Core;
use crate::auth::Identity;
use crate::dialect::sessions::step::{self, Code, Done};
use crate::dialect::sessions::{Ended, Question};
use crate::engine::Now;
use crate::respond::events::{Happened, failed_with};
use crate::respond::sink::Held;
use crate::respond::talk::{Current, End, Outcome, State, Talk};
use crate::respond::turn::Turn as Task;
use crate::respond::{Exchange, Failure, Finish, Job};
use crate::sync::{MutexGuard, lock};

impl Core {
    /// Begins to answer a turn; `false` where that is not to be.
    pub fn begin(&self, task: &Task) -> bool {
        let (talk, number) = (&task.sink.talk, task.sink.turn);
        let mut state = lock(&talk.state);
        if *talk.cancelled.borrow() >= number || self.closing.load(Ordering::SeqCst) {
            return false;
        }
        self.metrics.started.add(1);
        let agent = task.question.agent.as_deref().map(Arc::from);
        let agent = agent.or_else(|| state.agent.clone()).unwrap_or_else(|| "".into());
        state.current = Some(Current { agent, ..Current::new(task) });
        true
    }

    /// What the responder is to answer: who that is, is settled now.
    pub fn job(&self, task: &Task) -> Job {
        let talk = &task.sink.talk;
        let mut state = lock(&talk.state);
        let wanted =
            state.current.as_ref().map(|current| Arc::clone(&current.agent)).filter(|a| !a.is_empty());
        let agent = match &wanted {
            Some(name) => self.agents.named(name),
            None => self.agents.route(&task.question.text, state.history.newest_first()),
        };
        let agent_name = wanted.unwrap_or_else(|| Arc::clone(&agent.name));
        if let Some(current) = &mut state.current {
            current.agent = Arc::clone(&agent_name);
        }
        Job {
            session: Arc::clone(&talk.id),
            turn: task.sink.turn,
            asker: Arc::clone(&task.asker),
            agent,
            agent_name,
            question: task.question.clone(),
            context: state.context.clone(),
            history: state.history.to_vec(),
            deadline_ms: (self.now().millis()) + self.settings.answer.as_millis() as u64,
        }
    }

    /// Settles how a turn ends, unless that is settled: with an answer, a failure, or (without either) a cancellation. Nothing
    /// else comes after it.
    pub fn end(&self, talk: &Talk, turn: u64, answered: Option<Result<Finish, Failure>>) {
        let mut state = lock(&talk.state);
        if let Some(current) = state.live(turn) {
            current.end = Some(end(&talk.id, current, answered));
            drop(state);
            self.settle(talk, turn);
        }
    }

    /// Ends a turn that was not begun, and says so; after how many milliseconds to try again.
    pub fn dismiss(&self, task: &Task) -> Option<u64> {
        let (talk, over) = (&task.sink.talk, Current::new(task));
        let answered = self.closing.load(Ordering::SeqCst).then(|| Err(closing()));
        let end = end(&talk.id, &over, answered);
        self.finish(talk, lock(&talk.state), over, end).err()
    }

    /// Publishes the end of a turn, if that has yet to be done; after how many milliseconds to try again.
    pub fn settle(&self, talk: &Talk, turn: u64) -> Option<u64> {
        let mut state = lock(&talk.state);
        let current = state.current.take_if(|current| current.turn == turn && current.end.is_some())?;
        let end = current.end.clone()?;
        self.finish(talk, state, current, end).err()
    }

    /// Publishes the last event of a turn, and notes that it is over. A turn that the topic does not let end now is the current
    /// one again.
    fn finish(
        &self,
        talk: &Talk,
        mut state: MutexGuard<'_, State>,
        current: Current,
        end: End,
    ) -> Result<(), u64> {
        let now = self.now();
        let position = match self.publish(&talk.topic, end.body.clone(), now) {
            Err(Held::Wait(millis)) if !self.closing.load(Ordering::SeqCst) => {
                state.current = current.end.is_some().then_some(current).or(state.current.take());
                return Err(millis);
            }
            published => published.unwrap_or_default(),
        };
        state.over(&current, &end, position, &self.settings, now);
        drop(state);
        self.count(&end);
        self.tell_end(talk, &current, &end);
        Ok(())
    }

    fn count(&self, end: &End) {
        match end.outcome {
            Outcome::Answered => self.metrics.answered.add(1),
            Outcome::Failed => self.metrics.failed.add(1),
            Outcome::Cancelled => self.metrics.cancelled.add(1),
        }
    }

    fn tell_end(&self, talk: &Talk, current: &Current, end: &End) {
        let (event, status) = match end.outcome {
            Outcome::Answered => ("session.completed", "success"),
            Outcome::Failed => ("session.failed", "error"),
            Outcome::Cancelled => ("session.cancelled", "cancelled"),
        };
        let (who, turn) = ((&*current.asker, &*current.agent), (current.turn, status));
        let why = failed_with(end.body.data());
        self.tell(talk, event, who, turn, &why);
        if end.outcome == Outcome::Failed {
            self.tell(talk, "agent.error", who, turn, &why);
        }
    }

    /// Tells those who follow the channels what becomes of a session.
    pub fn tell(
        &self,
        talk: &Talk,
        event: &'static str,
        (who, agent): (&Identity, &str),
        turn: (u64, &'static str),
        more: &[u8],
    ) {
        let happened =
            Happened { event, session: &talk.id, agent, user: who, turn: turn.0, status: turn.1, more };
        if let Some(topic) = happened.topic()
            && self.publish(topic, happened.body(), self.now()).is_err()
        {
            tracing::warn!(event, "an event of a session could not be published");
        }
    }
}

/// Why nothing is answered any more.
pub fn closing() -> Failure {
    Failure::new(Code::ConnectionLost, "the server is restarting; ask again")
}

fn end(session: &str, current: &Current, answered: Option<Result<Finish, Failure>>) -> End {
    let (finish, outcome, status) = match answered {
        Some(Err(failure)) => {
            let body = step::failed(failure.code, &failure.message, failure.retry_after_ms);
            return End { body, outcome: Outcome::Failed };
        }
        Some(Ok(finish)) => (finish, Outcome::Answered, "success"),
        None => (Finish::default(), Outcome::Cancelled, "cancelled"),
    };
    let done = Done {
        session,
        output: &current.answer,
        status,
        turn: current.turn,
        agent: finish.agent.as_deref().unwrap_or(&current.agent),
        confidence: finish.confidence,
        sources: &finish.sources,
    };
    End { body: step::done(&done), outcome }
}

impl Current {
    /// A turn of which nothing has come yet.
    fn new(task: &Task) -> Self {
        Self {
            turn: task.sink.turn,
            asker: Arc::clone(&task.asker),
            question: task.question.clone(),
            agent: task.question.agent.as_deref().unwrap_or_default().into(),
            answer: String::new(),
            written: 0,
            tokens: 0,
            end: None,
        }
    }
}

impl State {
    /// A question was taken.
    pub(super) fn taken(&mut self, question: &Question, now: Now) {
        self.turns += 1;
        self.open += 1;
        self.touched_ms = now.millis();
        self.asked = Some((question.agent.as_deref().map(Arc::from), (&*question.text).into()));
        if let Some(context) = &question.context {
            self.context = Some((&**context).into());
        }
    }

    /// A turn is over: what it leaves behind.
    fn over(&mut self, current: &Current, end: &End, position: u64, settings: &Settings, now: Now) {
        self.open -= 1;
        self.touched_ms = now.millis();
        let data = String::from_utf8_lossy(end.body.data()).into_owned();
        let event = if end.outcome == Outcome::Failed { step::ERROR } else { step::DONE };
        let is_answer = end.outcome == Outcome::Answered;
        let ended = Ended { turn: current.turn, position, is_answer, event, data: data.into() };
        if self.ended.as_ref().is_none_or(|newest| newest.turn < ended.turn) {
            self.ended = Some(Arc::new(ended));
        }
        if !current.answer.is_empty() {
            let exchange =
                Exchange { question: (&*current.question.text).into(), answer: (&*current.answer).into() };
            self.history.push(exchange, settings.history_turns, settings.history_bytes);
        }
    }
}
