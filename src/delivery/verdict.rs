//! Tokens that clients send on an open connection: asked about, and answered at once or by letter. What the client sends
//! meanwhile waits, so that a request behind an `auth` message is judged by what that led to.

use std::sync::Arc;

use super::mailbox::{Letter, Mailbox, Question};
use super::net::Net;
use super::shard::Shard;
use crate::auth::{Action, AuthError, Identity, Subject, Verdict};
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

/// Who waits for a verdict. It gets one in any case: who was asked may fail, and drop this.
struct Asker {
    mailbox: Arc<Mailbox>,
    question: Question,
    answered: bool,
}

impl Asker {
    fn tell(&mut self, verdict: Verdict) {
        self.answered = true;
        self.mailbox.post(Letter::Verdict(self.question, verdict));
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        if !self.answered {
            self.tell(Err(AuthError::Unavailable));
        }
    }
}

impl<N: Net> Shard<N> {
    /// Asks who presents `token`.
    pub(super) fn authenticate(&mut self, id: u32, token: &str) {
        let question = self.question(id);
        let mut asker = Asker { mailbox: Arc::clone(&self.mailbox), question, answered: false };
        let later = Box::new(move |verdict| asker.tell(verdict));
        let known = self.shared.authenticator.authenticate(token, self.now.unix_ms, later);
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

    /// The answer to a question, if who asked it is still there and has not been answered.
    pub(super) fn verdict(&mut self, question: Question, verdict: Verdict) {
        let id = question.conn;
        let waits = |conn: &&mut super::conn::Conn<N::Socket>| conn.asked == question.number;
        let Some(conn) = self.conns.get_mut(id as usize).filter(waits) else { return };
        conn.asked = 0;
        if !conn.flags.closing && !conn.flags.doomed {
            let verdict = verdict.and_then(|identity| self.become_identity(id, identity));
            self.reschedule(id);
            self.ask(id, |dialect, host| dialect.authenticated(verdict, host));
        }
        self.release(id);
        self.make_ready(id);
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
