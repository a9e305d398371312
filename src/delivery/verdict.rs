//! Tokens that clients send on an open connection: asked about, and answered at once or by letter. What the client sends
//! meanwhile waits, so that a request behind an `auth` message is judged by what that led to.

use std::sync::Arc;

use super::mailbox::{Letter, Mailbox, Question};
use super::net::Net;
use super::shard::Shard;
use crate::auth::{AuthError, Verdict};

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
            let verdict = verdict.map(|identity| conn.identity = identity);
            self.reschedule(id);
            self.ask(id, |dialect, host| dialect.authenticated(verdict, host));
        }
        self.release(id);
        self.make_ready(id);
    }
}
