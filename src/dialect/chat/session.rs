//! What clients want of sessions. Whoever speaks in one reads it, from just before it speaks on.

use std::sync::Arc;

use super::messages;
use super::refused::{self, Refused, invalid};
use super::request::Request;
use crate::auth::Identity;
use crate::dialect::protocol::Fault;
use crate::dialect::sessions::{Line, Post, Question, Session, Sessions, Turn, name, text};
use crate::dialect::{Host, Linger, Outcome, Refusal, Start, Subscribe};
use crate::engine::{Encode, Topic};

/// Something that a client may want of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// An answer.
    Message,
    /// To say something that asks nothing.
    Say,
    /// To read along.
    Join,
    /// To go on reading.
    Resume,
    /// To read no longer.
    Leave,
    /// No answer any more.
    Cancel,
    /// To have others know that its user types.
    Typing,
    /// To have others know how far its user has read.
    Read,
    /// To change what it has said.
    Edit,
    /// To take back what it has said.
    Delete,
}

/// Their words.
const WORDS: [(&str, Wanted); 10] = [
    ("message", Wanted::Message),
    ("say", Wanted::Say),
    ("join", Wanted::Join),
    ("resume", Wanted::Resume),
    ("leave", Wanted::Leave),
    ("cancel", Wanted::Cancel),
    ("typing", Wanted::Typing),
    ("read", Wanted::Read),
    ("edit", Wanted::Edit),
    ("delete", Wanted::Delete),
];

impl Wanted {
    /// What a message of this type wants.
    ///
    /// # Errors
    /// There is no such message.
    pub fn of(kind: &str) -> Result<Self, Refused> {
        let found = WORDS.iter().find(|(word, _)| *word == kind);
        found.map(|(_, wanted)| *wanted).ok_or_else(|| {
            let words: Vec<_> = WORDS.iter().map(|(word, _)| *word).collect();
            invalid(format!(
                "there is no message of type {kind:?}; there are auth, ping, {}",
                words.join(", ")
            ))
        })
    }
}

/// Whether a message of this type leads to reading the session.
pub fn reads(kind: &str) -> bool {
    Wanted::of(kind).is_ok_and(|wanted| !matches!(wanted, Wanted::Leave | Wanted::Cancel))
}

/// A client that turns to one session.
pub struct Visit<'v> {
    /// All sessions.
    pub sessions: &'v dyn Sessions,
    /// Who it is.
    pub who: &'v Arc<Identity>,
    /// Which session.
    pub id: &'v str,
    /// Where its questions stand in line.
    pub line: Line,
    /// How it sees events.
    pub view: &'static dyn Encode,
    /// Its connection.
    pub host: &'v mut dyn Host,
}

impl Visit<'_> {
    /// Does what it wants.
    ///
    /// # Errors
    /// Why not.
    pub fn serve(&mut self, wanted: Wanted, request: &Request<'_>) -> Result<(), Refused> {
        match wanted {
            Wanted::Message => self.ask(request),
            Wanted::Say => self.say(request),
            Wanted::Join => self.join(request.snapshot == Some(true)),
            Wanted::Resume => self.resume(request.last_sequence()?),
            Wanted::Leave => self.leave(),
            Wanted::Cancel => self.cancel(),
            Wanted::Typing => self.typing(request.typing.unwrap_or(true)),
            Wanted::Read => self.post(Post::Read { position: request.sequence()? }),
            Wanted::Edit => {
                let text = request.text()?;
                let position = request.sequence()?;
                if text.is_empty() {
                    return Err(refused::empty());
                }
                self.post(Post::Edited { position, text: text.into() })
            }
            Wanted::Delete => self.post(Post::Deleted { position: request.sequence()? }),
        }
    }

    fn ask(&mut self, request: &Request<'_>) -> Result<(), Refused> {
        let text = request.text()?;
        if text.is_empty() {
            return Err(refused::empty());
        }
        let attachments = request.attachments()?;
        let question =
            Question { text: text.into(), customer: request.customer(), attachments, ..Question::default() };
        self.enter()?;
        let (turn, now) = (Turn::Behind(self.line), self.host.now());
        self.sessions.ask(self.who, Some(self.id), question, turn, now)?;
        Ok(())
    }

    fn say(&mut self, request: &Request<'_>) -> Result<(), Refused> {
        let (text, attachments) = (request.text()?.to_owned(), request.attachments()?);
        if text.is_empty() && attachments.is_empty() {
            return Err(refused::empty());
        }
        self.enter()?;
        self.sessions.post(self.who, self.id, Post::Said { text, attachments }, self.host.now())?;
        Ok(())
    }

    /// Opens the session if need be, and reads it. A session is there before its topic, so that the bounds on sessions bound
    /// topics too.
    fn enter(&mut self) -> Result<(), Refused> {
        let session = self.sessions.open(self.who, Some(self.id), None, None, self.host.now())?;
        self.read_on(&session.topic)?;
        Ok(())
    }

    fn subscribe(&mut self, topic: &str, start: Start) -> Result<Outcome, Refusal> {
        self.host.subscribe(&Subscribe {
            start,
            linger: Some(Linger::ONE_BY_ONE),
            ..Subscribe::new(topic, self.view)
        })
    }

    /// The session; for a room that nobody has opened, `None`: who may only read can wait there for others.
    fn found(&self) -> Result<Option<Session>, Refused> {
        match self.sessions.find(self.who, self.id, self.host.now()) {
            Ok(session) => Ok(Some(session)),
            Err(Fault { status: 404, .. }) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }

    fn join(&mut self, wants_snapshot: bool) -> Result<(), Refused> {
        let topic = name::topic(self.who, self.id)?;
        let mut session = self.found()?;
        if session.is_none() && (!name::is_room(self.id) || self.host.may_publish(&topic)) {
            session = Some(self.sessions.open(self.who, Some(self.id), None, None, self.host.now())?);
        }
        let (topic, offset) = self.read_on(&topic)?;
        let joined = messages::reading("joined", self.id, session.as_ref(), offset);
        self.host.send("joined", &joined);
        if wants_snapshot {
            let text = text::so_far(&topic, offset);
            self.host.send("snapshot", &messages::snapshot(self.id, text.as_deref(), offset));
        }
        Ok(())
    }

    /// Reads a topic from now on, or goes on reading it; the last event that the client has.
    fn read_on(&mut self, topic: &str) -> Result<(Arc<Topic>, u64), Refusal> {
        match self.subscribe(topic, Start::Now) {
            Ok(outcome) => Ok((outcome.topic, outcome.offset)),
            Err(Refusal::AlreadySubscribed) => {
                let mut places = self.host.places().into_iter();
                places.find(|(read, _)| **read.name() == *topic).ok_or(Refusal::AlreadySubscribed)
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn resume(&mut self, last_sequence: u64) -> Result<(), Refused> {
        let session = self.sessions.find(self.who, self.id, self.host.now())?;
        self.host.unsubscribe(&session.topic);
        let start = Start::After { epoch: None, offset: last_sequence };
        let outcome = self.subscribe(&session.topic, start)?;
        if !outcome.recovered {
            self.host.send("gap", &messages::gap(&session.topic, outcome.gap()));
        }
        let resumed = messages::reading("resumed", self.id, Some(&session), outcome.offset);
        self.host.send("resumed", &resumed);
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Refused> {
        let topic = name::topic(self.who, self.id)?;
        self.host.unsubscribe(&topic);
        self.host.send("left", &messages::of_session("left", self.id));
        Ok(())
    }

    fn cancel(&mut self) -> Result<(), Refused> {
        self.sessions.cancel(self.who, self.id, self.host.now())?;
        self.host.send("cancel_success", &messages::of_session("cancel_success", self.id));
        Ok(())
    }

    fn typing(&mut self, is_typing: bool) -> Result<(), Refused> {
        Ok(self.sessions.typing(self.who, self.id, is_typing, self.host.now())?)
    }

    fn post(&mut self, post: Post) -> Result<(), Refused> {
        let session = self.sessions.find(self.who, self.id, self.host.now())?;
        self.read_on(&session.topic)?;
        let posted = self.sessions.post(self.who, self.id, post, self.host.now());
        posted.map(drop).map_err(|fault| Refused::from(fault).within())
    }
}
