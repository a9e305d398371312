//! A worker that is connected: it is sent jobs as long as it has room for them, and says what comes of each.

use std::collections::VecDeque;
use std::sync::Arc;

use super::messages::{self, Wrong};
use super::request::{self, Request, Wish};
use super::workshop::{Named, Refused, Said, Seat, Why, Worker, Workshop};
use super::{Entrance, SILENT};
use crate::auth::AuthError;
use crate::dialect::refuse::{disconnect, unreadable};
use crate::dialect::{Dialect, Gap, Host, Message, Subscribe};
use crate::engine::{Now, Topic};
use crate::error::Disconnect;
use crate::limits::WORKER_OVER_MAX;

/// See the module.
pub struct Connection {
    workshop: Arc<dyn Workshop>,
    entrance: Entrance,
    /// Name of its credential.
    who: Box<str>,
    seat: Option<Seat>,
    /// The newest jobs of which it knows that they are its own no more, so that it is not told again for all that it says until it
    /// has heard.
    over: VecDeque<Box<str>>,
}

/// The codes of a close by which a client takes leave.
const LEAVE: [u16; 2] = [1000, 1001];

impl Connection {
    /// A worker that has come in by `entrance`.
    pub fn new(workshop: Arc<dyn Workshop>, entrance: Entrance) -> Self {
        Self { workshop, entrance, who: "".into(), seat: None, over: VecDeque::new() }
    }

    fn named<'a>(&'a self, job: &'a str) -> Named<'a> {
        Named { queue: &self.entrance.queue, who: &self.who, job }
    }

    /// Comes to the workshop, and takes up what it had.
    fn join(&mut self, host: &mut dyn Host) {
        let Entrance { queue, name, capacity, .. } = &self.entrance;
        let worker = Worker { queue, who: &self.who, name: name.as_deref(), capacity: *capacity };
        let joined = self.workshop.join(&worker, host.now());
        host.send("ready", &messages::ready(queue, *capacity, &joined));
        joined.jobs.iter().for_each(|job| host.send("job", &messages::job(job)));
        self.seat = Some(joined.seat);
        self.look(host);
    }

    /// Takes what is new for it.
    fn look(&mut self, host: &mut dyn Host) {
        let Some(seat) = self.seat else { return };
        let news = self.workshop.look(seat, host.now());
        if news.replaced {
            self.seat = None;
            return host.close(Disconnect::policy("Another connection has come under this worker's name"));
        }
        for (job, why) in news.over {
            self.tell_over(&job, why, host);
        }
        if let Some(job) = news.job {
            host.send("job", &messages::job(&job));
        }
    }

    fn tell_over(&mut self, job: &str, why: Why, host: &mut dyn Host) {
        host.send("cancel", &messages::cancel(job, why));
        self.note_over(job);
    }

    /// Whether it is new to the worker that a job is its own no more.
    fn note_over(&mut self, job: &str) -> bool {
        let is_new = !self.over.iter().any(|known| **known == *job);
        if is_new {
            self.over.truncate(WORKER_OVER_MAX - 1);
            self.over.push_front(job.into());
        }
        is_new
    }

    fn leave(&mut self, takes_leave: bool) {
        if let Some(seat) = self.seat.take() {
            self.workshop.leave(seat, takes_leave);
        }
    }

    fn serve(&mut self, request: Request, host: &mut dyn Host) -> Result<(), Wrong> {
        let job = request.job.as_deref();
        let needs_job = || Wrong::new("invalid_message", "the message needs a job_id", None);
        match request.wish {
            Wish::Say(said) => {
                let needs_n = || Wrong::new("invalid_message", "the message needs n, its number from 1", job);
                self.say(job.ok_or_else(needs_job)?, request.n.ok_or_else(needs_n)?, said, host)?;
            }
            Wish::Renew => self.renew(job, host.now())?,
            Wish::Sync => {
                let job = job.ok_or_else(needs_job)?;
                let next = self.workshop.renew(self.named(job), host.now()).ok_or_else(|| over(job))?;
                host.send("ack", &messages::ack(job, next));
            }
            Wish::Release => {
                let job = job.ok_or_else(needs_job)?;
                if !self.workshop.release(self.named(job)) {
                    return Err(over(job));
                }
            }
            Wish::Ping => host.send("pong", &messages::pong()),
            Wish::Auth(token) => host.authenticate(&token),
        }
        Ok(())
    }

    fn say(&mut self, job: &str, n: u64, said: Said, host: &mut dyn Host) -> Result<(), Wrong> {
        match self.workshop.tell(self.named(job), n, said, host.now()) {
            Ok(Some(told)) if told.is_end => {
                host.send("ack", &messages::ack(job, told.next));
                self.look(host);
                Ok(())
            }
            Ok(_) | Err(Refused::Early { is_known: true, .. }) => Ok(()),
            Err(Refused::Over) if !self.note_over(job) => Ok(()),
            Err(refused) => {
                if matches!(refused, Refused::Failed(_)) {
                    self.note_over(job);
                }
                Err(wrong(job, refused))
            }
        }
    }

    fn renew(&self, job: Option<&str>, now: Now) -> Result<(), Wrong> {
        match (job, self.seat) {
            (Some(job), _) => self.workshop.renew(self.named(job), now).map(drop).ok_or_else(|| over(job)),
            (None, Some(seat)) => {
                self.workshop.renew_all(seat, now);
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    /// Under a new credential the worker may be allowed less.
    fn may_work(&self, host: &dyn Host) -> bool {
        let topic = &self.entrance.topic;
        host.may_publish(topic) && host.identity().may(crate::auth::Action::Subscribe, topic)
    }
}

/// A job is not the worker's.
fn over(job: &str) -> Wrong {
    let why = "the job is over, was cancelled, or is another worker's now; stop working on it";
    Wrong::new("job_over", why, Some(job))
}

/// What a worker is told of something that was not taken.
pub fn wrong(job: &str, refused: Refused) -> Wrong {
    match refused {
        Refused::Over => over(job),
        Refused::Early { expected, .. } => {
            let why = format!("something is missing; go on with number {expected}");
            Wrong { expected: Some(expected), ..Wrong::new("out_of_order", why, Some(job)) }
        }
        Refused::Wait { expected, millis } => {
            let why = format!(
                "the session takes no more now; go on with number {expected} after retry_after seconds"
            );
            let wrong = Wrong::new("rate_limited", why, Some(job));
            Wrong { expected: Some(expected), retry_after_ms: Some(millis), ..wrong }
        }
        Refused::Failed(why) => Wrong::new("not_published", why, Some(job)),
    }
}

impl Dialect for Connection {
    fn opened(&mut self, host: &mut dyn Host) {
        self.who = host.identity().name.as_str().into();
        if !self.may_work(host) {
            return host.close(Disconnect::policy("Not allowed"));
        }
        match host.subscribe(&Subscribe::new(&self.entrance.topic, &SILENT)) {
            Ok(_) => self.join(host),
            Err(refusal) => host.close(unreadable(&refusal)),
        }
    }

    fn received(&mut self, message: Message<'_>, host: &mut dyn Host) {
        let Message::Text(text) = message else { return host.close(Disconnect::Binary) };
        let request = request::parse(text);
        let request = request.map_err(|wrong| Wrong::new("invalid_message", wrong.why, wrong.job.as_deref()));
        if let Err(wrong) = request.and_then(|request| self.serve(request, host)) {
            host.send("error", &wrong.message());
        }
    }

    fn noticed(&mut self, _topic: &Topic, _text: &[u8], host: &mut dyn Host) {
        self.look(host);
    }

    fn authenticated(&mut self, verdict: Result<(), AuthError>, host: &mut dyn Host) {
        if let Err(error) = verdict {
            return host.send("error", &Wrong::new(error.code(), error.to_string(), None).message());
        }
        if *self.who != *host.identity().name || !self.may_work(host) {
            return host.close(Disconnect::policy("Not allowed"));
        }
        host.send("authenticated", &messages::authenticated());
    }

    /// The job expects the same number again.
    fn limited(&mut self, message: Message<'_>, retry_after_ms: u64, host: &mut dyn Host) {
        let Message::Text(text) = message else { return host.close(Disconnect::Binary) };
        let job = request::parse(text).ok().and_then(|request| request.job);
        let expected = job.as_deref().and_then(|job| self.workshop.renew(self.named(job), host.now()));
        let why = "messages come too fast; this one was not looked at";
        let wrong = Wrong::new("rate_limited", why, job.as_deref());
        let wrong = Wrong { expected, retry_after_ms: Some(retry_after_ms), ..wrong };
        host.send("error", &wrong.message());
    }

    fn gap(&mut self, _topic: &Topic, _gap: Gap, _host: &mut dyn Host) {}

    fn closing(&mut self, why: Disconnect, _host: &mut dyn Host) {
        self.leave(matches!(why, Disconnect::Client(code) if LEAVE.contains(&code)));
    }

    fn opens_with(&self) -> Vec<String> {
        vec![self.entrance.topic.clone()]
    }
}

/// Whoever is gone without a close may come back.
impl Drop for Connection {
    fn drop(&mut self) {
        self.leave(false);
    }
}

/// How a worker is refused whose credential is no good or not enough.
pub fn refusal(error: Option<AuthError>) -> Disconnect {
    match error {
        Some(error) => disconnect(error, "Authentication required"),
        None => Disconnect::policy("Not allowed"),
    }
}
