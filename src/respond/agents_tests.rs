//! Which questions are for whom.

use std::sync::Arc;

use super::{Agent, Agents};
use crate::config;
use crate::respond::Nobody;

fn agent(name: &str, description: &str, keywords: &[&str]) -> Arc<Agent> {
    let keywords = keywords.iter().map(|word| (*word).into()).collect();
    Arc::new(Agent {
        name: name.into(),
        description: description.into(),
        keywords,
        responder: Arc::new(Nobody),
    })
}

/// Those of a configuration that names none.
fn defaults() -> Agents {
    let all = config::Agents::default().0.into_iter().map(|(name, said)| {
        let keywords: Vec<_> = said.keywords.iter().map(String::as_str).collect();
        agent(&name, &said.description, &keywords)
    });
    Agents::new(all.collect(), agent("assistant", "", &[]))
}

fn route(agents: &Agents, question: &str, earlier: &[&str]) -> String {
    agents.route(question, earlier.iter().copied()).name.to_string()
}

#[test]
fn questions_about_a_car_find_their_agent() {
    let table = [
        ("What is the engine power?", "specs"),
        ("WHAT IS THE ENGINE POWER?!", "specs"),
        ("How wide is it, and what are the dimensions?", "specs"),
        ("Which tyre pressures are right?", "specs"),
        ("How big is the fuel tank", "specs"),
        ("When is the next oil change due?", "maintenance"),
        ("I'd like to book an appointment", "maintenance"),
        ("How often do I replace the air filter?", "maintenance"),
        ("book a service for my engine", "maintenance"),
        ("The engine won't start", "troubleshooting"),
        ("My car won’t start in the morning", "troubleshooting"),
        ("What does the yellow engine warning light mean?", "troubleshooting"),
        ("There is smoke and a strange noise", "troubleshooting"),
        ("hello", "assistant"),
        ("", "assistant"),
        ("🚗🚗🚗", "assistant"),
        ("Is the pool heated?", "assistant"),
    ];
    let agents = defaults();
    for (question, expected) in table {
        assert_eq!(route(&agents, question, &[]), expected, "{question}");
    }
}

#[test]
fn keywords_are_whole_words_in_a_row() {
    let agents = Agents::new(
        vec![agent("oil", "", &["oil"]), agent("tea", "", &["hot water"])],
        agent("nobody", "", &[]),
    );
    let table = [
        ("boiling", "nobody"),
        ("Oils?", "oil"),
        ("(oil)", "oil"),
        ("water that is hot", "nobody"),
        ("Hot, water!", "tea"),
        ("hot water with oil", "tea"),
    ];
    for (question, expected) in table {
        assert_eq!(route(&agents, question, &[]), expected, "{question}");
    }
}

#[test]
fn descriptions_decide_among_equals_and_then_the_order() {
    let all = vec![
        agent("a", "Ships and the sea", &["x"]),
        agent("b", "Aeroplanes", &["x"]),
        agent("c", "Ships", &[]),
    ];
    let agents = Agents::new(all, agent("nobody", "", &[]));
    let table =
        [("x", "a"), ("x of an aeroplane", "b"), ("a ship", "a"), ("and the", "nobody"), ("aeroplanes", "b")];
    for (question, expected) in table {
        assert_eq!(route(&agents, question, &[]), expected, "{question}");
    }
}

#[test]
fn a_question_that_says_nothing_goes_where_the_one_before_went() {
    let agents = defaults();
    let earlier = ["hm", "book an appointment", "What is the engine power?"];
    assert_eq!(route(&agents, "and on Friday?", &earlier), "maintenance");
    assert_eq!(route(&agents, "and the torque?", &earlier), "specs");
}

#[test]
fn names_that_nobody_has_are_answered_by_the_fallback() {
    let agents = defaults();
    assert_eq!(&*agents.named("troubleshooting").name, "troubleshooting");
    assert_eq!(&*agents.named("agent_123").name, "assistant");
}
