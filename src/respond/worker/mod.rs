//! Workers: processes of the user's own that answer questions. A question waits in the [`Workshop`] until a worker takes it, and is
//! that worker's as long as it gives signs of life. What it says goes straight to the readers, from the thread that has read it: nobody
//! is woken for a token. Only when a worker is lost, or has come to the end, the task of the turn goes on.

mod shop;
mod task;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::Notify;

use self::shop::{Census, Shop};
use self::task::{Next, Task};
use super::sink::Sink;
use super::{Answering, Failure, Finish, Job, Responder};
use crate::dialect::sessions::Step;
use crate::dialect::sessions::step::Code;
use crate::dialect::work::messages::{Brief, brief};
use crate::dialect::work::{self, Joined, Named, News, Refused, Said, Seat, Told, Why, topic};
use crate::engine::{Now, Registry};
use crate::limits::RETRY_AFTER_SECONDS;
use crate::metrics::WorkMetrics;
use crate::sync::{Mutex, MutexGuard, lock};

/// Bounds of work.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Time for which a job is a worker's from its last sign of life on.
    pub lease: Duration,
    /// Whether a job whose worker is lost is given to another one.
    pub retries: bool,
    /// Workers that a question is given to in turn.
    pub attempts: usize,
    /// Questions of a queue that wait.
    pub queue_jobs: usize,
    /// Time for which a question waits.
    pub wait: Duration,
}

type Piece = shop::Piece<Sink>;

/// Random bytes of an id.
const ID_BYTES: usize = 16;

/// See the module.
pub struct Workshop {
    settings: Settings,
    registry: OnceLock<Arc<Registry>>,
    metrics: Arc<WorkMetrics>,
    shop: Mutex<Shop<Sink>>,
}

fn millis(time: Duration) -> u64 {
    time.as_millis() as u64
}

impl Workshop {
    /// A workshop in which nothing waits.
    pub fn new(settings: Settings) -> Self {
        let shop = Mutex::new(Shop::new(millis(settings.lease)));
        Self { settings, registry: OnceLock::new(), metrics: Arc::default(), shop }
    }

    /// Gives notice by the topics of `registry` from now on.
    pub fn notify_through(&self, registry: Arc<Registry>) {
        // A second one would be a mistake of the composition root, and change nothing.
        let _second = self.registry.set(registry);
    }

    /// Those who take jobs from `queue`.
    pub fn queue(self: &Arc<Self>, queue: &str) -> Workers {
        Workers { workshop: Arc::clone(self), queue: queue.into() }
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<WorkMetrics> {
        &self.metrics
    }

    /// Ends the use of the shop: what has changed shows in the figures, and whoever may have something to do is told.
    fn close(&self, shop: MutexGuard<'_, Shop<Sink>>, queue: &str, is_news: bool) {
        let Census { waiting, leased, connected } = shop.census();
        self.metrics.waiting.set(waiting as u64);
        self.metrics.leased.set(leased as u64);
        self.metrics.connected.set(connected as u64);
        let is_news = is_news || shop.has_work(queue);
        drop(shop);
        let found = self.registry.get().filter(|_| is_news).and_then(|all| all.find(&topic(queue)));
        found.into_iter().for_each(|topic| topic.notify(Vec::new()));
    }

    /// Puts a question into a queue.
    fn enter(&self, queue: &Arc<str>, job: &Job, sink: &Sink) -> Result<Arc<Piece>, Failure> {
        let history: Vec<_> = job.history.iter().map(|e| (&*e.question, &*e.answer)).collect();
        let brief = brief(&Brief {
            session: &job.session,
            turn: job.turn,
            agent: &job.agent_name,
            question: &job.question,
            context: job.context.as_deref(),
            history: &history,
            asker: &job.asker,
        });
        let now_ms = sink.core.now().millis();
        let piece = Arc::new(Piece {
            id: new_id()?.into(),
            queue: Arc::clone(queue),
            brief: brief.into(),
            deadline_ms: job.deadline_ms,
            sink: sink.clone(),
            bell: Notify::new(),
            task: Mutex::new(Task::new(now_ms)),
        });
        let mut shop = lock(&self.shop);
        if shop.waiting(queue) >= self.settings.queue_jobs {
            self.metrics.failed.add(1);
            return Err(full());
        }
        shop.push(Arc::clone(&piece), false);
        self.close(shop, queue, true);
        Ok(piece)
    }

    /// Takes a question out, wherever it is; its worker is told, if it does not know.
    fn withdraw(&self, piece: &Piece, why: Option<Why>) {
        let mut shop = lock(&self.shop);
        let was_leased = shop.remove(piece, why);
        self.close(shop, &piece.queue, was_leased && why.is_some());
    }

    /// Waits until a question is over, and has it tried again as often as that may be.
    async fn see_to(&self, piece: &Arc<Piece>) -> Result<Finish, Failure> {
        loop {
            let now_ms = piece.sink.core.now().millis();
            let next = lock(&piece.task).look(now_ms, millis(self.settings.wait));
            match next {
                // Whichever comes first: then it is looked at again.
                Next::Wait(millis) => {
                    drop(tokio::time::timeout(Duration::from_millis(millis), piece.bell.notified()).await)
                }
                Next::Lost { given_back } => self.again(piece, given_back).await?,
                Next::Unwanted => return Err(self.unwanted(piece)),
                Next::Over => return self.end(piece),
            }
        }
    }

    fn end(&self, piece: &Piece) -> Result<Finish, Failure> {
        let end = lock(&piece.task).end.take();
        let end = end.unwrap_or_else(|| Err(Failure::new(Code::ConnectionLost, "the turn is over")));
        match end {
            Ok(_) => self.metrics.answered.add(1),
            Err(_) => self.metrics.failed.add(1),
        }
        end
    }

    fn unwanted(&self, piece: &Piece) -> Failure {
        self.metrics.failed.add(1);
        let seconds = self.settings.wait.as_secs();
        tracing::warn!(queue = %piece.queue, seconds, "no worker has taken a question in time; are workers connected?");
        Failure::new(Code::Timeout, format!("no worker has taken the question within {seconds} s"))
    }

    /// Has a question tried again, if it may be: readers are told that the answer begins anew.
    async fn again(&self, piece: &Arc<Piece>, given_back: bool) -> Result<(), Failure> {
        let (attempt, has_spoken) = {
            let task = lock(&piece.task);
            (task.attempt, task.has_spoken)
        };
        self.withdraw(piece, (!given_back).then_some(Why::Lapsed));
        if !given_back {
            self.metrics.lost.add(1);
            tracing::warn!(queue = %piece.queue, job = %piece.id, attempt, "a worker has given no sign of life in time");
        }
        if !(given_back || self.settings.retries) {
            return Err(self.given_up("the worker that answered was lost"));
        }
        if attempt as usize >= self.settings.attempts {
            return Err(self.given_up(&format!("{attempt} workers in turn were lost while they answered")));
        }
        if has_spoken {
            let message = "The process that answered was lost. Starting over...";
            piece.sink.begin_anew(Step::Progress("restarted".into(), message.into())).await?;
        }
        let now_ms = piece.sink.core.now().millis();
        let mut shop = lock(&self.shop);
        if lock(&piece.task).again(now_ms) {
            self.metrics.retried.add(1);
            shop.push(Arc::clone(piece), true);
        }
        self.close(shop, &piece.queue, true);
        Ok(())
    }

    fn given_up(&self, why: &str) -> Failure {
        self.metrics.failed.add(1);
        Failure::new(Code::ConnectionLost, why)
    }

    /// The question of a job that is under way, and which attempt at it is meant.
    fn find(&self, named: Named<'_>) -> Option<(Arc<Piece>, u32)> {
        let (id, attempt) = named.job.rsplit_once('.')?;
        let piece = lock(&self.shop).find(named.queue, named.who, id)?;
        Some((piece, attempt.parse().ok()?))
    }

    fn until_ms(&self, now: Now) -> u64 {
        now.millis() + millis(self.settings.lease)
    }

    /// Gives back what a worker had.
    fn give_back(&self, piece: &Piece, attempt: u32) -> bool {
        let is_given = lock(&piece.task).give_back(attempt);
        if is_given {
            self.withdraw(piece, None);
            piece.bell.notify_one();
        }
        is_given
    }
}

fn full() -> Failure {
    let failure = Failure::new(Code::RateLimited, "too many questions wait to be answered; ask again later");
    Failure { retry_after_ms: Some(RETRY_AFTER_SECONDS * 1000), ..failure }
}

/// An id that nobody can guess.
fn new_id() -> Result<String, Failure> {
    let mut bytes = [0; ID_BYTES];
    let failed = |_| Failure::new(Code::Failed, "the system gives no random numbers");
    rand::fill(&mut bytes).map_err(failed)?;
    Ok(format!("job_{}", URL_SAFE_NO_PAD.encode(bytes)))
}

impl work::Workshop for Workshop {
    fn join(&self, worker: &work::Worker<'_>, now: Now) -> Joined {
        let mut shop = lock(&self.shop);
        let (seat, name) = shop.join(worker);
        let jobs = shop.resume(seat.worker, now.millis());
        // Whichever connection it had before learns that it is that no more.
        self.close(shop, worker.queue, true);
        Joined { seat, name, jobs }
    }

    fn look(&self, seat: Seat, now: Now) -> News {
        let mut shop = lock(&self.shop);
        let news = shop.look(seat, now.millis());
        if let Some(queue) = shop.queue_of(seat).filter(|_| news.job.is_some()) {
            self.close(shop, &queue, false);
        }
        news
    }

    fn leave(&self, seat: Seat, takes_leave: bool) {
        let mut shop = lock(&self.shop);
        let (held, queue) = (shop.held_by(seat), shop.queue_of(seat));
        shop.leave(seat);
        self.close(shop, &queue.unwrap_or_default(), false);
        for (piece, attempt) in held.iter().filter(|_| takes_leave) {
            self.give_back(piece, *attempt);
        }
    }

    fn take(&self, worker: &work::Worker<'_>, now: Now) -> Option<work::Job> {
        let mut shop = lock(&self.shop);
        let job = shop.take(worker, now.millis());
        if job.is_some() {
            self.close(shop, worker.queue, false);
        }
        job
    }

    fn tell(&self, named: Named<'_>, n: u64, said: Said, now: Now) -> Result<Option<Told>, Refused> {
        let (piece, attempt) = self.find(named).ok_or(Refused::Over)?;
        let mut task = lock(&piece.task);
        if !task.renew(attempt, self.until_ms(now)) {
            return Err(Refused::Over);
        }
        let told = task.tell(n, said, |step| piece.sink.put(step));
        let is_over = task.stage == task::Stage::Over;
        drop(task);
        if let Ok(None) = told {
            self.metrics.repeated.add(1);
        }
        if is_over {
            self.withdraw(&piece, None);
            piece.bell.notify_one();
        }
        told
    }

    fn renew(&self, named: Named<'_>, now: Now) -> Option<u64> {
        let (piece, attempt) = self.find(named)?;
        let mut task = lock(&piece.task);
        task.renew(attempt, self.until_ms(now)).then_some(task.next)
    }

    fn renew_all(&self, seat: Seat, now: Now) {
        let held = lock(&self.shop).held_by(seat);
        for (piece, attempt) in held {
            lock(&piece.task).renew(attempt, self.until_ms(now));
        }
    }

    fn release(&self, named: Named<'_>) -> bool {
        self.find(named).is_some_and(|(piece, attempt)| self.give_back(&piece, attempt))
    }
}

/// Answers by whoever takes jobs from one queue.
pub struct Workers {
    workshop: Arc<Workshop>,
    queue: Arc<str>,
}

/// Takes a question out whose turn is over, whoever has ended it.
struct Entered<'w>(&'w Workshop, Arc<Piece>);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        lock(&self.1.task).stage = task::Stage::Over;
        self.0.withdraw(&self.1, Some(Why::Cancelled));
    }
}

impl Responder for Workers {
    fn kind(&self) -> &'static str {
        "worker"
    }

    fn answer<'a>(&'a self, job: &'a Job, sink: &'a Sink) -> Answering<'a> {
        Box::pin(async move {
            let piece = self.workshop.enter(&self.queue, job, sink)?;
            let entered = Entered(&self.workshop, piece);
            self.workshop.see_to(&entered.1).await
        })
    }
}
