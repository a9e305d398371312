//! How soon the embedded responder says its first token.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::link::Link;
use crate::mode::Context;
use crate::progress;
use crate::report::Report;
use crate::stats::{Latencies, Quantiles};
use crate::sys::{Epoll, READ, Ready};
use crate::target::{Needs, Target};
use crate::wire::Transport;

/// How many ask at a time in the second part.
const TOGETHER: usize = 16;
/// An answer that takes longer is none.
const PATIENCE_MS: i32 = 10_000;
/// Questions that the manual has something about.
const QUESTIONS: [&str; 4] = [
    "What is the engine power?",
    "How often does the oil have to be changed?",
    "What does the warning light of the brakes mean?",
    "Which tyre pressure is right?",
];

/// One who asks again when the answer is complete.
struct Asker {
    link: Link,
    asked: Instant,
    waits: bool,
}

impl Asker {
    fn ask(&mut self, n: usize) -> Result<()> {
        let question = QUESTIONS[n % QUESTIONS.len()];
        (self.asked, self.waits) = (Instant::now(), true);
        self.link.say(&format!("{{\"type\":\"message\",\"message\":\"{question}\"}}"));
        self.link.flush()
    }

    /// Reads; how long the first token took if it has come, and whether the answer is complete.
    fn read(&mut self, scratch: &mut [u8]) -> Result<(Option<u64>, bool)> {
        let (mut token, mut complete, mut error) = (false, false, None);
        let got = self.link.read(scratch, |text| {
            token |= text.starts_with(b"{\"type\":\"token\"");
            complete |= text.starts_with(b"{\"type\":\"complete\"");
            if text.starts_with(b"{\"type\":\"error\"") {
                error = Some(String::from_utf8_lossy(text).into_owned());
            }
        })?;
        ensure!(got.open && error.is_none(), "no answer: {}", error.unwrap_or_else(|| "closed".into()));
        let first = token && std::mem::take(&mut self.waits);
        Ok((first.then(|| self.asked.elapsed().as_nanos() as u64), complete))
    }
}

/// One after the other, then several at a time.
pub fn run(context: &Context, questions: usize) -> Result<Report> {
    let mut needs = Needs::connections(TOGETHER + 1);
    needs.more = "[sessions]\nrunning_per_user = 0\n".into();
    let server = context.start_server(&needs)?;
    let token = context.server.token.as_deref();
    measure(&server, 1, 20, token)?;
    let alone = measure(&server, 1, questions, token)?;
    let together = measure(&server, TOGETHER, questions, token)?;
    let mut report = Report::new("sessions");
    report.set("questions", questions);
    report.latencies("first_token_", Some(alone));
    report.latencies("first_token_of_16_", Some(together));
    Ok(report)
}

fn measure(server: &Target, askers: usize, questions: usize, token: Option<&str>) -> Result<Quantiles> {
    progress::show(&format!("{questions} questions, {askers} at a time"));
    let (epoll, mut all) = (Epoll::new()?, Vec::new());
    for i in 0..askers {
        let link = Link::open(server.addr, Transport::Ws, "/ws/chat?partial=0", token)?;
        epoll.add(&link.sock, i as u64, READ)?;
        all.push(Asker { link, asked: Instant::now(), waits: false });
    }
    let (mut latencies, mut ready, mut scratch) =
        (Latencies::new()?, Ready::with_capacity(64), vec![0; 64 << 10]);
    all.iter_mut().enumerate().try_for_each(|(n, asker)| asker.ask(n))?;
    let (mut asked, mut answered) = (askers, 0);
    while answered < asked {
        epoll.wait(&mut ready, PATIENCE_MS)?;
        ensure!(ready.len() > 0, "an answer did not come");
        for i in 0..ready.len() {
            let asker = &mut all[ready.get(i).0 as usize];
            let (first, complete) = asker.read(&mut scratch)?;
            first.into_iter().for_each(|ns| latencies.record(ns));
            answered += usize::from(complete);
            if complete && asked < questions {
                asker.ask(asked)?;
                asked += 1;
            }
        }
    }
    Ok(latencies.quantiles())
}
