//! Answers as they should be, and what the model is told before.

use serde_json::json;

use super::reader::{KEY, Stream, ask, done, failed, pieces, server, steps};
use super::upstream::{Upstream, chunk, play, says};

#[test]
fn an_answer_comes_token_by_token() {
    let upstream = Upstream::that_says(&["The ", "engine", " has 110 kW."]);
    let server = server(&upstream, "temperature = 0.5\nmax_tokens = 77");
    let events = ask(&server, "s", "What is the engine power?");
    assert_eq!(pieces(&events), ["The ", "engine", " has 110 kW."]);
    assert_eq!(steps(&events), ["starting", "agent_routing", "rag_retrieval", "generating"]);
    let done = done(&events);
    assert_eq!(done["output"], "The engine has 110 kW.");
    assert_eq!(done["metadata"]["confidence"], json!(null));
    assert_eq!(done["metadata"]["context"]["sources"], json!(["manual.md", "faq.md"]));
    let seen = upstream.only();
    assert!(seen.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", seen.head);
    assert!(seen.head.contains(&format!("authorization: Bearer {KEY}\r\n")), "{}", seen.head);
    assert!(seen.head.contains("accept: text/event-stream\r\n"), "{}", seen.head);
    let said = &seen.body;
    assert_eq!((&said["model"], &said["stream"]), (&json!("the-model"), &json!(true)));
    assert_eq!((&said["temperature"], &said["max_tokens"]), (&json!(0.5), &json!(77)));
    assert!(said.get("tools").is_none() && said.get("tool_choice").is_none());
}

#[test]
fn the_model_is_told_what_is_known_and_what_was_said() {
    let upstream = Upstream::start(vec![says(&["First."]), says(&["Second."])]);
    let server = server(&upstream, "prompt = \"You are brief.\"\npassages = 2");
    ask(&server, "s", "One?");
    let more = json!({"agent_id": "specs", "context": {"vehicle": "X1"}});
    let events = Stream::ask(&server, "s", "Two?", more).rest();
    assert_eq!(done(&events)["metadata"]["context"]["sources"], json!(["manual.md"]));
    let seen = upstream.seen();
    assert_eq!((&seen[0].body["model"], &seen[1].body["model"]), (&json!("the-model"), &json!("other")));
    assert!(seen[0].body.get("temperature").is_none() && seen[0].body.get("max_tokens").is_none());
    let messages = seen[1].body["messages"].as_array().unwrap();
    let system = messages[0]["content"].as_str().unwrap();
    let parts = [
        "You are brief.",
        "\"specs\": Technical questions",
        r#"{"vehicle":"X1"}"#,
        "[1] manual.md\nThe engine has 110 kW.",
        "[2] manual.md\nThe tank",
    ];
    let places: Vec<_> =
        parts.iter().map(|part| system.find(part).unwrap_or_else(|| panic!("{part} in {system}"))).collect();
    assert!(places.is_sorted(), "{system}");
    assert!(!system.contains("faq.md"), "{system}");
    let rest: Vec<_> =
        messages[1..].iter().map(|said| format!("{}: {}", said["role"], said["content"])).collect();
    assert_eq!(rest, [r#""user": "One?""#, r#""assistant": "First.""#, r#""user": "Two?""#]);
}

#[test]
fn pieces_may_be_cut_anywhere() {
    let upstream = Upstream::start(vec![play(|call| {
        call.stream();
        let text = format!(
            ": OPENROUTER PROCESSING\n\ndata: {}\n\ndata:{}\r\n\r\n",
            chunk(json!({"content": "Grüße, "})),
            chunk(json!({"content": "мир 😀"}))
        );
        for byte in text.as_bytes() {
            call.raw(&[*byte]);
        }
        // Half of a character in each, as some servers send what a token holds.
        call.raw(b"data: {\"choices\":[{\"delta\":{\"content\":\"!\\ud83d\"}}]}\n\n");
        call.raw(b"data: {\"choices\":[{\"delta\":{\"content\":\"\\ude01\"}}]}\n\n");
        call.done("stop");
    })]);
    let server = server(&upstream, "");
    let events = ask(&server, "s", "Hello?");
    assert_eq!(pieces(&events), ["Grüße, ", "мир 😀", "!", "😁"]);
    assert_eq!(done(&events)["output"], "Grüße, мир 😀!😁");
}

#[test]
fn an_answer_that_comes_as_a_whole_is_taken() {
    let long = "é".repeat(5000);
    let said = long.clone();
    let upstream = Upstream::start(vec![play(move |call| {
        call.head("200 OK", "content-type: application/json\r\n");
        let message = json!({"role": "assistant", "content": said});
        call.raw(
            format!("\n {}", json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}))
                .as_bytes(),
        );
    })]);
    let server = server(&upstream, "");
    let events = ask(&server, "s", "Hello?");
    assert_eq!(done(&events)["output"], long.as_str());
    assert_eq!(pieces(&events).len(), 3, "in parts that readers take in at once");
}

#[test]
fn the_last_event_may_lack_its_line_breaks() {
    let upstream = Upstream::start(vec![play(|call| {
        call.stream();
        call.word("Yes.");
        call.raw(b"data: [DONE]");
    })]);
    let server = server(&upstream, "");
    assert_eq!(done(&ask(&server, "s", "Hello?"))["output"], "Yes.");
}

#[test]
fn readers_are_told_why_an_answer_is_short() {
    let ends = |reason: &'static str| {
        play(move |call| {
            call.stream();
            call.word("So");
            call.done(reason);
        })
    };
    let upstream = Upstream::start(vec![ends("length"), ends("content_filter"), ends("stop")]);
    let server = server(&upstream, "");
    for reason in ["length", "content_filter", "generating"] {
        let events = ask(&server, "s", "Hello?");
        assert_eq!(
            (done(&events)["output"].as_str(), steps(&events).last().unwrap().as_str()),
            (Some("So"), reason)
        );
    }
}

#[test]
fn an_answer_without_a_word_is_none() {
    let upstream = Upstream::that_says(&[]);
    let server = server(&upstream, "");
    let events = ask(&server, "s", "Hello?");
    assert_eq!(failed(&events).0, "PROCESSING_ERROR");
}

#[test]
fn answers_have_a_bound() {
    let upstream = Upstream::that_says(&["one ", "two ", "three"]);
    let server = server(&upstream, "[sessions]\nanswer_tokens = 2");
    let events = ask(&server, "s", "Hello?");
    assert_eq!((pieces(&events).len(), failed(&events).0), (2, "PROCESSING_ERROR"));
    assert_eq!(upstream.seen().len(), 1, "it is not asked again");
}
