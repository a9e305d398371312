//! One turn: a task that waits until its question is next, has it answered, and sees to its end. It ends when the turn does, at
//! the latest when its time is over; when the server ends, [`super::Desk::close`] ends it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::sink::Sink;
use super::{Failure, Finish};
use crate::auth::Identity;
use crate::dialect::sessions::step::{self, Code};
use crate::dialect::sessions::{Question, Step};
use crate::engine::Lease;

/// How often somebody looks whether anybody still reads.
const LOOK: Duration = Duration::from_secs(1);

/// A turn that was taken.
pub struct Turn {
    /// Its way to its readers.
    pub sink: Sink,
    /// Who asks.
    pub asker: Arc<Identity>,
    /// What.
    pub question: Question,
    /// What must be over before.
    pub before: Vec<watch::Receiver<bool>>,
    /// Tells those behind that it is over.
    pub over: watch::Sender<bool>,
    /// Its place among the questions of its asker.
    pub place: Option<Lease>,
}

/// Answers it.
pub async fn run(mut turn: Turn) {
    let sink = turn.sink.clone();
    let (mut cancellations, number) = (sink.talk.cancelled.subscribe(), sink.turn);
    // The sender lives in the session, so that nothing else ends this.
    let cancelled = async move { drop(cancellations.wait_for(|to| *to >= number).await) };
    let mut cancelled = std::pin::pin!(cancelled);
    let is_next = tokio::select! {
        biased;
        () = &mut cancelled => false,
        () = in_order(&mut turn.before) => true,
    };
    if is_next && sink.core.begin(&turn) {
        let answered = tokio::select! {
            biased;
            () = &mut cancelled => None,
            answered = answer(&turn) => Some(answered),
        };
        sink.core.end(&sink.talk, number, answered);
        until_done(|| sink.core.settle(&sink.talk, number)).await;
    } else {
        until_done(|| sink.core.dismiss(&turn)).await;
    }
    // Whoever is told that it is over finds the place free.
    drop(turn.place.take());
    turn.over.send_replace(true);
}

/// Tries again and again what says after how many milliseconds it can be tried again.
async fn until_done(attempt: impl Fn() -> Option<u64>) {
    while let Some(millis) = attempt() {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

async fn in_order(before: &mut [watch::Receiver<bool>]) {
    for one in before {
        // One whose task is gone is over too.
        drop(one.wait_for(|over| *over).await);
    }
}

/// Has the question answered, by whoever it is for, in the time there is.
async fn answer(turn: &Turn) -> Result<Finish, Failure> {
    let (sink, core) = (&turn.sink, &turn.sink.core);
    let Question { text, attachments, .. } = &turn.question;
    sink.begin(&step::starting(sink.turn, text, attachments, &turn.asker)).await?;
    sink.say(Step::Progress("agent_routing".into(), "Routing to the right expert...".into())).await?;
    let job = core.job(turn);
    core.tell(&sink.talk, "session.started", (&turn.asker, &job.agent_name), (sink.turn, "running"), b"");
    tokio::select! {
        biased;
        answered = job.agent.responder.answer(&job, sink) => answered,
        () = tokio::time::sleep(core.settings.answer) => {
            Err(Failure::new(Code::Timeout, format!("there was no answer within {:?}", core.settings.answer)))
        }
        () = unwatched(sink) => {
            Err(Failure::new(Code::Timeout, format!("nobody has watched for {:?}", core.settings.unwatched)))
        }
    }
}

/// Comes when nobody has read the session for as long as it goes on without readers.
async fn unwatched(sink: &Sink) {
    let mut alone_since = None;
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let now_ms = sink.core.now().millis();
        let since = *alone_since.get_or_insert(now_ms);
        match sink.core.is_read(&sink.talk) {
            true => alone_since = None,
            false if now_ms - since >= sink.core.settings.unwatched.as_millis() as u64 => return,
            false => {}
        }
    }
}
