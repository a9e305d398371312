use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::engine::Parts;
use crate::limits::ANALYSIS_AGENTS_MAX;

fn at(seconds: u64) -> Now {
    Now { unix_ms: 1_767_441_600_000 + seconds * 1000, micros: (seconds + 5) * 1_000_000 }
}

fn see(progress: &mut Progress, event: &str, data: &Value, now: Now) {
    let data = data.to_string();
    progress.observe(&Body::new(&Parts { event, data: data.as_bytes(), ..Parts::default() }), now);
}

fn told(progress: &Progress, now: Now) -> Value {
    serde_json::from_slice(&progress.write(now)).unwrap()
}

/// Progress after events at given seconds.
fn after(events: &[(u64, &str, Value)]) -> Progress {
    let mut progress = Progress::new("a");
    events.iter().for_each(|(second, event, data)| see(&mut progress, event, data, at(*second)));
    progress
}

fn eta(progress: &Progress, second: u64) -> Value {
    told(progress, at(second))["estimated_time_remaining_seconds"].clone()
}

#[test]
fn the_example_of_the_document() {
    let agent = |id: &str| json!({"agent_id": id});
    let progress = after(&[
        (0, "pipeline_started", json!({"bill_id": "bill-123", "agents": ["a", "b", "c", "d"]})),
        (0, "stage_changed", json!({"stage": "analyzing"})),
        (0, "agent_started", agent("a")),
        (0, "agent_started", agent("b")),
        (15, "agent_completed", agent("a")),
        (15, "agent_completed", agent("b")),
        (15, "agent_started", agent("c")),
        (15, "agent_started", agent("d")),
    ]);
    let expected = json!({
        "analysis_id": "a", "bill_id": "bill-123", "stage": "analyzing", "stage_progress": 0.5,
        "agents_complete": 2, "agents_total": 4, "debates_complete": 0, "debates_expected": 1,
        "estimated_time_remaining_seconds": 25, "elapsed_seconds": 20.0, "start_time": "2026-01-03T12:00:00.000Z",
    });
    assert_eq!(told(&progress, at(20)), expected);
}

#[test]
fn nothing_is_known_before_an_event_tells_something() {
    let progress = after(&[(0, "error", json!({"error": "e"})), (1, "note", json!(1))]);
    assert_eq!(progress.summary(at(2)), None);
    let progress = after(&[(0, "agent_started", json!({"agent_id": "a"}))]);
    assert!(progress.summary(at(2)).is_some());
    assert_eq!(
        (eta(&progress, 2), told(&progress, at(2))["elapsed_seconds"].clone()),
        (Value::Null, json!(2.0))
    );
}

#[test]
fn agents_are_counted_once_each() {
    let a = || json!({"agent_id": "a"});
    let progress = after(&[
        (0, "agent_started", a()),
        (1, "agent_started", a()),
        (2, "agent_completed", a()),
        (3, "agent_completed", a()),
        (4, "agent_completed", json!({"agent_id": "unseen"})),
    ]);
    let told = told(&progress, at(5));
    assert_eq!((&told["agents_complete"], &told["agents_total"]), (&json!(2), &json!(2)));
}

#[test]
fn a_publisher_may_say_any_number() {
    let most = u64::MAX;
    let progress = after(&[
        (0, "agent_started", json!({"agent_id": "a"})),
        (1, "debate_started", json!({})),
        (
            2,
            "progress_update",
            json!({"agents_complete": most, "debates_complete": most, "estimated_time_remaining_seconds": 1e308}),
        ),
        (3, "agent_started", json!({"agent_id": "b"})),
        (4, "agent_completed", json!({"agent_id": "a"})),
        (5, "debate_started", json!({})),
        (6, "debate_started", json!({})),
    ]);
    let told = told(&progress, at(7));
    assert_eq!((&told["agents_complete"], &told["debates_expected"]), (&json!(most), &json!(most)));
}

#[test]
fn one_that_begins_again_is_not_complete() {
    let a = || json!({"agent_id": "a"});
    let progress =
        after(&[(0, "agent_started", a()), (1, "agent_completed", a()), (2, "agent_started", a())]);
    let told = told(&progress, at(5));
    assert_eq!((&told["agents_complete"], &told["agents_total"]), (&json!(0), &json!(1)));
}

#[test]
fn without_a_name_the_one_that_began_first_has_finished() {
    let progress = after(&[
        (0, "agent_started", json!({"agent_id": "a"})),
        (10, "agent_started", json!({"agent_id": "b"})),
        (20, "agent_completed", json!({"findings_count": 3})),
    ]);
    // The mean is 20 s, of which b has had 10.
    assert_eq!(eta(&progress, 20), json!(10));
}

#[test]
fn debates_follow_one_another() {
    let debate = || json!({"round_number": 1});
    let mut progress = after(&[(0, "debate_started", debate()), (10, "debate_started", debate())]);
    let counts = |progress: &Progress| {
        let told = told(progress, at(20));
        (told["debates_complete"].clone(), told["debates_expected"].clone(), told["stage_progress"].clone())
    };
    assert_eq!(counts(&progress), (json!(1), json!(2), json!(0.5)));
    see(
        &mut progress,
        "debate_convergence",
        &json!({"convergence_score": 0.5, "threshold_met": false}),
        at(12),
    );
    assert_eq!(counts(&progress).0, json!(1));
    see(
        &mut progress,
        "debate_convergence",
        &json!({"convergence_score": 0.9, "threshold_met": true}),
        at(14),
    );
    see(&mut progress, "consensus_reached", &json!({"consensus_level": "strong"}), at(15));
    assert_eq!(counts(&progress), (json!(2), json!(2), json!(1.0)));
}

#[test]
fn at_the_end_nothing_remains_and_time_stands_still() {
    let progress = after(&[
        (0, "pipeline_started", json!({"bill_id": "b"})),
        (30, "analysis_complete", json!({})),
        (40, "analysis_summary", json!({})),
        (41, "stage_changed", json!({"stage": "archived"})),
    ]);
    let told = told(&progress, at(100));
    assert_eq!((&told["stage"], &told["stage_progress"]), (&json!("archived"), &json!(1.0)));
    assert_eq!((&told["elapsed_seconds"], eta(&progress, 100)), (&json!(30.0), json!(0)));
    assert_eq!(told["debates_expected"], json!(0));
}

#[test]
fn a_pipeline_that_starts_again_forgets_the_last() {
    let progress = after(&[
        (0, "pipeline_started", json!({"bill_id": "b", "agents": [1, 2, 3]})),
        (1, "agent_started", json!({"agent_id": "a"})),
        (9, "analysis_complete", json!({})),
        (10, "pipeline_started", json!({"bill_id": "c"})),
    ]);
    let told = told(&progress, at(12));
    assert_eq!(
        (&told["bill_id"], &told["agents_total"], &told["elapsed_seconds"]),
        (&json!("c"), &json!(0), &json!(2.0))
    );
    assert_eq!(told["stage"], json!(FIRST_STAGE));
}

#[test]
fn an_agent_that_takes_longer_than_others_is_still_at_work() {
    let progress = after(&[
        (0, "agent_started", json!({"agent_id": "a"})),
        (0, "agent_started", json!({"agent_id": "b"})),
        (10, "agent_completed", json!({"agent_id": "a"})),
    ]);
    assert_eq!(eta(&progress, 300), json!(1));
}

#[test]
fn what_was_last_counts_most() {
    let mut progress = Progress::new("a");
    for (second, agent) in [(0, "a"), (10, "b"), (20, "c")] {
        see(&mut progress, "agent_started", &json!({"agent_id": agent}), at(second));
        see(
            &mut progress,
            "agent_completed",
            &json!({"agent_id": agent}),
            at(second + if agent == "c" { 20 } else { 10 }),
        );
    }
    see(&mut progress, "agent_started", &json!({"agent_id": "d"}), at(40));
    assert_eq!(eta(&progress, 40), json!(13), "10, 10 and 20 with a weight of 0.3");
}

#[test]
fn what_the_publisher_estimates_counts_down_until_something_better_is_known() {
    let mut progress = after(&[(0, "progress_update", json!({"estimated_time_remaining_seconds": 45.5}))]);
    assert_eq!((eta(&progress, 0), eta(&progress, 40), eta(&progress, 50)), (json!(46), json!(6), json!(0)));
    see(&mut progress, "agent_started", &json!({"agent_id": "a"}), at(50));
    see(&mut progress, "agent_started", &json!({"agent_id": "b"}), at(50));
    see(&mut progress, "agent_completed", &json!({"agent_id": "a"}), at(57));
    assert_eq!(eta(&progress, 57), json!(1), "b began when a did");
}

#[test]
fn agents_beyond_the_bound_are_still_counted() {
    let mut progress = Progress::new("a");
    let agents = ANALYSIS_AGENTS_MAX + 50;
    for number in 0..agents {
        see(&mut progress, "agent_started", &json!({"agent_id": number.to_string()}), at(0));
    }
    for number in 0..agents {
        see(&mut progress, "agent_completed", &json!({"agent_id": number.to_string()}), at(1));
    }
    let told = told(&progress, at(2));
    assert_eq!((&told["agents_complete"], &told["agents_total"]), (&json!(agents), &json!(agents)));
}

#[test]
fn members_of_other_types_tell_nothing() {
    let progress = after(&[(
        0,
        "agent_started",
        json!({"agent_id": "a", "stage": 7, "agents": {}, "threshold_met": "x"}),
    )]);
    assert_eq!(told(&progress, at(0))["agents_total"], json!(1));
}

fn any_event() -> impl Strategy<Value = (&'static str, Value)> {
    let agent = || (0u8..6).prop_map(|agent| json!({"agent_id": agent.to_string()}));
    let numbers = (any::<u32>(), any::<u32>(), -1e12..1e12f64);
    prop_oneof![
        (0usize..9)
            .prop_map(|agents| ("pipeline_started", json!({"bill_id": "b", "agents": vec![1; agents]}))),
        Just(("stage_changed", json!({"stage": "s"}))),
        agent().prop_map(|data| ("agent_started", data)),
        agent().prop_map(|data| ("agent_completed", data)),
        Just(("agent_completed", json!({}))),
        Just(("debate_started", json!({"round_number": 1}))),
        any::<bool>()
            .prop_map(|met| ("debate_convergence", json!({"convergence_score": 1, "threshold_met": met}))),
        Just(("consensus_reached", json!({"consensus_level": 1}))),
        Just(("analysis_complete", json!({}))),
        numbers.prop_map(|(a, b, eta)| {
            let data = json!({
                "agents_complete": a, "agents_total": b, "debates_complete": b, "debates_expected": a,
                "stage_progress": eta, "estimated_time_remaining_seconds": eta,
            });
            ("progress_update", data)
        }),
    ]
}

proptest! {
    #[test]
    fn progress_is_sane_whatever_comes(events in prop::collection::vec((0u64..30, any_event()), 0..60), wait in 0u64..100) {
        let (mut progress, mut second) = (Progress::new("a"), 0);
        for (later, (event, data)) in &events {
            second += later;
            see(&mut progress, event, data, at(second));
            let said = told(&progress, at(second));
            let number = |name: &str| said[name].as_f64().unwrap();
            prop_assert!(number("agents_complete") <= number("agents_total"));
            prop_assert!(number("debates_complete") <= number("debates_expected"));
            prop_assert!((0.0..=1.0).contains(&number("stage_progress")));
            prop_assert!(number("elapsed_seconds") <= second as f64);
            prop_assert!(said["estimated_time_remaining_seconds"].as_u64().is_some() || eta(&progress, second).is_null());
            if *event == "analysis_complete" {
                prop_assert_eq!(eta(&progress, second), json!(0));
            }
        }
        // Nothing happens: what remains does not grow.
        prop_assert!(eta(&progress, second + wait).as_u64() <= eta(&progress, second).as_u64());
    }

    #[test]
    fn the_estimate_is_no_longer_than_all_that_remains_one_after_another(
        agents in 1u64..8, done in 1u64..8, each in 1u64..60,
    ) {
        let done = done.min(agents);
        let mut progress = Progress::new("a");
        see(&mut progress, "pipeline_started", &json!({"bill_id": "b", "agents": vec![1; agents as usize]}), at(0));
        for agent in 0..done {
            see(&mut progress, "agent_started", &json!({"agent_id": agent.to_string()}), at(agent * each));
            see(&mut progress, "agent_completed", &json!({"agent_id": agent.to_string()}), at((agent + 1) * each));
        }
        // One debate is expected to take as long as an agent.
        prop_assert_eq!(eta(&progress, done * each), json!((agents - done + 1) * each));
    }
}
