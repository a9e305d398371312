//! What turns and sinks need of the desk: the sessions, the door to their topics, and how a turn begins and ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::Settings;
use crate::auth::Identity;
use crate::dialect::protocol::Fault;
use crate::dialect::sessions::step::{self, Code, Done};
use crate::dialect::sessions::{Ended, Line, Post, Question, Session, Turn};
use crate::engine::{Body, Counts, Lease, Now, Publish, Registry, Unplaced};
use crate::limits::{POSTS_RETRY_MS, RETRY_AFTER_SECONDS};
use crate::metrics::SessionMetrics;
use crate::respond::events::Happened;
use crate::respond::sink::Held;
use crate::respond::talk::{Current, End, Outcome, State, Talk};
use crate::respond::turn::Turn as Task;
use crate::respond::{Agents, Exchange, Failure, Finish, Job};
use crate::sync::{Mutex, lock};

/// See the module.
pub struct Core {
    /// Bounds.
    pub settings: Settings,
    /// What is counted.
    pub metrics: Arc<SessionMetrics>,
    /// All topics.
    pub registry: Arc<Registry>,
    /// Whether the server is about to end.
    pub closing: AtomicBool,
    pub(super) agents: Agents,
    pub(super) counts: Arc<Counts>,
    /// By topic, so that those of one user lie side by side.
    pub(super) talks: Mutex<BTreeMap<Arc<str>, Arc<Talk>>>,
    clock: Box<dyn Fn() -> Now + Send + Sync>,
    publisher: OnceLock<Arc<dyn Publish>>,
    /// When the newest question of each line is over.
    lines: Mutex<HashMap<Line, watch::Receiver<bool>>>,
    next_line: AtomicU64,
    runtime: Handle,
}

impl Core {
    /// See [`super::Desk::new`].
    pub fn new(
        settings: Settings,
        agents: Agents,
        registry: Arc<Registry>,
        counts: Arc<Counts>,
        metrics: Arc<SessionMetrics>,
        clock: Box<dyn Fn() -> Now + Send + Sync>,
    ) -> Self {
        Self {
            settings,
            metrics,
            registry,
            closing: AtomicBool::new(false),
            agents,
            counts,
            talks: Mutex::default(),
            clock,
            publisher: OnceLock::new(),
            lines: Mutex::default(),
            next_line: AtomicU64::new(1),
            runtime: Handle::current(),
        }
    }

    /// See [`super::Desk::open`].
    pub fn open(&self, publisher: Arc<dyn Publish>) {
        // A second one would be a mistake of the composition root, and change nothing.
        let _second = self.publisher.set(publisher);
    }

    /// The time.
    pub fn now(&self) -> Now {
        (self.clock)()
    }

    /// Runs a turn.
    pub fn start(&self, turn: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(turn);
    }

    /// Publishes an event; its position.
    ///
    /// # Errors
    /// Why not.
    pub fn publish(&self, topic: &str, body: Body, now: Now) -> Result<u64, Held> {
        let failed = |why: String| Held::Failed(Failure::new(Code::Failed, why));
        let publisher = self.publisher.get().ok_or_else(|| failed("the server is not ready".into()))?;
        let placed = publisher.publish(topic, vec![body], now);
        let placed = placed.map_err(|error| failed(error.to_string()))?.places.pop();
        match placed {
            Some(Ok(published)) => Ok(published.offset),
            Some(Err(unplaced @ Unplaced::Misfit(_))) => Err(failed(unplaced.to_string())),
            Some(Err(limited)) => Err(Held::Wait(limited.retry_after_ms().unwrap_or(POSTS_RETRY_MS))),
            None => Err(failed("the event was not published".into())),
        }
    }

    /// Whether anybody reads a session now.
    pub fn is_read(&self, talk: &Talk) -> bool {
        self.registry.find(&talk.topic).is_some_and(|topic| topic.subscribers() > 0)
    }

    /// A session as others see it.
    pub fn show(&self, talk: &Talk) -> Session {
        let position = || self.registry.find(&talk.topic).map_or(0, |topic| topic.head());
        talk.show(&lock(&talk.state), position())
    }

    /// A place among the questions of `who`.
    pub(super) fn place(&self, who: &Identity) -> Result<Option<Lease>, Fault> {
        let limit = self.settings.running_per_user;
        let place = self.counts.take(&format!("questions:{}", who.name), limit);
        let message = || format!("at most {limit} questions of one user are answered at a time");
        place.map(Some).ok_or_else(|| Fault::limited(message(), RETRY_AFTER_SECONDS * 1000))
    }

    /// A new line.
    pub(super) fn line(&self) -> Line {
        Line(self.next_line.fetch_add(1, Ordering::Relaxed))
    }

    /// Puts a question at the end of its line; what comes before it there.
    pub(super) fn join(&self, turn: Turn, is_over: watch::Receiver<bool>) -> Option<watch::Receiver<bool>> {
        let Turn::Behind(line) = turn else { return None };
        lock(&self.lines).insert(line, is_over)
    }

    /// Forgets lines in which nothing waits, and sessions that nobody uses.
    pub(super) fn sweep(&self, now: Now) {
        lock(&self.lines).retain(|_, is_over| !*is_over.borrow() && is_over.has_changed().is_ok());
        let idle_ms = self.settings.idle.as_millis() as u64;
        lock(&self.talks).retain(|_, talk| !lock(&talk.state).is_idle(idle_ms, now));
    }

    /// Begins to answer a turn; `false` where that is not to be.
    pub fn begin(&self, task: &Task) -> bool {
        let (talk, number) = (&task.sink.talk, task.sink.turn);
        let mut state = lock(&talk.state);
        if *talk.cancelled.borrow() >= number {
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
            None => {
                let earlier = state.history.newest_first();
                self.agents.route(&task.question.text, earlier)
            }
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

    /// Ends a turn that was not begun.
    pub fn dismiss(&self, task: &Task) {
        let talk = &task.sink.talk;
        let mut state = lock(&talk.state);
        let over = Current::new(task);
        let answered = self.closing.load(Ordering::SeqCst).then(|| Err(closing()));
        let body = end(&talk.id, &over, answered);
        let published = self.publish(&talk.topic, body.body, self.now());
        if published.is_err() {
            tracing::warn!(session = %talk.id, "nobody could be told that a question was cancelled");
        }
        state.open -= 1;
    }

    /// Publishes the end of a turn, if that has yet to be done; after how many milliseconds to try again.
    pub fn settle(&self, talk: &Talk, turn: u64) -> Option<u64> {
        let now = self.now();
        let mut state = lock(&talk.state);
        let current = state.current.as_ref().filter(|current| current.turn == turn)?;
        let end = current.end.clone()?;
        let position = match self.publish(&talk.topic, end.body.clone(), now) {
            Err(Held::Wait(millis)) if !self.closing.load(Ordering::SeqCst) => return Some(millis),
            published => published.unwrap_or_default(),
        };
        let current = state.current.take()?;
        state.over(&current, &end, position, &self.settings, now);
        drop(state);
        self.count(&end);
        self.tell_end(talk, &current, &end);
        None
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
        self.tell(talk, event, (&current.asker, &current.agent), (current.turn, status), b"");
        if end.outcome == Outcome::Failed {
            let data = String::from_utf8_lossy(end.body.data());
            let more = format!(",\"error\":{data}");
            self.tell(
                talk,
                "agent.error",
                (&current.asker, &current.agent),
                (current.turn, status),
                more.as_bytes(),
            );
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

    /// Publishes what somebody has said.
    pub(super) fn post(&self, talk: &Talk, who: &Identity, post: &Post, now: Now) -> Result<u64, Fault> {
        let mut state = lock(&talk.state);
        let published = self.publish(&talk.topic, step::posted(post, who), now);
        state.touched_ms = now.millis();
        published.map_err(|held| match held {
            Held::Wait(millis) => Fault::limited("the session takes no more events now", millis),
            Held::Failed(failure) => Fault::new(503, "not_published", failure.message),
            Held::Over => Fault::new(409, "session_over", "the session is over"),
        })
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
        self.ended =
            Some(Arc::new(Ended { turn: current.turn, position, is_answer, event, data: data.into() }));
        if !current.answer.is_empty() {
            let exchange =
                Exchange { question: (&*current.question.text).into(), answer: (&*current.answer).into() };
            self.history.push(exchange, settings.history_turns, settings.history_bytes);
        }
    }
}
