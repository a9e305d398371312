//! One question on its way through workers: whose it is, for how long, and which number is next. Told the time, never asks for it.

use crate::dialect::sessions::Step;
use crate::dialect::work::{Refused, Said, Told};
use crate::respond::sink::Held;
use crate::respond::{Failure, Finish};

/// How it stands with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits for a worker since that moment, monotonic milliseconds.
    Waiting(u64),
    /// It is a worker's up to that moment.
    Leased(u64),
    /// Its worker is gone, or has given it back.
    Lost {
        /// Whether it was given back.
        given_back: bool,
    },
    /// There is an answer, or will be none.
    Over,
}

/// What is to be done about a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing for so many milliseconds.
    Wait(u64),
    /// It has waited for a worker for too long.
    Unwanted,
    /// It is to be tried again, or given up.
    Lost {
        /// Whether its worker has given it back.
        given_back: bool,
    },
    /// It is over.
    Over,
}

/// See the module.
#[derive(Debug)]
pub struct Task {
    /// How it stands.
    pub stage: Stage,
    /// How often it was given to a worker.
    pub attempt: u32,
    /// The number that is next in this attempt.
    pub next: u64,
    /// Whether this attempt has said anything to readers.
    pub has_spoken: bool,
    /// How it ended, until somebody has asked.
    pub end: Option<Result<Finish, Failure>>,
    /// Whether its worker knows which number is next, since it was refused another one.
    is_told: bool,
}

impl Task {
    /// A question that waits since `now_ms`.
    pub fn new(now_ms: u64) -> Self {
        let stage = Stage::Waiting(now_ms);
        Self { stage, attempt: 0, next: 1, has_spoken: false, end: None, is_told: false }
    }

    /// It is a worker's until `until_ms`; `false` if it does not wait for one.
    pub fn lease(&mut self, until_ms: u64) -> bool {
        let waits = matches!(self.stage, Stage::Waiting(_));
        if waits {
            *self = Self { stage: Stage::Leased(until_ms), attempt: self.attempt + 1, ..Self::new(0) };
        }
        waits
    }

    /// Its worker has given a sign of life; `false` if `attempt` is not the one that is under way.
    pub fn renew(&mut self, attempt: u32, until_ms: u64) -> bool {
        let is_its_own = self.attempt == attempt && matches!(self.stage, Stage::Leased(_));
        if is_its_own {
            self.stage = Stage::Leased(until_ms);
        }
        is_its_own
    }

    /// Its worker has come again, and is told everything anew.
    pub fn resume(&mut self, until_ms: u64) -> bool {
        self.is_told = false;
        self.renew(self.attempt, until_ms)
    }

    /// What is to be done at `now_ms`; a question may wait for a worker for `wait_ms`.
    pub fn look(&mut self, now_ms: u64, wait_ms: u64) -> Next {
        match self.stage {
            Stage::Waiting(since) if now_ms >= since + wait_ms => Next::Unwanted,
            Stage::Waiting(since) => Next::Wait(since + wait_ms - now_ms),
            Stage::Leased(until) if now_ms >= until => {
                self.stage = Stage::Lost { given_back: false };
                Next::Lost { given_back: false }
            }
            Stage::Leased(until) => Next::Wait(until - now_ms),
            Stage::Lost { given_back } => Next::Lost { given_back },
            Stage::Over => Next::Over,
        }
    }

    /// Its worker gives it back; `false` if `attempt` is not the one that is under way.
    pub fn give_back(&mut self, attempt: u32) -> bool {
        let is_its_own = self.attempt == attempt && matches!(self.stage, Stage::Leased(_));
        if is_its_own {
            self.stage = Stage::Lost { given_back: true };
        }
        is_its_own
    }

    /// It waits again; `false` if it is not lost.
    pub fn again(&mut self, now_ms: u64) -> bool {
        let is_lost = matches!(self.stage, Stage::Lost { .. });
        if is_lost {
            self.stage = Stage::Waiting(now_ms);
        }
        is_lost
    }

    /// Its worker says something under number `n`, which `publish` publishes. `None` for what was said before.
    ///
    /// # Errors
    /// Why that was not taken.
    pub fn tell(
        &mut self,
        n: u64,
        said: Said,
        publish: impl FnOnce(&Step) -> Result<(), Held>,
    ) -> Result<Option<Told>, Refused> {
        let expected = self.next;
        if n < expected {
            return Ok(None);
        }
        if n > expected {
            let is_known = std::mem::replace(&mut self.is_told, true);
            return Err(Refused::Early { expected, is_known });
        }
        if let Said::Step(step) = &said {
            publish(step).map_err(|held| self.held(held))?;
            self.has_spoken = true;
        }
        (self.next, self.is_told) = (n + 1, false);
        let is_end = self.finish(said);
        Ok(Some(Told { next: self.next, is_end }))
    }

    /// Ends it, if that is what was said.
    fn finish(&mut self, said: Said) -> bool {
        let end = match said {
            Said::Step(_) => return false,
            Said::Done { confidence, sources, agent } => Ok(Finish { confidence, sources, agent }),
            Said::Fail { code, message, retry_after_ms } => Err(Failure { code, message, retry_after_ms }),
        };
        (self.stage, self.end) = (Stage::Over, Some(end));
        true
    }

    fn held(&mut self, held: Held) -> Refused {
        match held {
            Held::Wait(millis) => {
                self.is_told = true;
                Refused::Wait { expected: self.next, millis }
            }
            Held::Over => {
                self.stage = Stage::Over;
                Refused::Over
            }
            Held::Failed(failure) => {
                let why = failure.message.clone();
                (self.stage, self.end) = (Stage::Over, Some(Err(failure)));
                Refused::Failed(why)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::sessions::step::Code;

    fn text(content: &str) -> Said {
        Said::Step(Step::Text(content.into()))
    }

    fn done() -> Said {
        Said::Done { confidence: None, sources: Vec::new(), agent: None }
    }

    fn leased() -> Task {
        let mut task = Task::new(0);
        assert!(task.lease(30));
        task
    }

    /// Says something that the session takes.
    fn says(task: &mut Task, n: u64, said: Said) -> Result<Option<u64>, Refused> {
        task.tell(n, said, |_| Ok(())).map(|told| told.map(|told| told.next))
    }

    #[test]
    fn numbers_are_taken_once_and_in_order() {
        let mut task = leased();
        assert_eq!(says(&mut task, 1, text("a")), Ok(Some(2)));
        assert_eq!(says(&mut task, 1, text("a")), Ok(None));
        assert_eq!(says(&mut task, 3, text("c")), Err(Refused::Early { expected: 2, is_known: false }));
        assert_eq!(says(&mut task, 4, text("d")), Err(Refused::Early { expected: 2, is_known: true }));
        assert_eq!(says(&mut task, 2, text("b")), Ok(Some(3)));
        assert_eq!(says(&mut task, 5, text("e")), Err(Refused::Early { expected: 3, is_known: false }));
        assert_eq!(says(&mut task, 3, done()), Ok(Some(4)));
        assert_eq!((task.stage, task.end), (Stage::Over, Some(Ok(Finish::default()))));
    }

    #[test]
    fn what_the_session_does_not_take_now_is_taken_later() {
        let mut task = leased();
        let refused = task.tell(1, text("a"), |_| Err(Held::Wait(40)));
        assert_eq!(refused, Err(Refused::Wait { expected: 1, millis: 40 }));
        assert!(!task.has_spoken);
        // What was on the way is passed over without another word.
        assert_eq!(says(&mut task, 2, text("b")), Err(Refused::Early { expected: 1, is_known: true }));
        assert_eq!(says(&mut task, 1, text("a")), Ok(Some(2)));
    }

    #[test]
    fn an_answer_that_cannot_be_published_ends_the_job() {
        let failure = Failure::new(Code::Failed, "too long");
        let (mut task, given) = (leased(), failure.clone());
        let refused = task.tell(1, text("a"), |_| Err(Held::Failed(given)));
        assert_eq!(refused, Err(Refused::Failed("too long".into())));
        assert_eq!((task.stage, task.end), (Stage::Over, Some(Err(failure))));
        let mut task = leased();
        assert_eq!(task.tell(1, text("a"), |_| Err(Held::Over)), Err(Refused::Over));
        assert_eq!(task.look(0, 10), Next::Over);
    }

    #[test]
    fn a_lease_ends_without_signs_of_life() {
        let mut task = leased();
        assert_eq!(task.look(29, 100), Next::Wait(1));
        assert!(task.renew(1, 60));
        assert_eq!(task.look(30, 100), Next::Wait(30));
        assert_eq!(task.look(60, 100), Next::Lost { given_back: false });
        assert!(!task.renew(1, 90), "too late");
        assert!(task.again(61) && !task.again(61));
        assert!(task.lease(100) && task.attempt == 2 && task.next == 1);
        assert!(!task.renew(1, 200) && task.renew(2, 200));
        assert!(!task.give_back(1) && task.give_back(2) && !task.give_back(2));
        assert_eq!(task.look(70, 100), Next::Lost { given_back: true });
    }

    #[test]
    fn nobody_comes() {
        let mut task = Task::new(1000);
        assert_eq!(task.look(1099, 100), Next::Wait(1));
        assert_eq!(task.look(1100, 100), Next::Unwanted);
    }
}
