//! Workers: real connections that take questions, answer them, get lost and come back.

#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]
#![allow(clippy::disallowed_methods, reason = "tests wait")]

mod support;

#[path = "work/polling.rs"]
mod polling;

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millrace::wire::websocket::Opcode;
use serde_json::{Value, json};
use support::{Client, Got, Running, eventually, metric};

const CONFIG: &str =
    "[agents.helper]\nresponder = \"worker\"\nqueue = \"q\"\n[sessions]\nrunning_per_user = 0\n";

fn start(more: &str) -> Running {
    Running::start(&format!("{CONFIG}{more}"))
}

fn asking(session: &str, question: &str) -> String {
    json!({"agent_id": "helper", "session_id": session, "goal": question, "stream": true}).to_string()
}

/// Asks, on a thread of its own; the events of the answer.
fn ask(server: &Running, session: &str, question: &str) -> JoinHandle<Vec<Value>> {
    let (server, text) = (Running::at(&server.address), asking(session, question));
    std::thread::spawn(move || {
        let json = "content-type: application/json\r\n";
        let response = server.request("POST", "/v1/sessions/execute", json, &text);
        let events = response.lines().filter_map(|line| line.strip_prefix("data: "));
        events.map(|data| serde_json::from_str(data).unwrap()).collect()
    })
}

/// A worker that is connected.
struct Worker(Client);

impl Worker {
    fn join(server: &Running, name: &str, capacity: usize) -> Self {
        Self::of(server, &format!("/v1/work/q?worker={name}&capacity={capacity}"))
    }

    fn of(server: &Running, target: &str) -> Self {
        let mut worker = Self(Client::connect(&server.address, target, ""));
        assert_eq!(worker.next()["type"], "ready");
        worker
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.0.text()).unwrap()
    }

    /// The next job; its id.
    fn job(&mut self) -> (String, Value) {
        let job = self.next();
        assert_eq!(job["type"], "job", "{job}");
        (job["job_id"].as_str().unwrap().into(), job)
    }

    fn say(&mut self, message: Value) {
        self.0.send(&message.to_string());
    }

    fn text(&mut self, job: &str, n: u64, content: &str) {
        self.say(json!({"type": "text", "job_id": job, "n": n, "content": content}));
    }

    fn done(&mut self, job: &str, n: u64) {
        self.say(json!({"type": "done", "job_id": job, "n": n}));
    }

    /// Which number a job expects, once all that was said before has been heard.
    fn sync(&mut self, job: &str) -> Value {
        self.say(json!({"type": "sync", "job_id": job}));
        self.next()["next"].clone()
    }

    /// Answers by `words`, and waits until that is taken.
    fn answer(&mut self, job: &str, words: &[&str]) {
        (1..).zip(words).for_each(|(n, word)| self.text(job, n, word));
        self.done(job, words.len() as u64 + 1);
        assert_eq!(self.next(), json!({"type": "ack", "job_id": job, "next": words.len() + 2}));
    }

    /// Takes leave.
    fn leave(mut self) {
        self.0.send_frame(Opcode::Close, &1001u16.to_be_bytes());
        assert!(matches!(self.0.next(), Got::Close(1001, _)));
    }
}

fn output(events: &[Value]) -> &str {
    let last = events.last().unwrap();
    assert_eq!(last["type"], "done", "{last}");
    last["output"].as_str().unwrap()
}

/// The steps and texts between the question and the end.
fn said(events: &[Value]) -> Vec<&str> {
    let word = |event: &'_ Value| ["step", "content"].iter().any(|name| event[*name].is_string());
    let own = events.iter().filter(|event| word(event));
    own.map(|event| event["step"].as_str().or(event["content"].as_str()).unwrap()).skip(2).collect()
}

fn find<'a>(events: &'a [Value], kind: &str) -> &'a Value {
    events.iter().find(|event| event["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {events:?}"))
}

#[test]
fn each_number_counts_once() {
    let server = start("");
    let reader = ask(&server, "s", "What is it?");
    let mut worker = Worker::join(&server, "w", 1);
    let (job, told) = worker.job();
    assert_eq!(told["question"], "What is it?");
    assert_eq!((&told["session_id"], &told["agent_id"]), (&json!("s"), &json!("helper")));
    assert_eq!((&told["attempt"], &told["next"], &told["turn"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!((&told["history"], &told["context"]), (&json!([]), &json!({})));
    worker.text(&job, 1, "A ");
    worker.text(&job, 1, "A ");
    worker.text(&job, 4, "never ");
    let error = worker.next();
    assert_eq!((&error["code"], &error["expected"]), (&json!("out_of_order"), &json!(2)));
    worker.text(&job, 5, "never ");
    let data = json!({"tool": "find", "args": {"x": [1]}});
    worker.say(json!({"type": "event", "job_id": job, "n": 2, "event": "tool_call", "data": data}));
    let data = json!({"tool": "find", "result": null});
    worker.say(json!({"type": "event", "job_id": job, "n": 3, "event": "tool_result", "data": data}));
    worker.text(&job, 4, "thing");
    worker.say(json!({"type": "done", "job_id": job, "n": 5, "confidence": 0.75, "sources": ["a.md"]}));
    assert_eq!(worker.next()["next"], 6);
    worker.done(&job, 5);
    assert_eq!(worker.next()["code"], "job_over");
    let events = reader.join().unwrap();
    assert_eq!(output(&events), "A thing");
    let metadata = &events.last().unwrap()["metadata"];
    assert_eq!(metadata["confidence"], 0.75);
    assert_eq!(metadata["context"]["sources"], json!(["a.md"]));
    assert_eq!(find(&events, "tool_call")["args"], json!({"x": [1]}));
    assert_eq!(find(&events, "tool_result")["result"], Value::Null);
    assert_eq!(metric(&server, "millrace_work_events_repeated_total"), 1.0);
    assert_eq!(metric(&server, "millrace_work_jobs_ended_total{outcome=\"answered\"}"), 1.0);
    // What was said feeds the next question.
    let reader = ask(&server, "s", "And now?");
    let (job, told) = worker.job();
    assert_eq!(told["history"], json!([{"question": "What is it?", "answer": "A thing"}]));
    worker.answer(&job, &["Now."]);
    assert_eq!(output(&reader.join().unwrap()), "Now.");
}

#[test]
fn another_worker_takes_over_when_one_is_lost() {
    let server = start("[worker]\nlease_seconds = 1\n");
    let reader = ask(&server, "s", "Well?");
    let mut lost = Worker::join(&server, "lost", 1);
    let (old, _) = lost.job();
    lost.text(&old, 1, "Half ");
    assert_eq!(lost.sync(&old), 2);
    let mut other = Worker::join(&server, "other", 1);
    drop(lost);
    let (job, told) = other.job();
    assert_eq!((&told["attempt"], &told["next"]), (&json!(2), &json!(1)));
    // What still comes of the old attempt is refused.
    other.text(&old, 2, "late ");
    assert_eq!(other.next()["code"], "job_over");
    other.answer(&job, &["A ", "whole ", "one"]);
    let events = reader.join().unwrap();
    assert_eq!(said(&events), ["Half ", "restarted", "A ", "whole ", "one"]);
    assert_eq!(output(&events), "A whole one");
    for name in ["lost", "retried"] {
        assert_eq!(metric(&server, &format!("millrace_work_jobs_{name}_total")), 1.0);
    }
}

#[test]
fn a_connected_worker_is_told_that_its_time_is_over() {
    let server = start("[worker]\nlease_seconds = 1\nattempts = 1\n");
    let reader = ask(&server, "s", "Well?");
    let mut silent = Worker::join(&server, "silent", 1);
    let (job, _) = silent.job();
    // Signs of life keep it for longer than a lease.
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(400));
        silent.say(json!({"type": "renew"}));
    }
    assert_eq!(silent.sync(&job), 1);
    assert_eq!(silent.next(), json!({"type": "cancel", "job_id": job, "reason": "lease_expired"}));
    silent.text(&job, 1, "late");
    silent.say(json!({"type": "ping"}));
    assert_eq!(silent.next()["type"], "pong", "it was told already");
    let events = reader.join().unwrap();
    assert_eq!(events.last().unwrap()["code"], "CONNECTION_LOST");
}

#[test]
fn a_lost_job_fails_where_that_is_wanted() {
    let server = start("[worker]\nlease_seconds = 1\non_lost = \"fail\"\n");
    let reader = ask(&server, "s", "Well?");
    let mut lost = Worker::join(&server, "lost", 1);
    let (job, _) = lost.job();
    lost.text(&job, 1, "Half ");
    assert_eq!(lost.sync(&job), 2);
    let _other = Worker::join(&server, "other", 1);
    drop(lost);
    let events = reader.join().unwrap();
    assert_eq!(said(&events), ["Half "]);
    assert_eq!(events.last().unwrap()["code"], "CONNECTION_LOST");
}

#[test]
fn who_returns_in_time_goes_on() {
    let server = start("");
    let reader = ask(&server, "s", "Well?");
    let mut worker = Worker::join(&server, "w", 1);
    let (job, _) = worker.job();
    worker.text(&job, 1, "One ");
    worker.text(&job, 2, "two ");
    assert_eq!(worker.sync(&job), 3);
    drop(worker);
    let _other = Worker::join(&server, "other", 1);
    let mut worker = Worker::join(&server, "w", 1);
    let (again, told) = worker.job();
    assert_eq!((&again, &told["next"], &told["attempt"]), (&job, &json!(3), &json!(1)));
    // It does not know what has arrived, and says it again.
    worker.text(&job, 2, "two ");
    worker.text(&job, 3, "three");
    worker.done(&job, 4);
    let events = reader.join().unwrap();
    assert_eq!(said(&events), ["One ", "two ", "three"]);
}

#[test]
fn who_takes_leave_gives_its_jobs_back_at_once() {
    let server = start("[worker]\non_lost = \"fail\"\n");
    let reader = ask(&server, "s", "Well?");
    let mut leaving = Worker::join(&server, "leaving", 1);
    let (job, _) = leaving.job();
    leaving.text(&job, 1, "Half ");
    let mut other = Worker::join(&server, "other", 1);
    leaving.leave();
    let (job, _) = other.job();
    // So does who cannot go on.
    other.say(json!({"type": "release", "job_id": job}));
    let (job, told) = other.job();
    assert_eq!(told["attempt"], 3);
    other.answer(&job, &["Whole"]);
    let events = reader.join().unwrap();
    assert_eq!(said(&events), ["Half ", "restarted", "Whole"]);
    assert_eq!(output(&events), "Whole");
}

#[test]
fn the_newest_connection_of_a_name_counts() {
    let server = start("");
    let mut old = Worker::join(&server, "w", 1);
    let mut new = Worker::join(&server, "w", 1);
    assert!(matches!(old.0.next(), Got::Close(1008, reason) if reason.contains("this worker's name")));
    let reader = ask(&server, "s", "Well?");
    let (job, _) = new.job();
    new.answer(&job, &["Yes"]);
    assert_eq!(output(&reader.join().unwrap()), "Yes");
    assert_eq!(metric(&server, "millrace_work_workers"), 1.0);
}

#[test]
fn a_worker_learns_at_once_that_nobody_wants_the_answer() {
    let server = start("");
    let reader = ask(&server, "s", "Well?");
    let mut worker = Worker::join(&server, "w", 1);
    let (job, _) = worker.job();
    worker.text(&job, 1, "Half");
    assert_eq!(worker.sync(&job), 2);
    let since = Instant::now();
    let response = server.request("POST", "/v1/sessions/s/cancel", "", "");
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert_eq!(worker.next(), json!({"type": "cancel", "job_id": job, "reason": "cancelled"}));
    let millis = since.elapsed().as_millis();
    assert!(millis < 100, "{millis} ms");
    let events = reader.join().unwrap();
    let last = events.last().unwrap();
    assert_eq!((&last["status"], &last["output"]), (&json!("cancelled"), &json!("Half")));
    // Its place is free.
    let reader = ask(&server, "t", "Well?");
    let (job, _) = worker.job();
    worker.answer(&job, &["Yes"]);
    assert_eq!(output(&reader.join().unwrap()), "Yes");
}

#[test]
fn a_session_that_takes_no_more_now_slows_its_worker() {
    let server = start("[namespaces.\"sessions.**\"]\npublish_rate = 20\npublish_burst = 10\n");
    let reader = ask(&server, "s", "Well?");
    let mut worker = Worker::join(&server, "w", 1);
    let (job, _) = worker.job();
    let words: Vec<_> = (1..=30).map(|n| format!("{n} ")).collect();
    let (mut next, mut refusals) = (1, 0);
    while next <= words.len() {
        (next..).zip(&words[next - 1..]).for_each(|(n, word)| worker.text(&job, n as u64, word));
        worker.say(json!({"type": "sync", "job_id": job}));
        let mut told = worker.next();
        if told["type"] == "error" {
            refusals += 1;
            assert_eq!((&told["code"], told["retry_after"].is_number()), (&json!("rate_limited"), true));
            // One word about it is enough.
            let synced = worker.next();
            assert_eq!((&synced["type"], &synced["next"]), (&json!("ack"), &told["expected"]));
            std::thread::sleep(Duration::from_secs_f64(told["retry_after"].as_f64().unwrap()));
            told = synced;
        }
        next = told["next"].as_u64().unwrap() as usize;
    }
    worker.done(&job, 31);
    assert_eq!(output(&reader.join().unwrap()), words.concat());
    assert!(refusals > 0);
}

#[test]
fn a_hundred_questions_are_answered_once_each() {
    let server = start("");
    let readers: Vec<_> = (0..100).map(|i| ask(&server, &format!("s{i}"), &format!("q{i}"))).collect();
    let workers: Vec<_> = (0..3)
        .map(|i| {
            let mut worker = Worker::join(&server, &format!("w{i}"), 5);
            std::thread::spawn(move || {
                let mut answered = 0;
                loop {
                    let job = match worker.0.next() {
                        Got::Text(text) => serde_json::from_str::<Value>(&text).unwrap(),
                        _ => return answered,
                    };
                    if job["type"] == "job" {
                        let id = job["job_id"].as_str().unwrap();
                        worker.text(id, 1, job["question"].as_str().unwrap());
                        worker.text(id, 2, "!");
                        worker.done(id, 3);
                        answered += 1;
                    }
                }
            })
        })
        .collect();
    for (i, reader) in readers.into_iter().enumerate() {
        let events = reader.join().unwrap();
        assert_eq!(said(&events), [format!("q{i}"), "!".into()]);
    }
    assert_eq!(metric(&server, "millrace_work_jobs_ended_total{outcome=\"answered\"}"), 100.0);
    assert_eq!(metric(&server, "millrace_work_jobs_leased"), 0.0);
    drop(server);
    let answered: Vec<usize> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
    assert_eq!(answered.iter().sum::<usize>(), 100);
    assert!(answered.iter().all(|count| *count > 0), "{answered:?}");
}

#[test]
fn nobody_comes_for_a_question() {
    let server = start("[worker]\nwait_seconds = 1\nqueue_jobs = 1\n");
    let reader = ask(&server, "s", "Well?");
    eventually("it waits", || metric(&server, "millrace_work_jobs_waiting") == 1.0);
    let refused = ask(&server, "t", "Well?").join().unwrap();
    let last = refused.last().unwrap();
    assert_eq!((&last["code"], last["retry_after"].is_number()), (&json!("RATE_LIMITED"), true));
    let events = reader.join().unwrap();
    let last = events.last().unwrap();
    assert_eq!(last["code"], "TIMEOUT");
    assert!(last["message"].as_str().unwrap().contains("no worker"), "{last}");
    assert_eq!(metric(&server, "millrace_work_jobs_waiting"), 0.0);
}

#[test]
fn a_worker_that_fails_says_why() {
    let server = start("");
    let reader = ask(&server, "s", "Well?");
    let mut worker = Worker::join(&server, "w", 1);
    let (job, _) = worker.job();
    let why = json!({"type": "fail", "job_id": job, "n": 1, "code": "RATE_LIMITED", "message": "too much", "retry_after": 2});
    worker.say(why);
    assert_eq!(worker.next()["type"], "ack");
    let events = reader.join().unwrap();
    let last = events.last().unwrap();
    assert_eq!((&last["code"], &last["message"]), (&json!("RATE_LIMITED"), &json!("too much")));
    assert_eq!(last["retry_after"], 2.0);
}
