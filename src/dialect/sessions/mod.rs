//! What protocols ask of sessions: conversations in which a question is answered token by token. A session's output is a topic,
//! and each token an entry of it, so that reading it is reading any topic. Implemented by `respond`; protocols know it by
//! [`Sessions`] alone.
//!
//! A session belongs to whoever opened it, and its topic is `sessions.<user>.<id>`: two users may choose the same id and have
//! two sessions. A session whose id begins with `room:` is a room: its topic is `rooms.<name>`, and grants decide who may read it
//! (subscribe) and speak in it (publish).

pub mod joined;
pub mod name;
pub mod step;
pub mod text;

use std::fmt;
use std::sync::Arc;

use super::protocol::Fault;
use crate::auth::Identity;
use crate::engine::Now;

pub use step::Step;

/// A question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub text: String,
    /// Who is to answer; who that is, is found out where this is absent.
    pub agent: Option<String>,
    /// The customer on whose behalf somebody asks, where that is said.
    pub customer: Option<String>,
    /// What the answer may take into account, a JSON object. It replaces what the session had.
    pub context: Option<String>,
    /// Ids of blobs that belong to the question.
    pub attachments: Vec<String>,
}

/// Who asks, and what is to come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The session must have nothing else to answer.
    Alone,
    /// After whatever the session has to answer, and after what came by the same [`Sessions::line`].
    Behind(Line),
}

/// Questions of one line are answered one after another, whatever their sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Line(pub u64);

/// Whether a session answers something now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It waits for a question.
    Idle,
    /// It answers.
    Running,
}

impl Status {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
        }
    }
}

/// A session, as it is at a moment.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id, as its user knows it.
    pub id: Arc<str>,
    /// Its topic.
    pub topic: Arc<str>,
    /// Who answers, where that was said.
    pub agent: Option<Arc<str>>,
    /// What answers may take into account, a JSON object.
    pub context: Option<Arc<str>>,
    /// Whether it answers something.
    pub status: Status,
    /// When it was opened, Unix milliseconds.
    pub created_ms: u64,
    /// Position of its newest event; 0 where there is none.
    pub position: u64,
    /// Questions asked so far; they are numbered from 1.
    pub turns: u64,
    /// How the newest turn that is over ended.
    pub ended: Option<Arc<Ended>>,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its number.
    pub turn: u64,
    /// Position of its last event.
    pub position: u64,
    /// Whether that is an answer to its end, and not an error or a cancellation.
    pub is_answer: bool,
    /// Type of its last event: [`step::DONE`] or [`step::ERROR`].
    pub event: &'static str,
    /// Data of its last event, a JSON object.
    pub data: Arc<str>,
}

/// A question that was taken.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its session.
    pub session: Session,
    /// Number of its turn.
    pub turn: u64,
    /// What it brings about stands behind this position, and behind what came before by its [`Turn`].
    pub before: u64,
}

/// Something said in a session that asks nothing, and is kept like everything else in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Post {
    /// To those who read along.
    Said {
        /// What.
        text: String,
        /// Ids of blobs that belong to it.
        attachments: Vec<String>,
    },
    /// What its author had said or asked at `position` reads otherwise now.
    Edited {
        /// Where it stands.
        position: u64,
        /// How it reads now.
        text: String,
    },
    /// What its author had said or asked at `position` is to be shown no longer.
    Deleted {
        /// Where it stands.
        position: u64,
    },
    /// Read up to `position`.
    Read {
        /// The last event that was read.
        position: u64,
    },
}

/// All sessions of a node. Nothing here waits: what it begins goes on by itself.
pub trait Sessions: Send + Sync {
    /// Opens the session `id`, or a new one with an id of its own; gives the one that is there already.
    ///
    /// # Errors
    /// No session can be called this, the asker may not open it, or there are too many.
    fn open(
        &self,
        who: &Arc<Identity>,
        id: Option<&str>,
        agent: Option<&str>,
        context: Option<&str>,
        now: Now,
    ) -> Result<Session, Fault>;

    /// The session `id` of the asker, or room.
    ///
    /// # Errors
    /// There is none (404), or the asker may not read it.
    fn find(&self, who: &Arc<Identity>, id: &str, now: Now) -> Result<Session, Fault>;

    /// The newest session in which the asker has asked `agent` this.
    fn asked_before(&self, who: &Arc<Identity>, agent: &str, text: &str) -> Option<Session>;

    /// Asks, in the session `id`, which is opened if it is not there; in a new one without an id.
    ///
    /// # Errors
    /// As [`Self::open`]; the question is too long, the asker may not speak there, has too many questions open, or the session
    /// answers something else (409).
    fn ask(
        &self,
        who: &Arc<Identity>,
        id: Option<&str>,
        question: Question,
        turn: Turn,
        now: Now,
    ) -> Result<Asked, Fault>;

    /// Ends what the session answers, and what waits to be answered. Once that is over nothing more comes of it. Cancelling what
    /// is over already changes nothing.
    ///
    /// # Errors
    /// There is no such session, or the asker may not speak there.
    fn cancel(&self, who: &Arc<Identity>, id: &str, now: Now) -> Result<Session, Fault>;

    /// Says something that asks nothing; its position.
    ///
    /// # Errors
    /// There is no such session, the asker may not speak there, or is not the author of what it wants to change.
    fn post(&self, who: &Arc<Identity>, id: &str, post: Post, now: Now) -> Result<u64, Fault>;

    /// Tells who reads the session now that its user types, or no longer does. Nobody is told later.
    ///
    /// # Errors
    /// There is no such session, or the asker may not speak there.
    fn typing(&self, who: &Arc<Identity>, id: &str, is_typing: bool, now: Now) -> Result<(), Fault>;

    /// A line for [`Turn::Behind`].
    fn line(&self) -> Line;

    /// An id for a new session, which nobody can guess.
    ///
    /// # Errors
    /// The system gives no random numbers.
    fn new_id(&self) -> Result<String, Fault>;
}

impl fmt::Debug for dyn Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}
