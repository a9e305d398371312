//! A session as it is kept: who it belongs to, what was said, and what is being answered.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::Exchange;
use crate::auth::Identity;
use crate::dialect::sessions::{Ended, Question, Session, Status};
use crate::engine::{Body, Now};
use crate::sync::Mutex;

/// See the module.
pub struct Talk {
    /// Its id, as its user knows it.
    pub id: Arc<str>,
    /// Its topic.
    pub topic: Arc<str>,
    /// Turns up to this one are cancelled.
    pub cancelled: watch::Sender<u64>,
    /// The rest. Held while its events are published, so that they have the order in which things happen.
    pub state: Mutex<State>,
}

/// What changes of a session.
#[derive(Default)]
pub struct State {
    /// Who answers, where that was said.
    pub agent: Option<Arc<str>>,
    /// What answers may take into account.
    pub context: Option<Arc<str>>,
    /// When it was opened, Unix milliseconds.
    pub created_ms: u64,
    /// When something happened last, monotonic milliseconds.
    pub touched_ms: u64,
    /// What was said, as far as it feeds answers.
    pub history: History,
    /// Questions asked so far.
    pub turns: u64,
    /// Questions that wait, and the one that is answered.
    pub open: usize,
    /// The turn that is answered now.
    pub current: Option<Current>,
    /// How the newest one that is over ended.
    pub ended: Option<Arc<Ended>>,
    /// The newest question, and who was to answer it.
    pub asked: Option<(Option<Arc<str>>, Arc<str>)>,
    /// Comes when the newest question is over.
    pub tail: Option<watch::Receiver<bool>>,
}

/// The turn that is answered now.
pub struct Current {
    /// Its number.
    pub turn: u64,
    /// Who asked.
    pub asker: Arc<Identity>,
    /// What.
    pub question: Question,
    /// Who answers.
    pub agent: Arc<str>,
    /// The answer so far.
    pub answer: String,
    /// Its bytes as JSON.
    pub written: usize,
    /// Its pieces.
    pub tokens: usize,
    /// How it ends, once that is settled: nothing else comes after it. It stays here while the topic takes no more.
    pub end: Option<End>,
}

/// The last event of a turn.
#[derive(Clone)]
pub struct End {
    /// The event.
    pub body: Body,
    /// What sort of end it is.
    pub outcome: Outcome,
}

/// How a turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer.
    Answered,
    /// With none, or not all of it.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl Talk {
    /// What others see of it; `position` is that of its newest event.
    pub fn show(&self, state: &State, position: u64) -> Session {
        Session {
            id: Arc::clone(&self.id),
            topic: Arc::clone(&self.topic),
            agent: state.agent.clone(),
            context: state.context.clone(),
            status: if state.open > 0 { Status::Running } else { Status::Idle },
            created_ms: state.created_ms,
            position,
            turns: state.turns,
            ended: state.ended.clone(),
        }
    }
}

impl State {
    /// A session that begins.
    pub fn new(agent: Option<&str>, context: Option<&str>, now: Now) -> Self {
        Self {
            agent: agent.map(Arc::from),
            context: context.map(Arc::from),
            created_ms: now.unix_ms,
            touched_ms: now.millis(),
            ..Self::default()
        }
    }

    /// The turn `turn`, if it is answered now and nothing has ended it.
    pub fn live(&mut self, turn: u64) -> Option<&mut Current> {
        self.current.as_mut().filter(|current| current.turn == turn && current.end.is_none())
    }

    /// Whether it has not been used for `idle_ms`.
    pub fn is_idle(&self, idle_ms: u64, now: Now) -> bool {
        self.open == 0 && now.millis().saturating_sub(self.touched_ms) >= idle_ms
    }
}

/// What was said, as far as it is kept: so many turns, and so many bytes.
#[derive(Default)]
pub struct History {
    exchanges: VecDeque<Exchange>,
    bytes: usize,
}

impl History {
    /// Adds a turn, and forgets the oldest ones beyond the bounds.
    pub fn push(&mut self, exchange: Exchange, turns_max: usize, bytes_max: usize) {
        self.bytes += exchange.bytes();
        self.exchanges.push_back(exchange);
        while (self.exchanges.len() > turns_max || self.bytes > bytes_max)
            && let Some(oldest) = self.exchanges.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    /// The questions, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &str> {
        self.exchanges.iter().rev().map(|exchange| &*exchange.question)
    }

    /// All, oldest first.
    pub fn to_vec(&self) -> Vec<Exchange> {
        self.exchanges.iter().cloned().collect()
    }
}

impl Exchange {
    fn bytes(&self) -> usize {
        self.question.len() + self.answer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_bounded_by_turns_and_bytes() {
        let exchange = |text: &str| Exchange { question: text.into(), answer: "ok".into() };
        let mut history = History::default();
        for text in ["one", "two", "three", "four"] {
            history.push(exchange(text), 3, 14);
        }
        let kept: Vec<_> = history.to_vec().iter().map(|e| e.question.to_string()).collect();
        assert_eq!((kept, history.bytes), (vec!["three".to_owned(), "four".into()], 13));
        history.push(exchange(&"x".repeat(30)), 3, 14);
        assert_eq!((history.to_vec(), history.bytes), (vec![], 0));
    }
}
