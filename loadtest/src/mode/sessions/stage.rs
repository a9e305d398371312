//! Workers and readers in one epoll loop, and the rounds they are taken through.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::books::{Books, Place, token};
use super::crew::Crew;
use super::link::Link;
use crate::floor::FAULTY_OFFSET;
use crate::stats::Latencies;
use crate::sys::{self, Epoll, READ, Ready};
use crate::target::Target;
use crate::wire::Transport;

const SCRATCH: usize = 256 << 10;
/// When nothing comes for so long that should, it never will.
const STALLED_NS: u64 = 5_000_000_000;

/// How much is said and read.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Sessions.
    pub sessions: usize,
    /// Readers of each.
    pub readers: usize,
    /// Tokens of each answer.
    pub tokens: u64,
    /// Tokens a second, of each session.
    pub rate: f64,
}

/// What a round measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Round {
    /// Seconds from the first token to the last end.
    pub seconds: f64,
    /// CPU of the server in that time, in microseconds.
    pub cpu_us: Option<f64>,
    /// Tokens read.
    pub deliveries: u64,
    /// Messages read.
    pub messages: u64,
    /// Bytes read.
    pub bytes: u64,
}

struct Reader {
    /// Until the server closes it.
    link: Option<Link>,
    place: Place,
}

/// All that takes part, apart from the server.
pub struct Stage {
    /// What was read.
    pub books: Books,
    /// How much later than planned tokens were said.
    pub late: Latencies,
    size: Size,
    crew: Crew,
    readers: Vec<Reader>,
    said: u64,
    bytes: u64,
    pid: Option<i32>,
    epoll: Epoll,
    ready: Ready,
    scratch: Vec<u8>,
    start: Instant,
}

impl Stage {
    /// Connects workers and readers. The first reader of each session is one that can ask; every second one reads SSE.
    pub fn open(target: &Target, size: Size, workers: usize, token: Option<&str>) -> Result<Self> {
        let mut stage = Self {
            books: Books::new()?,
            late: Latencies::new()?,
            size,
            crew: Crew::open(target, workers, size.sessions, token)?,
            readers: Vec::new(),
            said: 0,
            bytes: 0,
            pid: target.pid,
            epoll: Epoll::new()?,
            ready: Ready::with_capacity(1024),
            scratch: vec![0; SCRATCH],
            start: Instant::now(),
        };
        for (i, link) in stage.crew.links.iter().enumerate() {
            stage.epoll.add(&link.sock, i as u64, READ)?;
        }
        for reader in 0..size.readers {
            (0..size.sessions).try_for_each(|session| stage.add(target, session, reader, token))?;
            let joined = (reader / 2 + 1) * size.sessions;
            stage.wait("readers could not join", |stage| stage.books.joined == joined)?;
        }
        Ok(stage)
    }

    fn add(&mut self, target: &Target, session: usize, reader: usize, token: Option<&str>) -> Result<()> {
        let link = match reader % 2 {
            0 => {
                let mut link = Link::open(target.addr, Transport::Ws, "/ws/chat?partial=0", token)?;
                link.say(&format!("{{\"type\":\"join\",\"session_id\":\"s{session}\"}}"));
                link.flush()?;
                link
            }
            _ => Link::open(target.addr, Transport::Sse, &format!("/v1/sessions/s{session}/stream"), token)?,
        };
        let id = self.crew.links.len() + self.readers.len();
        self.epoll.add(&link.sock, id as u64, READ)?;
        self.readers.push(Reader { link: Some(link), place: Place::new(session) });
        Ok(())
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn cpu_us(&self) -> Result<Option<f64>> {
        let read = |pid| Ok(sys::process_cpu_ns(pid)? as f64 / 1e3);
        self.pid.map(read).transpose()
    }

    /// Asks in every session, and has all answers said and read.
    pub fn round(&mut self) -> Result<Round> {
        self.ask()?;
        let (delivered, messages, bytes) = (self.books.tally.delivered, self.books.messages, self.bytes);
        let (cpu, begin, ended) = (self.cpu_us()?, self.now(), self.books.ended);
        self.answer(begin)?;
        let all = ended + self.readers.len();
        if !self.drain(|stage| stage.books.ended == all)? {
            self.books
                .trouble
                .get_or_insert(format!("nothing, where {} ends should have come", all - self.books.ended));
        }
        let cpu_us = self.cpu_us()?.zip(cpu).map(|(after, before)| after - before);
        Ok(Round {
            seconds: (self.now() - begin) as f64 / 1e9,
            cpu_us,
            deliveries: self.books.tally.delivered - delivered,
            messages: self.books.messages - messages,
            bytes: self.bytes - bytes,
        })
    }

    fn ask(&mut self) -> Result<()> {
        for (session, reader) in self.readers[..self.size.sessions].iter_mut().enumerate() {
            let question = "{\"type\":\"message\",\"message\":\"Say your tokens\"";
            let link = reader.link.as_mut().context("nobody is left to ask")?;
            link.say(&format!("{question},\"session_id\":\"s{session}\"}}"));
            link.flush()?;
        }
        self.wait("questions found no worker", |stage| stage.crew.is_complete())
    }

    /// Says all tokens, each when it is due: one session after the other, so that they are spread evenly over time.
    fn answer(&mut self, begin: u64) -> Result<()> {
        let sessions = self.size.sessions as u64;
        let (total, step) = (sessions * self.size.tokens, 1e9 / (self.size.rate * sessions as f64));
        let mut said = 0;
        while said < total {
            let now = self.now();
            let due = (((now - begin) as f64 / step) as u64 + 1).min(total);
            for i in said..due {
                self.late.record(now.saturating_sub(begin + (i as f64 * step) as u64));
                self.token((i % sessions) as usize, i / sessions + 1, now)?;
            }
            said = due;
            self.turn(1)?;
        }
        self.said += self.size.tokens;
        Ok(())
    }

    /// Says token `n` of an answer, and with the last that this was all.
    fn token(&mut self, session: usize, n: u64, now: u64) -> Result<()> {
        let text = token(session, self.said + n, now);
        self.crew.token(session, n == FAULTY_OFFSET, text)?;
        if n == self.size.tokens {
            self.crew.done(session)?;
        }
        Ok(())
    }

    /// Writes what waits, and reads whatever comes within `timeout_ms`.
    fn turn(&mut self, timeout_ms: i32) -> Result<()> {
        self.crew.flush()?;
        self.epoll.wait(&mut self.ready, timeout_ms)?;
        let workers = self.crew.links.len();
        for i in 0..self.ready.len() {
            match self.ready.get(i).0 as usize {
                worker if worker < workers => self.crew.read(worker, &mut self.scratch)?,
                reader => self.read(reader - workers)?,
            }
        }
        Ok(())
    }

    fn read(&mut self, reader: usize) -> Result<()> {
        let now = self.now();
        let Self { readers, books, scratch, bytes, .. } = self;
        let Reader { link: open, place } = &mut readers[reader];
        let Some(link) = open else { return Ok(()) };
        let got = link.read(scratch, |text| books.enter(place, text, now))?;
        *bytes += got.bytes as u64;
        if !got.open {
            books.tally.disconnected += 1;
            *open = None;
        }
        Ok(())
    }

    /// Goes on until `done`, or until nothing comes any more; says which.
    fn drain(&mut self, done: impl Fn(&Self) -> bool) -> Result<bool> {
        let progress = |stage: &Self| stage.bytes + stage.crew.acknowledged as u64;
        let (mut last, mut since) = (progress(self), self.now());
        while !done(self) {
            self.turn(20)?;
            if progress(self) != last {
                (last, since) = (progress(self), self.now());
            }
            if self.now() - since > STALLED_NS {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn wait(&mut self, otherwise: &str, done: impl Fn(&Self) -> bool) -> Result<()> {
        let done = self.drain(done)?;
        ensure!(done, "{otherwise}: {}", self.books.trouble.as_deref().unwrap_or("nothing was said"));
        Ok(())
    }

    /// Listens a little longer for what should not come, and counts as lost what did not.
    pub fn finish(&mut self) -> Result<()> {
        let until = self.now() + 100_000_000;
        while self.now() < until {
            self.turn(20)?;
        }
        for reader in &mut self.readers {
            self.books.finish(&mut reader.place, self.said);
        }
        Ok(())
    }
}
