//! The checker is checked: an honest history passes, and each way to tamper with it is found.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace::dialect::{Start, Transport};
use millrace::engine::{
    Body, Namespace, Namespaces, Now, Parts, Publish, Registry, Retention, Slow, SlowPolicy,
};
use millrace::wire::websocket::{Opcode, encode_close, encode_frame};

use super::check::{Check, Only, Spec, Truth, Verdict};
use super::log::Recorder;
use super::parse::{HEAD, Said, Stream};
use super::text::event_text;

const EVENTS: u64 = 10;

fn world() -> (Arc<Registry>, Recorder) {
    let slow = Slow { policy: SlowPolicy::Disconnect, events: 0, bytes: 0, stall_ms: 0 };
    let retention = Retention { events: 6, bytes: 1 << 20, age_ms: 0 };
    let space = Namespace {
        retention,
        slow,
        presence: false,
        idempotency_ms: 0,
        idle_ms: 0,
        linger_ms: 0,
        rate: None,
    };
    let registry = Arc::new(Registry::new(Namespaces::new(Vec::new(), space), 10, 7));
    let recorder = Recorder::new(Arc::clone(&registry));
    for n in 0..EVENTS {
        let data = format!("{{\"m\":{n}}}");
        let body = Body::new(&Parts { event: "tick", key: "k", data: data.as_bytes(), ..Parts::default() });
        recorder.publish("a", vec![body], Now::default()).unwrap();
    }
    (registry, recorder)
}

fn said(text: String) -> Said {
    Said::Text { name: String::new(), id: String::new(), text }
}

fn control(text: &str) -> Said {
    said(text.to_owned())
}

/// What an honest server says to who reads everything.
fn honest(recorder: &Recorder) -> Vec<Said> {
    let log = recorder.log.lock().unwrap();
    let begun =
        control(r#"{"type":"subscribed","topic":"a","epoch":7,"offset":0,"recovered":true,"missed":0}"#);
    let life = log.life("a", 7).iter().zip(1..);
    let events = life.map(|(event, offset)| said(event_text("a", 7, offset, event, false)));
    std::iter::once(begun).chain(events).collect()
}

fn judge(history: &[Said], only: Only, conflate: bool) -> Verdict {
    let (registry, recorder) = world();
    let (positions, heads) = (BTreeMap::new(), BTreeMap::new());
    let spec = Spec { name: "a".into(), start: Start::Now, only, conflate, positions, heads, answered: None };
    let mut check = Check::new(Transport::WebSocket, false, vec![spec]);
    let log = recorder.log.lock().unwrap();
    let truth = Truth { log: &log, registry: &registry };
    history.iter().try_for_each(|said| check.said(said, &truth))?;
    check.complete(&truth)
}

/// The verdict on an honest history after `tamper`.
fn after(tamper: impl FnOnce(&mut Vec<Said>)) -> Verdict {
    let mut history = honest(&world().1);
    tamper(&mut history);
    judge(&history, Only::All, false)
}

#[track_caller]
fn found(verdict: Verdict, words: &str) {
    let why = verdict.expect_err("tampering must be found");
    assert!(why.contains(words), "{why}");
}

#[test]
fn an_honest_history_passes() {
    assert_eq!(after(|_| ()), Ok(()));
    let mut told = honest(&world().1);
    told.splice(2..4, [control(r#"{"type":"gap","topic":"a","epoch":7,"from":2,"to":3,"missed":2}"#)]);
    assert_eq!(judge(&told, Only::All, false), Ok(()));
    let newest = [honest(&world().1)[0].clone(), honest(&world().1)[10].clone()];
    assert_eq!(judge(&newest, Only::All, true), Ok(()));
}

#[test]
fn losses_are_found() {
    found(after(|history| drop(history.remove(5))), "event 5 is lost");
    found(after(|history| drop(history.pop())), "at the end: event 10 is lost");
    found(after(|history| drop(history.drain(3..9))), "event 3 is lost");
    let nothing_newer = &honest(&world().1)[..10];
    found(judge(nothing_newer, Only::All, true), "event 10 is lost");
    found(judge(&honest(&world().1)[..1], Only::Above(8), false), "event 10 is lost");
}

#[test]
fn repetitions_and_disorder_are_found() {
    found(after(|history| history.insert(5, history[4].clone())), "twice or out of order");
    found(after(|history| history.swap(4, 5)), "event 4 is lost");
    found(after(|history| history.insert(1, history[0].clone())), "read already");
}

#[test]
fn wrong_gaps_are_found() {
    let gap = |from: u64, to: u64, missed: u64| {
        let text = format!(
            "{{\"type\":\"gap\",\"topic\":\"a\",\"epoch\":7,\"from\":{from},\"to\":{to},\"missed\":{missed}}}"
        );
        after(|history| drop(history.splice(2..5, [said(text)])))
    };
    assert_eq!(gap(2, 4, 3), Ok(()));
    found(gap(2, 4, 2), "count is wrong");
    found(gap(2, 3, 2), "event 4 is lost");
    found(gap(3, 4, 2), "event 2 is lost");
    found(gap(2, 5, 4), "still kept");
}

#[test]
fn changed_bytes_and_strangers_are_found() {
    let change = |from: &str, to: &str| {
        after(|history| {
            let Said::Text { text, .. } = &mut history[4] else { panic!("a text") };
            *text = text.replace(from, to);
        })
    };
    found(change("\"m\":3", "\"m\":4"), "expected");
    found(change("\"key\"", "\"kex\""), "expected");
    found(change("\"topic\":\"a\"", "\"topic\":\"b\""), "not read");
    found(judge(&honest(&world().1), Only::Above(4), false), "does not match");
}

#[test]
fn anything_after_a_close_is_found() {
    found(after(|history| history.insert(6, Said::Close(1013))), "after the close");
    let mut bytes = HEAD.to_vec();
    encode_close(&mut bytes, 1013, "slow");
    assert_eq!(Stream::new(Transport::WebSocket).feed(&bytes), Ok(vec![Said::Close(1013)]));
    bytes.push(0x81);
    assert!(Stream::new(Transport::WebSocket).feed(&bytes).is_err());
}

#[test]
fn interleaved_frames_are_found() {
    let mut frame = Vec::new();
    encode_frame(&mut frame, Opcode::Text, false, b"{\"type\":\"x\"}");
    let torn = [HEAD, &frame[..5], &frame, &frame[5..]].concat();
    let said = Stream::new(Transport::WebSocket).feed(&torn);
    let whole = vec![control("{\"type\":\"x\"}"); 2];
    assert!(said.is_err() || said != Ok(whole));
    let chunk = b"5\r\nabc3\r\nabc\r\nde\r\n";
    assert!(Stream::new(Transport::LinesChunked).feed(&[HEAD, chunk].concat()).is_err());
}
