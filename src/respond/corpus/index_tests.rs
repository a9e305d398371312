//! What is found, and how sure that is.

use std::cell::RefCell;

use proptest::prelude::*;

use super::super::terms::terms;
use super::super::{cut, manual};
use super::*;

/// The manual of the demo.
fn manual() -> Index {
    Index::new(manual::documents().iter().flat_map(cut::cut)).unwrap()
}

fn passage(source: &str, heading: &str, text: &str) -> Passage {
    Passage { source: source.into(), heading: heading.into(), text: text.into() }
}

fn ask(index: &mut Index, question: &str, earlier: &[&str]) -> Found {
    index.find(&terms(question, earlier.iter().copied())).unwrap()
}

#[test]
fn the_manual_answers_questions_about_the_car() {
    let mut index = manual();
    let table = [
        ("What is the engine power?", "engine.md", "110 kW"),
        ("How much torque does it have?", "engine.md", "250 Nm"),
        ("what's the top speed", "engine.md", "212 km/h"),
        ("How big is the fuel tank?", "fuel.md", "50 litres"),
        ("What is the fuel consumption?", "fuel.md", "5.8 litres"),
        ("how long is the car, and how wide?", "dimensions.md", "4,382 mm"),
        ("Which tyre pressure?", "tyres.md", "2.3 bar"),
        ("What size of tires?", "tyres.md", "205/55"),
        ("How often is the oil changed?", "maintenance.md", "15,000 km"),
        ("When must the brake fluid be replaced", "maintenance.md", "2 years"),
        ("How do I book an appointment?", "booking.md", "by telephone"),
        ("My car won't start, it is so cold", "starting-problems.md", "preheat"),
        ("jump starting", "starting-problems.md", "red cable"),
        ("What does the flashing yellow engine light mean?", "warning-lights.md", "misfires"),
        ("blue smoke out of the exhaust", "troubleshooting.md", "that oil is"),
    ];
    for (question, source, words) in table {
        let found = ask(&mut index, question, &[]);
        let says = |passage: &Passage| passage.source == source && passage.text.contains(words);
        assert!(found.passages.iter().any(says), "{question}: {found:#?}");
        assert!(found.confidence >= 0.5, "{question}: {}", found.confidence);
    }
    let found = ask(&mut index, "What is the engine power?", &[]);
    assert!(
        found.confidence > 0.8 && found.passages[0].text.starts_with("The engine power of"),
        "{found:#?}"
    );
}

#[test]
fn what_the_documents_do_not_say_is_not_found_or_not_sure() {
    let mut index = manual();
    for question in ["Who was Napoleon?", "quantum chromodynamics", "", "🚗", "is it what it is"] {
        assert_eq!(ask(&mut index, question, &[]), Found::default(), "{question}");
    }
    for question in [
        "How much power does the rocket engine of a Saturn have?",
        "Who wrote the novel about winter in Oslo?",
    ] {
        let found = ask(&mut index, question, &[]);
        assert!(found.confidence < 0.5, "{question}: {found:#?}");
    }
}

#[test]
fn a_short_question_is_understood_from_the_one_before() {
    let mut index = manual();
    let found = ask(&mut index, "and of the diesel?", &["What is the fuel consumption?"]);
    assert!(found.passages[0].text.contains("4.5 litres"), "{found:#?}");
    let found = ask(&mut index, "and of the diesel?", &["What is the engine power?"]);
    assert!(found.passages[0].text.contains("96 kW"), "{found:#?}");
    let found = ask(&mut index, "and Napoleon?", &["What is the engine power?"]);
    assert_eq!(found, Found::default());
}

#[test]
fn stems_accents_and_case_do_not_count() {
    let mut index =
        Index::new([passage("a", "Küche", "Das ÖL wird gewechselt, walking"), passage("b", "", "nothing")])
            .unwrap();
    for question in ["öl", "OL", "kuche", "walked"] {
        assert_eq!(ask(&mut index, question, &[]).passages.len(), 1, "{question}");
    }
}

#[test]
fn few_words_are_little_evidence() {
    let mut index =
        Index::new([passage("a", "", "red green blue"), passage("b", "", "red"), passage("c", "", "grey")])
            .unwrap();
    let mut sure = |question| ask(&mut index, question, &[]).confidence;
    assert!(sure("red") < sure("red green") && sure("red green") < sure("red green blue"));
    assert!(sure("red green blue") <= CONFIDENCE_MAX && sure("red") > 0.5);
    assert!(sure("green purple") < sure("green"));
    assert_eq!(ask(&mut index, "red green", &[]).passages[0].source, "a");
}

#[test]
fn an_empty_index_has_nothing() {
    assert_eq!(ask(&mut Index::new([]).unwrap(), "engine power", &["before"]), Found::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is asked is no query that SQLite would refuse, and confidence stays what it is.
    #[test]
    fn no_question_fails(question in "\\PC{0,200}|([a-z\"'*:^(){}+\\-\u{0}]|NEAR|AND|OR|NOT| ){0,60}", earlier in "\\PC{0,40}") {
        thread_local! { static INDEX: RefCell<Index> = RefCell::new(manual()) }
        let found = INDEX.with_borrow_mut(|index| index.find(&terms(&question, [&*earlier]))).unwrap();
        prop_assert!((0.0..=CONFIDENCE_MAX).contains(&found.confidence));
        prop_assert_eq!(found.passages.is_empty(), found.confidence == 0.0);
    }
}
