use std::sync::atomic::{AtomicU64, AtomicUsize};

use tokio::sync::Notify;

use super::*;
use crate::auth::{Grants, Role};
use crate::config::Pattern;
use crate::dialect::sessions::{Step, Turn};
use crate::engine::presence::Member;
use crate::engine::topic::Topic;
use crate::engine::{
    Body, Change, Limited, Namespace, Namespaces, Placed, Read, Retention, Slow, SlowPolicy, TopicError,
    Unplaced,
};
use crate::respond::{Agent, Answering, Finish, Job, Responder};
use crate::sync::Mutex;

/// A door that refuses events of sessions as often as it is told.
struct Door {
    registry: Arc<Registry>,
    refusals: AtomicUsize,
}

impl Publish for Door {
    fn publish(&self, name: &str, bodies: Vec<Body>, now: Now) -> Result<Placed, TopicError> {
        let topic = self.registry.topic(name, now)?;
        let refused = |left: usize| left.checked_sub(1);
        let is_session = name::is_topic(name);
        if is_session && self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refused).is_ok() {
            let limited = Unplaced::Limited(Limited { retry_after_ms: 1 });
            return Ok(Placed { topic, places: vec![Err(limited)] });
        }
        let mut places = Vec::new();
        topic.publish_with(|| bodies, now, |place| places.push(Ok(place))).unwrap();
        Ok(Placed { topic, places })
    }

    fn presence(&self, _topic: &Topic, _user: &str, _member: &Member, _change: Change, _now: Now) {}
}

/// Says the words of the question, each when it is let.
#[derive(Default)]
struct Parrot {
    /// Words wait for this, where the question ends in `…`.
    go: Notify,
    jobs: Mutex<Vec<Job>>,
}

impl Responder for Parrot {
    fn kind(&self) -> &'static str {
        "parrot"
    }

    fn answer<'a>(&'a self, job: &'a Job, sink: &'a Sink) -> Answering<'a> {
        lock(&self.jobs).push(job.clone());
        Box::pin(async move {
            for word in job.question.text.split_inclusive(' ') {
                if word.ends_with('…') {
                    self.go.notified().await;
                }
                sink.say(Step::Text(word.into())).await?;
            }
            Ok(Finish { confidence: Some(0.5), sources: vec!["a.md".into()], agent: None })
        })
    }
}

struct Node {
    desk: Desk,
    parrot: Arc<Parrot>,
    door: Arc<Door>,
    registry: Arc<Registry>,
}

fn settings() -> Settings {
    Settings {
        sessions: 10,
        sessions_per_user: 5,
        running_per_user: 4,
        question_bytes: 100,
        context_bytes: 20,
        answer_tokens: 8,
        answer_bytes: 1000,
        answer: Duration::from_secs(60),
        unwatched: Duration::from_secs(60),
        idle: Duration::from_secs(60),
        history_turns: 2,
        history_bytes: 1000,
    }
}

fn node() -> Node {
    let retention = Retention { events: 1024, bytes: 1 << 20, age_ms: 0 };
    let slow = Slow { policy: SlowPolicy::Disconnect, events: 0, bytes: 0, stall_ms: 0 };
    let space = Namespace {
        retention,
        slow,
        presence: false,
        idempotency_ms: 0,
        idle_ms: 0,
        linger_ms: 0,
        rate: None,
    };
    let registry = Arc::new(Registry::new(Namespaces::new(vec![], space), 100, 1));
    let parrot = Arc::new(Parrot::default());
    let agent = Agent {
        name: "parrot".into(),
        description: String::new(),
        keywords: vec![],
        responder: Arc::clone(&parrot) as _,
    };
    let door = Arc::new(Door { registry: Arc::clone(&registry), refusals: AtomicUsize::new(0) });
    let time = AtomicU64::new(1_000_000);
    let clock = move || Now { unix_ms: 5, micros: time.fetch_add(1_000, Ordering::SeqCst) };
    let desk = Desk::new(
        settings(),
        Agents::new(vec![], Arc::new(agent)),
        Arc::clone(&registry),
        Arc::default(),
        Arc::default(),
        Box::new(clock),
    );
    desk.publish_through(Arc::clone(&door) as _);
    Node { desk, parrot, door, registry }
}

fn somebody(name: &str) -> Arc<Identity> {
    Arc::new(Identity::new(name, Role::Observer, Grants::default()))
}

fn question(text: &str) -> Question {
    Question { text: text.into(), ..Question::default() }
}

impl Node {
    fn ask(&self, who: &str, id: &str, text: &str, turn: Turn) -> Result<Asked, Fault> {
        self.desk.ask(&somebody(who), Some(id), question(text), turn, Now::default())
    }

    fn behind(&self, id: &str, text: &str, line: Line) -> Asked {
        self.ask("ann", id, text, Turn::Behind(line)).unwrap()
    }

    /// The events of a topic, as type and what is said.
    fn said(&self, topic: &str) -> Vec<(String, String)> {
        let (pin, mut cursor, mut all) = (crossbeam_epoch::pin(), 0, Vec::new());
        let Some(topic) = self.registry.find(topic) else { return all };
        while let Read::Entry(offset, entry) = topic.read(cursor, &pin) {
            let data: serde_json::Value = serde_json::from_slice(entry.body.data()).unwrap();
            let shown = ["step", "content", "output", "code", "type"].map(|name| data[name].as_str());
            let shown = shown.into_iter().flatten().find(|text| *text != entry.body.event());
            all.push((entry.body.event().to_owned(), shown.unwrap_or_default().to_owned()));
            cursor = offset;
        }
        all
    }

    async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            if is_so(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("it has not come to that");
    }

    async fn ended(&self, id: &str, turn: u64) -> Session {
        let find = |node: &Self| node.desk.find(&somebody("ann"), id, Now::default()).unwrap();
        self.until(|node| find(node).ended.is_some_and(|ended| ended.turn >= turn)).await;
        find(self)
    }
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(event, text)| ((*event).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn a_turn_has_its_events_in_order_and_feeds_the_next() {
    let node = node();
    let asked = node.ask("ann", "s", "one two", Turn::Alone).unwrap();
    assert_eq!((asked.turn, asked.before, &*asked.session.topic), (1, 0, "sessions.ann.s"));
    let session = node.ended("s", 1).await;
    let wanted = [
        ("step", "starting"),
        ("step", "agent_routing"),
        ("message", "one "),
        ("message", "two"),
        ("done", "one two"),
    ];
    assert_eq!(node.said("sessions.ann.s"), pairs(&wanted));
    let ended = session.ended.unwrap();
    assert_eq!((ended.position, ended.is_answer, session.position), (5, true, 5));
    assert!(ended.data.contains(r#""confidence":0.50,"context":{"sources":["a.md"]}"#), "{}", ended.data);
    let asked = node.ask("ann", "s", "three", Turn::Alone).unwrap();
    assert_eq!((asked.turn, asked.before), (2, 5));
    node.ended("s", 2).await;
    let jobs = lock(&node.parrot.jobs);
    assert_eq!((&*jobs[1].history[0].question, &*jobs[1].history[0].answer), ("one two", "one two"));
    let told: Vec<_> = node.said("channels.sessions").into_iter().map(|(event, _)| event).collect();
    let once = ["session.started", "session.completed"];
    assert_eq!(told, [&["session.created"][..], &once, &once].concat());
}

#[tokio::test]
async fn questions_of_a_line_are_answered_in_order_whatever_their_sessions() {
    let node = node();
    let (line, other) = (node.desk.line(), node.desk.line());
    node.behind("a", "wait …", line);
    node.behind("b", "second", line);
    node.behind("c", "elsewhere", other);
    node.ended("c", 1).await;
    assert_eq!(node.said("sessions.ann.b"), []);
    node.parrot.go.notify_one();
    node.ended("b", 1).await;
    assert_eq!(node.said("sessions.ann.a").last().unwrap().0, "done");
}

#[tokio::test]
async fn nothing_comes_after_a_cancellation() {
    let node = node();
    let line = node.desk.line();
    node.behind("s", "one …", line);
    node.behind("s", "two", line);
    node.until(|node| node.said("sessions.ann.s").len() == 3).await;
    let ann = somebody("ann");
    let session = node.desk.cancel(&ann, "s", Now::default()).unwrap();
    assert_eq!(node.said("sessions.ann.s").len(), 4, "it is told at once");
    assert!(!session.ended.unwrap().is_answer);
    node.parrot.go.notify_one();
    let session = node.ended("s", 2).await;
    node.desk.cancel(&ann, "s", Now::default()).unwrap();
    assert_eq!(session.status.name(), "idle");
    let wanted = [("message", "one "), ("done", "one "), ("done", "")];
    assert_eq!(node.said("sessions.ann.s")[2..], pairs(&wanted));
    node.ask("ann", "s", "three", Turn::Alone).unwrap();
    assert!(node.ended("s", 3).await.ended.unwrap().is_answer);
    assert_eq!(node.desk.cancel(&ann, "t", Now::default()).unwrap_err().status, 404);
}

#[tokio::test]
async fn the_end_of_the_server_is_told() {
    let node = node();
    let line = node.desk.line();
    node.behind("s", "one …", line);
    node.behind("t", "two", line);
    node.until(|node| node.said("sessions.ann.s").len() == 3).await;
    node.desk.close();
    assert_eq!(node.said("sessions.ann.s").last().unwrap(), &("error".into(), "CONNECTION_LOST".into()));
    node.ended("t", 1).await;
    assert_eq!(node.said("sessions.ann.t"), pairs(&[("error", "CONNECTION_LOST")]));
    assert_eq!(node.ask("ann", "u", "three", Turn::Alone).unwrap_err().status, 503);
}

#[tokio::test]
async fn a_topic_that_takes_no_more_loses_nothing() {
    let node = node();
    node.door.refusals.store(5, Ordering::SeqCst);
    node.ask("ann", "s", "one two …", Turn::Alone).unwrap();
    node.until(|node| node.said("sessions.ann.s").len() == 4).await;
    node.door.refusals.store(20, Ordering::SeqCst);
    node.parrot.go.notify_one();
    node.ended("s", 1).await;
    assert_eq!(node.said("sessions.ann.s").last().unwrap(), &("done".into(), "one two …".into()));
    node.ask("ann", "s", "…", Turn::Alone).unwrap();
    node.until(|node| node.said("sessions.ann.s").len() == 8).await;
    node.door.refusals.store(3, Ordering::SeqCst);
    node.desk.cancel(&somebody("ann"), "s", Now::default()).unwrap();
    assert!(!node.ended("s", 2).await.ended.unwrap().is_answer);
    assert_eq!(node.said("sessions.ann.s").last().unwrap(), &("done".into(), String::new()));
}

#[tokio::test]
async fn what_is_too_much_is_refused_or_ends() {
    let node = node();
    let status = |asked: Result<Asked, Fault>| asked.unwrap_err().status;
    assert_eq!(status(node.ask("ann", "s", &"x".repeat(101), Turn::Alone)), 413);
    assert_eq!(status(node.ask("ann", "a b", "x", Turn::Alone)), 400);
    node.ask("ann", "s", "1 2 3 4 5 6 7 8 9", Turn::Alone).unwrap();
    let ended = node.ended("s", 1).await.ended.unwrap();
    assert!(ended.event == step::ERROR && ended.data.contains("PROCESSING_ERROR"), "{}", ended.data);
    for id in ["1", "2", "3", "4"] {
        node.ask("ann", id, "…", Turn::Alone).unwrap();
    }
    assert_eq!(status(node.ask("ann", "s", "x", Turn::Alone)), 429);
    assert_eq!(
        status(node.ask("bob", "a", "…", Turn::Alone).and_then(|_| node.ask("bob", "a", "x", Turn::Alone))),
        409
    );
    let ann = somebody("ann");
    assert_eq!(node.desk.open(&ann, Some("5"), None, None, Now::default()).unwrap_err().status, 429);
    assert_eq!(node.desk.open(&ann, Some("4"), None, None, Now::default()).unwrap().status.name(), "running");
}

#[tokio::test]
async fn sessions_of_users_are_apart_and_rooms_go_by_grants() {
    let node = node();
    node.ask("ann", "s", "mine", Turn::Alone).unwrap();
    node.ended("s", 1).await;
    assert_eq!(node.desk.find(&somebody("bob"), "s", Now::default()).unwrap_err().status, 404);
    let rooms = |text: &str| vec![Pattern::new(text).unwrap()];
    let member = |name: &str, publish| {
        let grants = Grants::new(publish, rooms("rooms.*"), rooms("rooms.*"), vec![]);
        Arc::new(Identity::new(name, Role::Observer, grants))
    };
    let (cay, dan) = (member("cay", rooms("rooms.*")), member("dan", vec![]));
    let said = |text: &str| Post::Said { text: text.into(), attachments: vec![] };
    let now = Now::default();
    assert_eq!(node.desk.post(&dan, "room:r", said("hi"), now).unwrap_err().status, 403);
    assert_eq!(node.desk.post(&cay, "room:r", said("hi"), now).unwrap(), 1);
    assert_eq!(node.desk.find(&dan, "room:r", now).unwrap().position, 1);
    assert_eq!(node.desk.find(&somebody("eve"), "room:r", now).unwrap_err().status, 403);
    assert_eq!(node.desk.post(&dan, "room:r", Post::Read { position: 1 }, now).unwrap(), 2);
    assert_eq!(node.desk.post(&dan, "room:r", Post::Read { position: 9 }, now).unwrap_err().status, 400);
    let fay = member("fay", rooms("rooms.*"));
    let edited = |position| Post::Edited { position, text: "hey".into() };
    assert_eq!(node.desk.post(&fay, "room:r", edited(1), now).unwrap_err().status, 403);
    assert_eq!(node.desk.post(&cay, "room:r", edited(2), now).unwrap_err().status, 404);
    assert_eq!(node.desk.post(&cay, "room:r", edited(1), now).unwrap(), 3);
    assert_eq!(node.said("rooms.r")[2], ("post".into(), "edited".into()));
}

#[tokio::test]
async fn what_is_not_used_is_forgotten() {
    let node = node();
    node.ask("ann", "s", "x", Turn::Behind(node.desk.line())).unwrap();
    node.ask("ann", "t", "…", Turn::Alone).unwrap();
    node.ended("s", 1).await;
    let late = |seconds: u64| Now { unix_ms: 0, micros: seconds * 1_000_000 };
    node.desk.sweep(late(30));
    assert_eq!(node.desk.counts(), (2, 1));
    node.desk.sweep(late(100_000));
    assert_eq!(node.desk.counts(), (1, 1), "one that is answered stays");
}
