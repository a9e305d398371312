//! `publish`: events taken per second, by one request each, by NDJSON bodies, or over WebSockets.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use super::Context;
use crate::progress;
use crate::protocol::{Payload, Protocol};
use crate::publisher::{ack, shake_hands};
use crate::report::Report;
use crate::swarm::ledger::Topic;
use crate::swarm::sub::Plan;
use crate::swarm::{Swarm, open};
use crate::sys::{self, Epoll, READ, Ready, WRITE};
use crate::target::{Needs, Target};
use crate::wire::{Message, Transport, http, ws};

/// How events are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum How {
    /// One request an event, on connections that stay open.
    Http,
    /// Requests with many lines.
    Ndjson,
    /// WebSocket messages with many lines.
    Ws,
}

/// Options of `publish`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How events are published
    #[arg(long, value_enum, default_value = "http")]
    pub mode: How,
    /// Bytes of data of each event
    #[arg(long, default_value_t = 256)]
    pub size: usize,
    /// How long
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
    /// Publishing connections [default: 64 for http, 4 otherwise]
    #[arg(long)]
    pub publishers: Option<usize>,
    /// Lines in each body or message (ndjson and ws)
    #[arg(long, default_value_t = 200)]
    pub batch: usize,
    /// Requests of a connection under way [default: 1, for ws 4]
    #[arg(long)]
    pub depth: Option<usize>,
}

impl Args {
    fn depth(&self) -> usize {
        self.depth.unwrap_or(if self.mode == How::Ws { 4 } else { 1 }).max(1)
    }

    fn publishers(&self) -> usize {
        self.publishers.unwrap_or(if self.mode == How::Http { 64 } else { 4 }).max(1)
    }

    fn batch(&self) -> usize {
        if self.mode == How::Http { 1 } else { self.batch.max(1) }
    }

    /// The bytes that publish one batch, the same each time.
    fn request(&self, host: &str, topic: &str, token: Option<&str>) -> Vec<u8> {
        let (payload, mut lines) = (Payload::new(self.size, None), Vec::new());
        (0..self.batch()).for_each(|_| payload.put_line(&mut lines, None, 1));
        let text = String::from_utf8_lossy(&lines);
        match self.mode {
            How::Http => {
                http::post_request(host, topic, "application/json", text.trim_end(), token).into_bytes()
            }
            How::Ndjson => http::post_request(host, topic, "application/x-ndjson", &text, token).into_bytes(),
            How::Ws => {
                let mut frame = Vec::new();
                ws::put_masked(&mut frame, ws::TEXT, &lines);
                frame
            }
        }
    }
}

/// One publishing connection.
struct Pump {
    sock: TcpStream,
    websocket: bool,
    written: usize,
    under_way: usize,
    waiting: bool,
    input: Vec<u8>,
    answered: u64,
}

impl Pump {
    fn open(target: &Target, args: &Args, topic: &str, token: Option<&str>) -> Result<Self> {
        let sock = open(target.addr, None)?;
        let websocket = args.mode == How::Ws;
        let input = match websocket {
            true => shake_hands(&sock, &http::publish_request(&target.host(), topic, token), 101)?,
            false => Vec::new(),
        };
        Ok(Self { sock, websocket, written: 0, under_way: 0, waiting: false, input, answered: 0 })
    }

    /// Writes requests until `depth` are under way or the socket is full. A request once begun is finished even when no
    /// more are wanted (`depth` 0).
    fn write(&mut self, request: &[u8], depth: usize) -> Result<()> {
        self.waiting = false;
        while self.under_way < depth || self.written > 0 {
            match (&self.sock).write(&request[self.written..]) {
                Ok(n) => self.written += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.waiting = true;
                    return Ok(());
                }
                Err(e) => return Err(e).context("a publishing connection broke"),
            }
            if self.written == request.len() {
                self.written = 0;
                self.under_way += 1;
            }
        }
        Ok(())
    }

    fn read(&mut self, scratch: &mut [u8], batch: u64) -> Result<()> {
        match (&self.sock).read(scratch) {
            Ok(0) => bail!("the server closed a publishing connection"),
            Ok(n) => self.input.extend_from_slice(&scratch[..n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e).context("a publishing connection broke"),
        }
        let answers = if self.websocket { self.take_acks(batch)? } else { self.take_answers()? };
        ensure!(answers <= self.under_way, "more answers than requests");
        self.under_way -= answers;
        self.answered += answers as u64;
        Ok(())
    }

    fn take_acks(&mut self, batch: u64) -> Result<usize> {
        let (mut answers, mut fault) = (0, None);
        let used = ws::walk(&self.input, &mut |message| match message {
            Message::Text(text) => match ack(text) {
                Ok(n) if n == batch => answers += 1,
                Ok(n) => fault = Some(anyhow::anyhow!("{n} of {batch} events were taken")),
                Err(e) => fault = Some(e),
            },
            Message::Ping(_) => {}
            other => fault = Some(anyhow::anyhow!("a publisher got {other:?}")),
        })?;
        self.input.drain(..used);
        fault.map_or(Ok(answers), Err)
    }

    fn take_answers(&mut self) -> Result<usize> {
        let (mut at, mut answers) = (0, 0);
        while let Some(head) = http::parse_head(&self.input[at..]) {
            let length = head.length + head.content_length.context("an answer without Content-Length")?;
            let Some(answer) = self.input.get(at..at + length) else { break };
            ensure!(head.status == 200, "refused: {}", String::from_utf8_lossy(answer));
            at += length;
            answers += 1;
        }
        self.input.drain(..at);
        Ok(answers)
    }
}

/// All publishing connections.
struct Pumps {
    pumps: Vec<Pump>,
    epoll: Epoll,
    ready: Ready,
    scratch: Vec<u8>,
    request: Vec<u8>,
    batch: u64,
}

impl Pumps {
    fn open(target: &Target, args: &Args, topic: &str, token: Option<&str>) -> Result<Self> {
        let epoll = Epoll::new()?;
        let mut pumps = Vec::new();
        for i in 0..args.publishers() {
            let pump = Pump::open(target, args, topic, token)?;
            epoll.add(&pump.sock, i as u64, READ)?;
            pumps.push(pump);
        }
        let request = args.request(&target.host(), topic, token);
        let (ready, scratch) = (Ready::with_capacity(256), vec![0; 64 << 10]);
        Ok(Self { pumps, epoll, ready, scratch, request, batch: args.batch() as u64 })
    }

    fn answered(&self) -> u64 {
        self.pumps.iter().map(|pump| pump.answered).sum()
    }

    fn run(&mut self, depth: usize, seconds: f64) -> Result<()> {
        (0..self.pumps.len()).try_for_each(|i| self.write(i, depth))?;
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < seconds {
            self.turn(depth)?;
        }
        Ok(())
    }

    /// Waits for all answers.
    fn finish(&mut self) -> Result<()> {
        let start = Instant::now();
        while self.pumps.iter().any(|pump| pump.under_way > 0 || pump.written > 0) {
            self.turn(0)?;
            ensure!(start.elapsed().as_secs() < 10, "publications were not answered");
        }
        Ok(())
    }

    fn turn(&mut self, depth: usize) -> Result<()> {
        self.epoll.wait(&mut self.ready, 100)?;
        for n in 0..self.ready.len() {
            let (i, bits) = self.ready.get(n);
            if bits & !WRITE != 0 {
                self.pumps[i as usize].read(&mut self.scratch, self.batch)?;
            }
            self.write(i as usize, depth)?;
        }
        Ok(())
    }

    fn write(&mut self, i: usize, depth: usize) -> Result<()> {
        let pump = &mut self.pumps[i];
        let before = pump.waiting;
        pump.write(&self.request, depth)?;
        if pump.waiting != before {
            let interest = if pump.waiting { READ | WRITE } else { READ };
            self.epoll.modify(&pump.sock, i as u64, interest)?;
        }
        Ok(())
    }
}

/// The server alone, on its core.
pub fn run(context: &Context, args: &Args) -> Result<Report> {
    let server = context.start_server(&Needs::connections(args.publishers()))?;
    let token = context.server.token.as_deref();
    let topic = format!("load.{}.publish", std::process::id());
    let mut pumps = Pumps::open(&server, args, &topic, token)?;
    progress::show("publishing");
    pumps.run(args.depth(), (args.seconds / 5.0).min(1.0))?;
    let cpu = || server.pid.map(sys::process_cpu_ns).transpose();
    let (before, cpu_before, start) = (pumps.answered(), cpu()?, Instant::now());
    pumps.run(args.depth(), args.seconds)?;
    let (seconds, cpu_after) = (start.elapsed().as_secs_f64(), cpu()?);
    let events = (pumps.answered() - before) * pumps.batch;
    pumps.finish()?;
    let total = pumps.answered() * pumps.batch;
    let newest = newest(&server, &topic, token)?;
    let cpu_us = cpu_after.zip(cpu_before).map(|(after, before)| (after - before) as f64 / 1e3);
    let mut report = report(args, events, seconds, cpu_us);
    report.set("lost", total.saturating_sub(newest));
    report.set("duplicated", newest.saturating_sub(total));
    report.require(newest == total, || format!("{total} events were acknowledged, {newest} are in the log"));
    Ok(report)
}

fn report(args: &Args, events: u64, seconds: f64, cpu_us: Option<f64>) -> Report {
    let mut report = Report::new("publish");
    report.set("size", args.size);
    report.set("publishers", args.publishers());
    report.set("batch", args.batch());
    report.set("depth", args.depth());
    report.set("how", format!("{:?}", args.mode).to_lowercase());
    report.numbers([
        ("events_per_s", Some(events as f64 / seconds)),
        ("server_cpu_us_per_event", cpu_us.map(|cpu| cpu / events.max(1) as f64)),
        ("events_per_server_core_s", cpu_us.map(|cpu| events as f64 / cpu * 1e6)),
        ("server_core_busy", cpu_us.map(|cpu| cpu / 1e6 / seconds)),
    ]);
    report
}

/// The newest offset of `topic`: where a new subscriber begins.
fn newest(target: &Target, topic: &str, token: Option<&str>) -> Result<u64> {
    let topics = vec![Topic::new(topic.to_owned(), 64, &Payload::new(2, None))];
    let mut swarm = Swarm::new(target, token, Protocol::Topics, topics)?;
    let i = swarm.add(Plan::steady(0, Transport::Ws));
    swarm.connect_all(i..i + 1)?;
    Ok(swarm.subs[i].track.last())
}
