//! What the model can have done.

use std::time::Duration;

use millrace::respond::openai::Tool;
use serde_json::{Value, json};

use super::reader::{Event, ask, done, failed, pieces, server, server_with};
use super::upstream::{Play, Upstream, chunk, play, refuses, says};

/// Wants `name` done with `args`, said in two pieces.
pub fn calls(name: &'static str, args: &'static str) -> Play {
    play(move |call| {
        call.stream();
        let (first, second) = args.split_at(args.len() / 2);
        let function = json!({"name": name, "arguments": first});
        let piece = json!({"index": 0, "id": "call_7", "type": "function", "function": function});
        call.event(&chunk(json!({"role": "assistant", "content": null, "tool_calls": [piece]})));
        let piece = json!({"index": 0, "function": {"arguments": second}});
        call.event(&chunk(json!({"tool_calls": [piece]})));
        call.done("tool_calls");
    })
}

fn tool(url: &str) -> Tool {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    Tool::new("weather", url, ("Tells the weather", schema), Duration::from_secs(2), Some("tool-secret"))
        .unwrap()
}

/// What of `events` concerns tools.
fn work(events: &[Event]) -> Vec<Value> {
    let of_tools = |event: &&Event| event.0.starts_with("tool_");
    let without_place = |(_, data): &Event| {
        let mut data = data.clone();
        data.as_object_mut()
            .unwrap()
            .retain(|name, _| ["type", "tool", "args", "result"].contains(&name.as_str()));
        data
    };
    events.iter().filter(of_tools).map(without_place).collect()
}

fn called(args: Value) -> Value {
    json!({"type": "tool_call", "tool": "weather", "args": args})
}

fn returned(result: Value) -> Value {
    json!({"type": "tool_result", "tool": "weather", "result": result})
}

#[test]
fn a_tool_is_called_and_the_model_goes_on_with_its_result() {
    let webhook = Upstream::start(vec![refuses("200 OK", "", "{\"degrees\":\n 21}")]);
    let model = Upstream::start(vec![calls("weather", r#"{"city":"Köln"}"#), says(&["It is ", "21 °C."])]);
    let url = webhook.url.clone();
    let server = server_with(&model, "", move |_| vec![tool(&url)]);
    let events = ask(&server, "s", "How warm is it?");
    assert_eq!(work(&events), [called(json!({"city": "Köln"})), returned(json!({"degrees": 21}))]);
    assert_eq!(done(&events)["output"], "It is 21 °C.");
    let asked = webhook.only();
    assert!(asked.head.starts_with("POST /v1 HTTP/1.1\r\n"), "{}", asked.head);
    assert!(asked.head.contains("authorization: Bearer tool-secret\r\n"), "{}", asked.head);
    assert_eq!(
        (&asked.body["tool"], &asked.body["arguments"]),
        (&json!("weather"), &json!({"city": "Köln"}))
    );
    assert_eq!((&asked.body["session_id"], &asked.body["agent_id"]), (&json!("s"), &json!("assistant")));
    let seen = model.seen();
    assert_eq!(seen[0].body["tools"][0]["function"]["name"], "weather");
    assert_eq!(seen[0].body["tools"][0]["function"]["parameters"]["type"], "object");
    let messages = seen[1].body["messages"].as_array().unwrap();
    let [.., call, result] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!((&call["role"], &call["tool_calls"][0]["id"]), (&json!("assistant"), &json!("call_7")));
    assert_eq!(call["tool_calls"][0]["function"]["arguments"], r#"{"city":"Köln"}"#);
    assert_eq!(*result, json!({"role": "tool", "tool_call_id": "call_7", "content": "{\"degrees\":21}"}));
}

#[test]
fn what_does_not_work_is_told_to_the_model() {
    let webhook = Upstream::start(vec![
        refuses("500 Internal Server Error", "", "tool-secret"),
        play(|call| call.wait_for_cut()),
        refuses("200 OK", "", "sunny"),
    ]);
    let url = webhook.url.clone();
    let model = Upstream::start(vec![
        calls("weather", "{}"),
        calls("weather", ""),
        calls("weather", "{}"),
        calls("weather", r#"{"city":"#),
        calls("wether", "{}"),
        says(&["Well."]),
    ]);
    let server = server_with(&model, "", move |_| vec![tool(&url)]);
    let events = ask(&server, "s", "How warm is it?");
    let failed = json!({"error": "the tool has failed"});
    let work = work(&events);
    assert_eq!(
        work[..6],
        [
            called(json!({})),
            returned(failed.clone()),
            called(json!({})),
            returned(failed),
            called(json!({})),
            returned(json!("sunny"))
        ]
    );
    assert_eq!(
        work[6..8],
        [
            called(json!({"malformed": "{\"city\":"})),
            returned(json!({"error": "the arguments are no JSON object"}))
        ]
    );
    assert_eq!(work[9]["result"], json!({"error": "there is no tool of this name"}));
    assert_eq!(done(&events)["output"], "Well.");
}

#[test]
fn a_model_that_calls_without_end_is_ended() {
    let model = Upstream::start((0..9).map(|_| calls("weather", "{}")).collect());
    let webhook = Upstream::start((0..9).map(|_| refuses("200 OK", "", "{}")).collect());
    let url = webhook.url.clone();
    let server = server_with(&model, "tool_rounds = 2", move |_| vec![tool(&url)]);
    let events = ask(&server, "s", "How warm is it?");
    assert_eq!(failed(&events).0, "PROCESSING_ERROR");
    let seen = model.seen();
    assert_eq!((seen.len(), webhook.seen().len()), (3, 2));
    assert!(seen[1].body.get("tool_choice").is_none());
    assert_eq!(seen[2].body["tool_choice"], "none", "the last time it has to answer");
}

#[test]
fn without_tools_none_is_offered() {
    let model = Upstream::start(vec![calls("weather", "{}"), says(&["Well."])]);
    let server = server(&model, "");
    let events = ask(&server, "s", "How warm is it?");
    assert_eq!(work(&events)[1], returned(json!({"error": "there is no tool of this name"})));
    assert_eq!(pieces(&events), ["Well."]);
    assert!(model.seen().iter().all(|seen| seen.body.get("tools").is_none()));
}

#[test]
fn trouble_after_a_tool_was_called_is_tried_again() {
    let webhook = Upstream::start(vec![refuses("200 OK", "", "{}")]);
    let model = Upstream::start(vec![
        calls("weather", "{}"),
        refuses("503 Service Unavailable", "", ""),
        says(&["Yes."]),
    ]);
    let url = webhook.url.clone();
    let server = server_with(&model, "", move |_| vec![tool(&url)]);
    let events = ask(&server, "s", "How warm is it?");
    assert_eq!(done(&events)["output"], "Yes.");
    assert_eq!((model.seen().len(), webhook.seen().len()), (3, 1), "the tool is called once");
}
