use proptest::prelude::*;
use serde_json::Value;

use super::*;

const WINDOW_MS: u64 = 100;

fn at(millis: u64) -> Now {
    Now { unix_ms: millis, micros: millis * 1000 }
}

fn body(event: &str, data: &str) -> Body {
    Body::new(&Parts { event, data: data.as_bytes(), ..Parts::default() })
}

fn thought(content: &str) -> Body {
    body(THINKING, &format!("{{\"thoughts\":[{{\"content\":\"{content}\"}}],\"batch_size\":1}}"))
}

fn gate() -> AnalysisGate {
    AnalysisGate::new("a", WINDOW_MS)
}

/// Contents of thoughts with a `+` between those that go together, and the names of other events.
fn shown(events: &[Body]) -> Vec<String> {
    let contents = |body: &Body| {
        let data: Value = serde_json::from_slice(body.data()).unwrap();
        let thoughts = data["thoughts"].as_array().unwrap();
        assert_eq!(data["batch_size"], thoughts.len());
        thoughts.iter().map(|thought| thought["content"].as_str().unwrap()).collect::<Vec<_>>().join("+")
    };
    let one = |body: &Body| if body.event() == THINKING { contents(body) } else { body.event().into() };
    events.iter().map(one).collect()
}

#[test]
fn thoughts_wait_for_their_window_and_no_longer() {
    let (mut gate, mut out) = (gate(), Vec::new());
    assert!(!gate.offer(thought("a"), at(10), &mut out));
    assert!(!gate.offer(thought("b"), at(60), &mut out));
    assert_eq!(gate.due_micros(), Some(110_000), "the first one counts");
    gate.flush(at(110), &mut out);
    assert_eq!((shown(&out), gate.due_micros()), (vec!["a+b".to_owned()], None));
    assert!(!gate.offer(thought("c"), at(200), &mut out));
    assert!(!gate.offer(thought("d"), at(300), &mut out), "a window that is over is over");
    assert_eq!(shown(&out), ["a+b", "c"]);
}

#[test]
fn another_event_sends_them_ahead() {
    let (mut gate, mut out) = (gate(), Vec::new());
    gate.offer(thought("a"), at(10), &mut out);
    assert!(gate.offer(body("x", "1"), at(11), &mut out));
    assert!(gate.offer(body("y", "1"), at(12), &mut out));
    assert_eq!((shown(&out), gate.due_micros()), (vec!["a".into(), "x".into(), "y".into()], None));
}

#[test]
fn as_many_as_may_wait_go_at_once() {
    let (mut gate, mut out) = (gate(), Vec::new());
    for _ in 1..ANALYSIS_THOUGHTS_MAX {
        assert!(!gate.offer(thought("a"), at(10), &mut out));
    }
    assert!(out.is_empty());
    assert!(gate.offer(thought("a"), at(10), &mut out), "the last one goes with them");
    assert_eq!((out.len(), gate.due_micros()), (1, None));
}

#[test]
fn what_is_large_does_not_wait() {
    let (mut gate, mut out) = (gate(), Vec::new());
    assert!(!gate.offer(thought("a"), at(10), &mut out));
    let large = "x".repeat(ANALYSIS_THOUGHT_BYTES_MAX);
    assert!(gate.offer(thought(&large), at(10), &mut out));
    assert_eq!(shown(&out), ["a".to_owned(), large]);
}

#[test]
fn the_first_id_is_that_of_all() {
    let (mut gate, mut out) = (gate(), Vec::new());
    let with_id = |id| {
        let thought = thought("a");
        Body::new(&Parts { id, ..thought.parts() })
    };
    gate.offer(with_id("first"), at(10), &mut out);
    gate.offer(with_id("second"), at(10), &mut out);
    gate.flush(at(10), &mut out);
    gate.offer(thought("b"), at(10), &mut out);
    gate.flush(at(10), &mut out);
    assert_eq!(out.iter().map(Body::id).collect::<Vec<_>>(), ["first", ""]);
}

#[test]
fn what_has_more_to_say_goes_alone() {
    let tags = ["t".into()];
    let plain = thought("a");
    let attributed = [
        Parts { key: "k", ..plain.parts() },
        Parts { tags: &tags, ..plain.parts() },
        Parts { idempotency_key: "i", ..plain.parts() },
        Parts { data: br#"{"thoughts":[{"content":"a"}],"more":[1],"batch_size":1}"#, ..plain.parts() },
    ];
    for parts in attributed {
        let (mut gate, mut out) = (gate(), Vec::new());
        gate.offer(thought("b"), at(10), &mut out);
        assert!(gate.offer(Body::new(&parts), at(10), &mut out), "{parts:?}");
        assert_eq!((out.len(), out[1].data()), (2, parts.data));
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_put_out_of_order(
        events in prop::collection::vec((any::<bool>(), 0u64..80, 0usize..40_000), 0..60),
    ) {
        let (mut gate, mut out, mut millis) = (gate(), Vec::new(), 0);
        let (mut offered, mut held) = (Vec::new(), 0);
        for (number, (is_thought, wait, bytes)) in events.iter().enumerate() {
            millis += wait;
            let content = format!("{number}{}", "x".repeat(*bytes));
            let passed = match is_thought {
                true => gate.offer(thought(&content), at(millis), &mut out),
                false => gate.offer(body(&content, "1"), at(millis), &mut out),
            };
            held = if passed { 0 } else { held + 1 };
            prop_assert!(*is_thought || passed);
            prop_assert_eq!(gate.due_micros().is_some(), !passed);
            prop_assert!(gate.due_micros().is_none_or(|due| due > millis * 1000 && due <= (millis + WINDOW_MS) * 1000));
            prop_assert!(gate.held.thoughts.len() <= ANALYSIS_THOUGHT_BYTES_MAX && gate.held.count < ANALYSIS_THOUGHTS_MAX);
            offered.push(content);
        }
        gate.flush(at(millis), &mut out);
        let came_out: Vec<_> = shown(&out).iter().flat_map(|one| one.split('+').map(str::to_owned).collect::<Vec<_>>()).collect();
        prop_assert_eq!(came_out, offered);
    }
}
