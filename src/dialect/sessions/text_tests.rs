use proptest::prelude::*;

use super::super::step::{Code, Done, Step, done, failed, starting};
use super::super::{Post, step::posted};
use super::*;
use crate::auth::Identity;
use crate::engine::{Body, Namespace, Now, Parts, Retention, Slow, SlowPolicy};

fn topic(events: usize) -> Topic {
    let slow = Slow { policy: SlowPolicy::Disconnect, events: 0, bytes: 0, stall_ms: 0 };
    let retention = Retention { events, bytes: 1 << 30, age_ms: 0 };
    let space = Namespace {
        retention,
        slow,
        presence: false,
        idempotency_ms: 0,
        idle_ms: 0,
        linger_ms: 0,
        rate: None,
    };
    Topic::new("sessions.ann.1".into(), 1, Arc::new(space), Now::default())
}

fn publish(topic: &Topic, body: Body) {
    topic.publish_with(|| [body], Now::default(), |_| {}).expect("a topic");
}

fn say(topic: &Topic, text: &str, at: usize) {
    publish(topic, Step::Text(text.into()).body(at));
}

/// What happens in a session.
#[derive(Clone, Debug)]
enum Act {
    Start,
    Say(String),
    /// A piece whose publisher says nothing of what came before.
    Blurt(String),
    Restart,
    Tool,
    Post,
    Done,
    Fail,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let text =
        prop_oneof![any::<String>(), "[a-z \"\\\\\n\u{e4}\u{1F600}\u{2028}\u{1}]{0,6}", Just(String::new())];
    let act = prop_oneof![
        2 => Just(Act::Start),
        12 => text.clone().prop_map(Act::Say),
        1 => text.prop_map(Act::Blurt),
        1 => Just(Act::Restart),
        2 => Just(Act::Tool),
        2 => Just(Act::Post),
        1 => Just(Act::Done),
        1 => Just(Act::Fail),
    ];
    proptest::collection::vec(act, 1..60)
}

/// A session as its own chronicler has it: for each event, the text, where its answer began, and whether that event says so.
struct Told {
    topic: Topic,
    who: Identity,
    text: String,
    begin: u64,
    is_over: bool,
    says_so: bool,
    told: Vec<(String, u64, bool)>,
}

impl Told {
    fn new(keeps: usize) -> Self {
        let (topic, who) = (topic(keeps), Identity::anonymous());
        Self { topic, who, text: String::new(), begin: 1, is_over: false, says_so: true, told: Vec::new() }
    }

    fn anew(&mut self, says_so: bool) {
        (self.text, self.begin, self.says_so) = (String::new(), self.topic.head() + 1, says_so);
    }

    fn quoted(&self) -> usize {
        serde_json::to_string(&self.text).expect("a string").len() - 2
    }

    fn act(&mut self, act: &Act) {
        if std::mem::take(&mut self.is_over) || matches!(act, Act::Start) {
            self.anew(matches!(act, Act::Start));
        }
        let body = match act {
            Act::Start => starting(1, "why?", &[], &self.who),
            Act::Say(text) => self.piece(text, true),
            Act::Blurt(text) => self.piece(text, false),
            Act::Restart => {
                self.anew(true);
                Step::Text("again".into()).body(0)
            }
            Act::Tool => Step::ToolCall { tool: "message".into(), args: "{\"at\":0}".into() }.body(7),
            Act::Post => posted(&Post::Said { text: "at".into(), attachments: Vec::new() }, &self.who),
            Act::Done => done(&Done { output: &self.text, status: "success", ..Done::default() }),
            Act::Fail => failed(Code::Timeout, "too late", None),
        };
        if let Act::Restart = act {
            self.text.push_str("again");
        }
        self.is_over = matches!(act, Act::Done | Act::Fail);
        publish(&self.topic, body);
        self.told.push((self.text.clone(), self.begin, self.says_so));
    }

    fn piece(&mut self, text: &str, knows: bool) -> Body {
        let at = self.quoted();
        if knows && at == 0 {
            self.anew(true);
        }
        self.text.push_str(text);
        match knows {
            true => Step::Text(text.into()).body(at),
            false => {
                let data = format!("{{\"content\" : {}}}", serde_json::to_string(text).expect("a string"));
                Body::new(&Parts { event: "message", data: data.as_bytes(), ..Parts::default() })
            }
        }
    }

    fn check(&self, offset: u64) {
        let (text, begin, says_so) = &self.told[offset as usize - 1];
        if *begin == self.topic.oldest() && !says_so {
            // Only the end of the answer before tells that one begins here, and that is gone.
            return;
        }
        let read = so_far(&self.topic, offset).map(|json| format!("\"{json}\""));
        let read = read.map(|json| serde_json::from_str::<String>(&json).expect("a string"));
        let wanted = (*begin >= self.topic.oldest()).then(|| text.clone());
        assert_eq!(read, wanted, "at {offset}, oldest {}", self.topic.oldest());
    }
}

proptest! {
    #[test]
    fn it_is_what_was_said(acts in acts(), keeps in 4..80_usize, looks in proptest::collection::vec(any::<(u16, u16)>(), 1..80)) {
        let mut told = Told::new(keeps);
        for (at, act) in acts.iter().enumerate() {
            told.act(act);
            for (_, back) in looks.iter().filter(|(when, _)| usize::from(*when) % acts.len() == at) {
                let head = told.topic.head();
                told.check(head - u64::from(*back) % head);
            }
        }
        let (oldest, head) = (told.topic.oldest(), told.topic.head());
        (oldest..=head).rev().chain(oldest..=head).for_each(|offset| told.check(offset));
    }
}

fn remembered() -> (usize, usize) {
    TEXTS.with_borrow(|texts| {
        let all = texts.young.values().chain(texts.old.values());
        (texts.young.len() + texts.old.len(), all.map(Text::bytes).sum())
    })
}

#[test]
fn what_is_remembered_is_bounded() {
    let topics: Vec<_> = (0..3).map(|_| topic(100_000)).collect();
    for topic in &topics {
        for _ in 0..SESSION_TEXTS_REMEMBERED {
            say(topic, "a", 0);
            assert_eq!(so_far(topic, topic.head()).as_deref(), Some("a"));
        }
    }
    assert!(remembered().0 <= 2 * SESSION_TEXTS_REMEMBERED, "{:?}", remembered());
    let text = "x".repeat(SESSION_TEXT_BYTES_MAX / 2);
    for topic in &topics {
        for _ in 0..9 {
            say(topic, &text, 0);
            assert!(so_far(topic, topic.head()).is_some());
        }
    }
    let (_, bytes) = remembered();
    assert!(bytes <= 2 * SESSION_TEXTS_BYTES && bytes > SESSION_TEXTS_BYTES, "{bytes}");
}

#[test]
fn what_is_too_long_or_too_far_is_not_put_together() {
    let topic = topic(100_000);
    let half = "x".repeat(SESSION_TEXT_BYTES_MAX / 2);
    say(&topic, &half, 0);
    say(&topic, &half, half.len());
    assert!(so_far(&topic, 2).is_some());
    say(&topic, "x", 2 * half.len());
    assert_eq!(so_far(&topic, 3), None);
    say(&topic, "x", 2 * half.len() + 1);
    assert_eq!(so_far(&topic, 4), None);
    say(&topic, "a", 0);
    let tool = Step::ToolResult { tool: "t".into(), result: "1".into() }.body(0);
    topic.publish_with(|| vec![tool; SESSION_TEXT_LOOKS_MAX], Now::default(), |_| {}).expect("a topic");
    assert_eq!(so_far(&topic, topic.head()), None);
    say(&topic, "b", 1);
    assert_eq!(so_far(&topic, topic.head()), None);
    say(&topic, "c", 0);
    assert_eq!(so_far(&topic, topic.head()).as_deref(), Some("c"));
}

/// How many events the answer is known to reach over, from its beginning.
fn known(topic: &Topic) -> u64 {
    TEXTS.with_borrow(|texts| {
        let all = texts.young.values().chain(texts.old.values());
        all.filter(|text| Arc::ptr_eq(&text.name, topic.name())).map(|text| text.last + 1 - text.begin).sum()
    })
}

#[test]
fn who_goes_on_begins_where_the_last_ended() {
    let topic = topic(100_000);
    for at in 0..5000 {
        say(&topic, "x", at);
        assert_eq!(so_far(&topic, topic.head()).map(|text| text.len()), Some(at + 1));
    }
    assert_eq!(known(&topic), 5000);
}

#[test]
fn a_beginning_that_is_gone_is_looked_for_once() {
    let topic = topic(1000);
    for at in 0..3000 {
        say(&topic, "x", at);
    }
    for at in 0..100 {
        say(&topic, "x", 3000 + at);
        assert_eq!(so_far(&topic, topic.head()), None);
    }
    assert_eq!(known(&topic), 1000 + 99);
}
