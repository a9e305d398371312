//! What somebody else must be asked about an open connection: tokens that the client sends, and topics that it wants to read.
//! Answered at once or by letter. What the client sends meanwhile waits, so that a request behind an `auth` message is judged by
//! what that led to, and requests keep their order.

use std::sync::Arc;

use super::conn::{Conn, Held};
use super::mailbox::{Letter, Mailbox, Question};
use super::net::Net;
use super::shard::Shard;
use crate::auth::{Action, AuthError, Identity, Permits, Subject, Verdict};
use crate::config::Pattern;
use crate::dialect::Message;
use crate::engine::{Counts, Lease};
use crate::error::Disconnect;
use crate::metrics::{Limit, LimitMetrics};

/// A place among the streams of a user, who may have `limit` of them (0 for any number). `None` where none is needed.
///
/// # Errors
/// There is none.
pub fn seat(
    counts: &Counts,
    limits: &LimitMetrics,
    identity: &Identity,
    limit: usize,
) -> Result<Option<Lease>, AuthError> {
    if limit == 0 || identity.name.is_empty() {
        return Ok(None);
    }
    let lease = counts.take(&format!("user:{}", identity.name), limit);
    if lease.is_none() {
        limits.of(Limit::ConnectionsPerUser).add(1);
    }
    lease.map(Some).ok_or(AuthError::Crowded)
}

/// Who waits for an answer. It gets one in any case: who was asked may fail, and drop this.
struct Asker {
    mailbox: Arc<Mailbox>,
    otherwise: Option<Letter>,
}

impl Asker {
    fn tell(&mut self, answer: Letter) {
        self.otherwise = None;
        self.mailbox.post(answer);
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.otherwise.take().into_iter().for_each(|refusal| self.mailbox.post(refusal));
    }
}

impl<N: Net> Shard<N> {
    /// Asks who presents `token`.
    pub(super) fn authenticate(&mut self, id: u32, token: &str) {
        let question = self.question(id);
        let refused = Letter::Verdict(question, Err(AuthError::Unavailable));
        let mut asker = Asker { mailbox: Arc::clone(&self.mailbox), otherwise: Some(refused) };
        let later = Box::new(move |verdict| asker.tell(Letter::Verdict(question, verdict)));
        let caller = self.conns[id as usize].caller.as_ref();
        let known = self.shared.authenticator.authenticate(token, caller, self.now.unix_ms, later);
        if let Some(verdict) = known {
            // Whoever knew it at once has dropped the asker: that question no longer counts.
            let question = self.question(id);
            self.mailbox.post(Letter::Verdict(question, verdict));
        }
    }

    /// From now on the input of a connection waits for the answer to this.
    fn question(&mut self, id: u32) -> Question {
        self.next_question = self.next_question.wrapping_add(1).max(1);
        self.conns[id as usize].asked = self.next_question;
        Question { conn: id, number: self.next_question }
    }

    /// Whose input has waited for the answer to a question, if that is still there and has not been answered.
    fn answered(&mut self, question: Question) -> Option<u32> {
        let waits = |conn: &&mut Conn<N::Socket>| conn.asked == question.number;
        self.conns.get_mut(question.conn as usize).filter(waits)?.asked = 0;
        Some(question.conn)
    }

    /// Whether a connection still has a use for an answer.
    fn is_open(&self, id: u32) -> bool {
        let flags = &self.conns[id as usize].flags;
        !flags.closing && !flags.doomed
    }

    /// The answer to a question.
    pub(super) fn verdict(&mut self, question: Question, verdict: Verdict) {
        let Some(id) = self.answered(question) else { return };
        if self.is_open(id) {
            let verdict = verdict.and_then(|identity| {
                let became = self.become_identity(id, identity);
                became.inspect_err(|error| self.shared.authenticator.refused(*error))
            });
            self.reschedule(id);
            self.ask(id, |dialect, host| dialect.authenticated(verdict, host));
        }
        self.release(id);
        self.make_ready(id);
    }

    /// Gives a message to the dialect, once it is known which of the topics that it asks for may be read.
    pub(super) fn hand_on(&mut self, id: u32, message: Message<'_>) {
        let dialect = self.conns[id as usize].dialect.as_deref();
        let asks = self.shared.authenticator.asks_about_topics();
        let topics = dialect.filter(|_| asks).map(|dialect| dialect.asks_for(message)).unwrap_or_default();
        if topics.is_empty() {
            return self.ask(id, |dialect, host| dialect.received(message, host));
        }
        let question = self.question(id);
        let refused = Letter::Permits(question, Permits::new());
        let mut asker = Asker { mailbox: Arc::clone(&self.mailbox), otherwise: Some(refused) };
        let later = Box::new(move |permits| asker.tell(Letter::Permits(question, permits)));
        let conn = &mut self.conns[id as usize];
        let authenticator = &self.shared.authenticator;
        let known = authenticator.permits(&conn.identity, conn.caller.as_ref(), topics, later);
        match known {
            Some(permits) => {
                conn.asked = 0;
                self.hand_on_with(id, message, permits);
            }
            None => conn.waiting.get_or_insert_default().message = Some(Held::from(message)),
        }
    }

    fn hand_on_with(&mut self, id: u32, message: Message<'_>, permits: Permits) {
        self.permits = permits;
        self.ask(id, |dialect, host| dialect.received(message, host));
        self.permits.clear();
    }

    /// The answer to a question about topics: the message that waits for it goes on.
    pub(super) fn permitted(&mut self, question: Question, permits: Permits) {
        let Some(id) = self.answered(question) else { return };
        let conn = &mut self.conns[id as usize];
        let held = conn.waiting.as_mut().and_then(|waiting| waiting.message.take());
        if let Some(held) = held.filter(|_| !conn.flags.closing && !conn.flags.doomed) {
            self.hand_on_with(id, held.message(), permits);
        }
        self.release(id);
        self.make_ready(id);
    }

    /// Whether somebody else lets a connection read `topic`: by itself, or as one that a pattern matches which it watches.
    pub(super) fn is_permitted(&self, id: u32, topic: &str) -> bool {
        if !self.shared.authenticator.asks_about_topics() {
            return true;
        }
        if let Some((_, allowed)) = self.permits.iter().find(|(name, _)| name == topic) {
            return *allowed;
        }
        let covers = |pattern: &str| Pattern::new(pattern).is_ok_and(|pattern| pattern.covers(topic));
        let mut watches = self.conns[id as usize].subs.watches().iter();
        watches.any(|watch| self.watches.get(watch).is_some_and(|found| covers(&found.pattern)))
    }

    /// A connection that reads something stays the same user's, and is never left reading what its credential does not allow.
    fn become_identity(&mut self, id: u32, identity: Arc<Identity>) -> Result<(), AuthError> {
        let conn = &self.conns[id as usize];
        if self.shared.authenticator.is_revoked(&identity, self.now.unix_ms) {
            return Err(AuthError::Revoked);
        }
        let topics = conn.subs.refs().iter().map(|at| &**self.topic_of(*at).name());
        let patterns =
            conn.subs.watches().iter().filter_map(|watch| Some(&*self.watches.get(watch)?.pattern));
        let mut reads = topics.chain(patterns).peekable();
        let same_user = reads.peek().is_none() || conn.identity.name == identity.name;
        if !same_user || !reads.all(|topic| identity.may(Action::Subscribe, topic)) {
            return Err(AuthError::Insufficient);
        }
        drop(reads);
        self.seat_user(id, identity)
    }

    /// Whether the credential of a connection was taken back on its way here.
    pub(super) fn is_revoked(&self, id: u32) -> bool {
        self.shared.authenticator.is_revoked(&self.conns[id as usize].identity, self.now.unix_ms)
    }

    /// Closes the connections that `subject` covers.
    pub(super) fn revoked(&mut self, subject: &Subject) {
        let covered = self.conns.iter().filter(|(_, conn)| subject.covers(&conn.identity));
        let covered: Vec<_> = covered.map(|(id, _)| id as u32).collect();
        covered.into_iter().for_each(|id| self.close(id, Disconnect::Revoked));
    }

    /// The client is `identity` from now on, and has a place among the streams of that user.
    fn seat_user(&mut self, id: u32, identity: Arc<Identity>) -> Result<(), AuthError> {
        let conn = &mut self.conns[id as usize];
        let seated = conn.leases.user.is_some() && conn.identity.name == identity.name;
        if !seated {
            let limit = self.shared.settings.streams_per_user;
            conn.leases.user = seat(&self.shared.counts, &self.shared.limits, &identity, limit)?;
        }
        conn.identity = identity;
        Ok(())
    }
}
