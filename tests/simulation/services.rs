//! What a dialect may ask of its connection besides topics: tokens checked, being woken, notices, the end of a
//! credential. A dialect made for this does what its client tells it to, and says what happened.

use std::sync::{Arc, Mutex};

use millrace::auth::{AuthError, Authenticate, Caller, Grants, Identity, Later, Profile, Role, Verdict};
use millrace::delivery::Drain;
use millrace::delivery::mailbox::Letter;
use millrace::dialect::{Dialect, Gap, Host, Message, Subscribe, Transport, topics};
use millrace::engine::Topic;
use millrace::error::Disconnect;
use millrace::wire::websocket::{Opcode, encode_close};

use super::client::masked;
use super::parse::{Said, Stream};
use super::rng::Rng;
use super::scenarios::Stage;

/// See the module. A client's message is a word and what it is about.
#[derive(Default)]
struct Probe {
    /// Ends when it is told anything.
    shy: bool,
}

impl Dialect for Probe {
    fn opened(&mut self, host: &mut dyn Host) {
        host.subscribe(&Subscribe::new("a", topics::view(Transport::WebSocket, true))).unwrap();
    }

    fn received(&mut self, message: Message<'_>, host: &mut dyn Host) {
        let Message::Text(text) = message else { panic!("a text") };
        let (word, what) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "auth" => host.authenticate(what),
            "wake" => host.wake_after(what.parse().unwrap()),
            "say" => host.send("", "x".repeat(what.parse().unwrap()).as_bytes()),
            "who" => {
                let answer = format!("{} {what}", host.identity().profile.name);
                host.send("", answer.as_bytes());
            }
            _ => panic!("{text}"),
        }
    }

    fn gap(&mut self, _topic: &Topic, _gap: Gap, _host: &mut dyn Host) {}

    fn due(&mut self, host: &mut dyn Host) {
        host.send("", b"due");
    }

    fn authenticated(&mut self, verdict: Result<(), AuthError>, host: &mut dyn Host) {
        let answer = format!("{verdict:?}");
        host.send("", answer.as_bytes());
    }

    fn noticed(&mut self, _topic: &Topic, text: &[u8], host: &mut dyn Host) {
        host.send("", text);
        if self.shy {
            host.close(Disconnect::policy("told"));
        }
    }
}

/// Knows tokens by their beginning: at once, later, or never.
#[derive(Default)]
struct Oracle(Mutex<Vec<(String, Later)>>);

fn named(name: &str) -> Arc<Identity> {
    let profile = Profile { name: name.into(), ..Profile::default() };
    Arc::new(Identity { profile, ..Identity::new("ann", Role::Observer, Grants::everything()) })
}

impl Authenticate for Oracle {
    fn authenticate(&self, token: &str, _: Option<&Arc<Caller>>, _: u64, later: Later) -> Option<Verdict> {
        match token.split_once(':') {
            Some(("now", name)) => Some(Ok(named(name))),
            Some(("later", name)) => {
                self.0.lock().unwrap().push((name.into(), later));
                None
            }
            Some(("lost", _)) => None,
            _ => Some(Err(AuthError::Invalid)),
        }
    }
}

impl Oracle {
    fn speak(&self) {
        let asked = std::mem::take(&mut *self.0.lock().unwrap());
        asked.into_iter().for_each(|(name, later)| later(Ok(named(&name))));
    }
}

/// One client, and all it was told.
struct Scene {
    stage: Stage,
    oracle: Arc<Oracle>,
    key: i32,
    stream: Stream,
    heard: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        Self::with(Probe::default(), (*named("nobody")).clone(), 0)
    }

    fn with(probe: Probe, identity: Identity, ping_ms: u64) -> Self {
        let oracle = Arc::new(Oracle::default());
        let mut stage = Stage::keeping(100, ping_ms, 0, Arc::clone(&oracle) as _);
        let key = stage.open(Transport::WebSocket, Box::new(probe), identity);
        let stream = Stream::headless(Transport::WebSocket);
        Self { stage, oracle, key, stream, heard: Vec::new() }
    }

    fn send(&mut self, texts: &[&str]) {
        let bytes: Vec<u8> = texts.iter().flat_map(|text| masked(Opcode::Text, text.as_bytes())).collect();
        self.stage.wires.borrow_mut().send(self.key, &bytes);
        self.stage.turn();
    }

    fn listen(&mut self, most: usize) {
        let bytes = self.stage.wires.borrow_mut().take(self.key, most);
        for said in self.stream.feed(&bytes).unwrap() {
            match said {
                Said::Text { text, .. } => self.heard.push(text),
                Said::Close(code) => self.heard.push(format!("close {code}")),
                _ => {}
            }
        }
        self.stage.turn();
    }

    fn heard(&mut self) -> Vec<String> {
        self.listen(usize::MAX);
        std::mem::take(&mut self.heard)
    }

    fn is_closed(&self) -> bool {
        self.stage.wires.borrow().all_closed()
    }
}

#[test]
fn what_comes_behind_an_auth_message_waits_for_the_verdict() {
    let mut scene = Scene::new();
    scene.send(&["who 1", "auth later:ann", "who 2"]);
    scene.send(&["who 3"]);
    assert_eq!(scene.heard(), ["nobody 1"]);
    scene.stage.pass(8);
    assert_eq!(scene.heard(), [""; 0]);
    scene.oracle.speak();
    scene.stage.turn();
    assert_eq!(scene.heard(), ["Ok(())", "ann 2", "ann 3"]);
    scene.send(&["auth now:bob", "who 4", "auth lost:ann", "who 5", "auth bad", "who 6"]);
    let expected = ["Ok(())", "bob 4", "Err(Unavailable)", "bob 5", "Err(Invalid)", "bob 6"];
    assert_eq!(scene.heard(), expected);
}

#[test]
fn a_verdict_for_a_client_that_is_gone_says_nothing_to_its_successor() {
    let mut scene = Scene::new();
    scene.send(&["auth later:ann"]);
    scene.stage.wires.borrow_mut().vanish(scene.key);
    scene.stage.turn();
    scene.send(&[]);
    scene.oracle.speak();
    scene.stage.turn();
    assert!(scene.is_closed());
    let identity = (*named("next")).clone();
    scene.key = scene.stage.open(Transport::WebSocket, Box::new(Probe::default()), identity);
    scene.stream = Stream::headless(Transport::WebSocket);
    scene.send(&["auth later:bob"]);
    let late = std::mem::take(&mut *scene.oracle.0.lock().unwrap());
    scene.send(&["who 1"]);
    assert_eq!(scene.heard(), [""; 0]);
    late.into_iter().for_each(|(_, later)| later(Err(AuthError::Expired)));
    scene.stage.turn();
    assert_eq!(scene.heard(), ["Err(Expired)", "next 1"]);
}

#[test]
fn a_client_that_is_sent_away_while_it_waits_can_still_take_leave() {
    let mut scene = Scene::new();
    scene.send(&["auth later:ann", "who 1"]);
    let now_ms = scene.stage.chaos.now().millis();
    let drain = Drain { per_second: 100, now_ms, deadline_ms: now_ms + 60_000, retry_ms: 10 };
    scene.stage.mailbox.post(Letter::Drain(drain));
    scene.stage.pass(2);
    assert_eq!(scene.heard(), ["close 1012"]);
    let mut close = Vec::new();
    encode_close(&mut close, 1012, "");
    scene.stage.wires.borrow_mut().send(scene.key, &masked(Opcode::Close, &close[2..]));
    scene.stage.turn();
    assert!(scene.is_closed(), "its close was not read");
    scene.oracle.speak();
    scene.stage.turn();
}

/// Commands, and the answers that follow from them alone, however slow networks and verdicts are.
fn commands(rng: &mut Rng, count: usize) -> (Vec<String>, Vec<String>) {
    let (mut commands, mut answers, mut name) = (Vec::new(), Vec::new(), "nobody".to_owned());
    for number in 0..count {
        let (command, answer) = match rng.below(8) {
            0..=2 => (format!("who {number}"), format!("{name} {number}")),
            3 => {
                let bytes = 1 + rng.below(90_000);
                (format!("say {bytes}"), "x".repeat(bytes))
            }
            4..=5 => {
                name = format!("user{number}");
                (format!("auth {}:{name}", rng.pick(&["now", "later"])), "Ok(())".to_owned())
            }
            6 => ("auth bad".to_owned(), "Err(Invalid)".to_owned()),
            _ => ("auth lost:x".to_owned(), "Err(Unavailable)".to_owned()),
        };
        commands.push(command);
        answers.push(answer);
    }
    (commands, answers)
}

#[test]
fn answers_follow_from_the_requests_and_from_nothing_else() {
    for seed in 0..super::number("MILLRACE_SEEDS").unwrap_or(40) {
        let mut rng = Rng::new(seed);
        let mut scene = Scene::with(Probe::default(), (*named("nobody")).clone(), 0);
        scene.stage.wires.borrow_mut().rough = true;
        let (commands, answers) = commands(&mut rng, 60);
        let mut left: Vec<u8> =
            commands.iter().flat_map(|text| masked(Opcode::Text, text.as_bytes())).collect();
        for _ in 0..3000 {
            match rng.below(5) {
                0 => {
                    let most = rng.below(200).min(left.len());
                    let bytes: Vec<u8> = left.drain(..most).collect();
                    scene.stage.wires.borrow_mut().send(scene.key, &bytes);
                }
                1 => scene.oracle.speak(),
                2 => scene.stage.chaos.pass(rng.below(3000) as u64),
                _ => {
                    let most = rng.pick(&[100, 10_000, 1 << 20]);
                    scene.listen(most);
                }
            }
            scene.stage.turn();
        }
        scene.oracle.speak();
        let heard = scene.heard();
        assert!(heard == answers, "seed {seed}: {} answers of {}", heard.len(), answers.len());
    }
}

#[test]
fn all_readers_hear_the_newest_notice_once() {
    let mut scene = Scene::new();
    let topic = scene.stage.recorder.registry().find("a").unwrap();
    ["old", "new"].iter().for_each(|text| topic.notify(text.as_bytes().to_vec()));
    scene.stage.turn();
    assert_eq!(scene.heard(), ["new"]);
    scene.stage.pass(4);
    assert_eq!(scene.heard(), [""; 0]);
    topic.notify(b"newer".to_vec());
    scene.stage.turn();
    assert_eq!(scene.heard(), ["newer"]);
}

#[test]
fn the_last_reader_may_leave_over_a_notice() {
    let mut scene = Scene::with(Probe { shy: true }, (*named("ann")).clone(), 0);
    scene.stage.recorder.registry().find("a").unwrap().notify(b"boo".to_vec());
    scene.stage.turn();
    assert_eq!(scene.heard(), ["boo", "close 1008"]);
    assert_eq!(scene.stage.recorder.registry().find("a").unwrap().subscribers(), 0);
}

#[test]
fn a_dialect_is_woken_once_when_it_last_asked_to_be() {
    let mut scene = Scene::new();
    scene.send(&["wake 5000", "wake 400", "wake 1000"]);
    scene.stage.pass(3);
    assert_eq!(scene.heard(), [""; 0], "replaced by a later time");
    scene.stage.pass(2);
    assert_eq!(scene.heard(), ["due"]);
    scene.send(&["wake 90000", "wake 300"]);
    scene.stage.pass(2);
    assert_eq!(scene.heard(), ["due"]);
    scene.send(&["wake 90000"]);
    scene.stage.pass(4 * 89);
    assert_eq!(scene.heard(), [""; 0], "what was replaced by an earlier time is gone");
    scene.stage.pass(6);
    assert_eq!(scene.heard(), ["due"]);
    scene.send(&["wake 99999999999"]);
    scene.stage.pass(8);
    assert_eq!(scene.heard(), [""; 0], "far is not past");
}

#[test]
fn a_credential_that_ends_ends_the_connection_unless_it_is_renewed() {
    let mut identity = (*named("ann")).clone();
    let mut scene = Scene::new();
    identity.expires_ms = Some(scene.stage.chaos.now().unix_ms + 100_000);
    scene.key = scene.stage.open(Transport::WebSocket, Box::new(Probe::default()), identity.clone());
    let other = scene.stage.open(Transport::WebSocket, Box::new(Probe::default()), identity);
    scene.stage.pass(4 * 99);
    scene.send(&["auth now:ann", "who 1"]);
    assert_eq!(scene.heard(), ["Ok(())", "ann 1"]);
    scene.stage.pass(6);
    scene.send(&["who 2"]);
    assert_eq!(scene.heard(), ["ann 2"]);
    (scene.key, scene.stream) = (other, Stream::headless(Transport::WebSocket));
    assert_eq!(scene.heard(), ["close 1008"]);
}
