//! What others are told of sessions by the channels, and who may read whose.

use serde_json::{Value, json};

use crate::script::{Event, Stream, ask, execute, follow, question, question_with, server};
use crate::support::{Client, Running, bearer, keys};

/// Sessions that end in each way.
fn happen(server: &Running) {
    for (id, goal) in [("good", "say 1"), ("bad", "say 1; fail RATE_LIMITED"), ("gone", "say 1; hang")] {
        let mut stream = execute(server, "", &question_with(goal, json!({"session_id": id})));
        stream.until("message");
        if id == "gone" {
            ask(server, "POST", "/v1/sessions/gone/cancel", "", &Value::Null);
        }
        stream.rest();
    }
}

/// Type, session, turn, status, and why.
fn shown(event: &Value) -> Value {
    let members = ["type", "session_id", "turn", "status", "error", "code"];
    members.iter().filter_map(|name| event.get(*name)).cloned().collect()
}

fn sessions() -> Vec<Value> {
    vec![
        json!(["session.created", "good", "idle"]),
        json!(["session.started", "good", 1, "running"]),
        json!(["session.completed", "good", 1, "success"]),
        json!(["session.created", "bad", "idle"]),
        json!(["session.started", "bad", 1, "running"]),
        json!(["session.failed", "bad", 1, "error", "as it was told", "RATE_LIMITED"]),
        json!(["session.created", "gone", "idle"]),
        json!(["session.started", "gone", 1, "running"]),
        json!(["session.cancelled", "gone", 1, "cancelled"]),
    ]
}

fn agents() -> Vec<Value> {
    vec![json!(["agent.error", "bad", 1, "error", "as it was told", "RATE_LIMITED"])]
}

#[test]
fn a_websocket_sees_what_becomes_of_sessions() {
    let server = server("");
    let mut client = Client::connect(&server.address, "/v1/ws", "");
    client.send(r#"{"type":"subscribe","channels":["sessions","agents"]}"#);
    assert!(client.text().starts_with(r#"{"type":"subscribed""#));
    happen(&server);
    let all: Vec<Value> = (0..10).map(|_| serde_json::from_str(&client.text()).unwrap()).collect();
    let of = |channel: &str| -> Vec<Value> {
        all.iter().filter(|event| event["channel"] == channel).map(shown).collect()
    };
    assert_eq!((of("sessions"), of("agents")), (sessions(), agents()));
    for event in &all {
        assert_eq!(
            (&event["agent_id"], &event["user_id"]),
            (&json!("agent_123"), &json!("anonymous")),
            "{event}"
        );
    }
}

#[test]
fn filters_choose_as_the_document_shows() {
    let server = server("");
    let mut client = Client::connect(&server.address, "/v1/ws", "");
    let filters = r#""filters":{"agent_id":"agent_123","status":"success"}"#;
    client.send(&format!(
        r#"{{"type":"subscribe","channels":["sessions"],"events":["session.completed"],{filters}}}"#
    ));
    client.text();
    let query = "events=session.completed&filter.agent_id=agent_123&filter.status=success&channels=sessions";
    let mut stream = Stream::open(&server, "GET", &format!("/v1/events/subscribe?{query}"), "", "");
    assert_eq!(stream.next().unwrap().event, "subscribed");
    happen(&server);
    let other = json!({"agent_id": "agent_9", "goal": "say 1"});
    execute(&server, "", &other).rest();
    execute(&server, "", &question_with("say 1", json!({"session_id": "last"}))).rest();
    for id in ["good", "last"] {
        let event: Value = serde_json::from_str(&client.text()).unwrap();
        assert_eq!(shown(&event), json!(["session.completed", id, 1, "success"]));
        assert_eq!(stream.next().unwrap().data, event);
    }
}

#[test]
fn what_became_of_sessions_can_be_replayed() {
    let server = server("");
    happen(&server);
    let replay = |events: &str| -> Vec<Value> {
        let asked = json!({"since": "2020-01-01T00:00:00Z", "events": [events]});
        let (status, page) = ask(&server, "POST", "/v1/events/replay", "", &asked);
        assert_eq!(status, 200, "{page}");
        page["events"].as_array().unwrap().iter().map(shown).collect()
    };
    assert_eq!((replay("session.*"), replay("agent.*")), (sessions(), agents()));
    assert_eq!(replay("session.failed"), [sessions()[5].clone()]);
}

/// Ann and Bob, who may nothing in particular; Eve, who may subscribe to rooms, and Dan, who may speak in them too.
fn people() -> String {
    let all = "publish = [\"**\"]\nsubscribe = [\"**\"]\n";
    let none = keys(&["ann", "bob"]).replace(all, "subscribe = [\"news\"]\n");
    let rooms = "subscribe = [\"rooms.*\"]\n";
    let eve = keys(&["eve"]).replace(all, rooms);
    let dan = keys(&["dan"]).replace("\"**\"", "\"rooms.*\"");
    none + &eve + &dan
}

#[test]
fn everybody_has_their_own_sessions() {
    let server = server(&people());
    let (ann, bob) = (bearer("ann"), bearer("bob"));
    let goal = question_with("say 2", json!({"session_id": "s"}));
    let of_ann = execute(&server, &ann, &goal).rest();
    assert_eq!(of_ann.len(), 5);
    let get = |who: &str| ask(&server, "GET", "/v1/sessions/s", who, &Value::Null);
    assert_eq!((get(&ann).0, get(&bob).0, get("").0, get(&bearer("x")).0), (200, 404, 401, 401));
    let nobody = ask(&server, "POST", "/v1/sessions/execute", "", &goal);
    assert_eq!((nobody.0, &nobody.1["error"]["code"]), (401, &json!("AUTH_FAILED")));
    assert_eq!(ask(&server, "POST", "/v1/sessions/s/cancel", &bob, &Value::Null).0, 404);
    let resumed = question_with("say 2", json!({"resume_from": 2}));
    assert_eq!(execute(&server, &ann, &resumed).rest(), of_ann[2..]);
    assert_eq!(ask(&server, "POST", "/v1/sessions/execute", &bob, &resumed).0, 404);
    let of_bob = execute(&server, &bob, &goal).rest();
    assert_eq!((of_bob.len(), of_bob[0].position()), (5, 1), "another session of the same name");
}

#[test]
fn rooms_go_by_grants() {
    let server = server(&people());
    let [ann, eve, dan] = ["ann", "eve", "dan"].map(bearer);
    let goal = question_with("say 2", json!({"session_id": "room:r"}));
    let status = |who: &str| ask(&server, "POST", "/v1/sessions/execute", who, &goal).0;
    assert_eq!((status(&ann), status(&eve)), (403, 403));
    let asked = execute(&server, &dan, &goal).rest();
    assert_eq!(asked[0].data["session_id"], "room:r");
    let texts = |events: &[Event]| events.iter().map(|event| event.data.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&follow(&server, &eve, "room%3Ar", "from=oldest&until=done").rest()), texts(&asked));
    let get = |who: &str| ask(&server, "GET", "/v1/sessions/room:r", who, &Value::Null).0;
    assert_eq!((get(&ann), get(&eve), get(&dan)), (403, 200, 200));
    let cancel = |who: &str| ask(&server, "POST", "/v1/sessions/room:r/cancel", who, &Value::Null).0;
    assert_eq!((cancel(&ann), cancel(&eve), cancel(&dan)), (403, 403, 200));
}

#[test]
fn an_answer_as_a_whole_needs_no_more_than_a_stream() {
    let server = server(&people());
    let whole = question_with("say 1", json!({"stream": false}));
    let (status, answer) = ask(&server, "POST", "/v1/sessions/execute", &bearer("ann"), &whole);
    assert_eq!((status, &answer["status"]), (200, &json!("success")));
    assert_eq!(execute(&server, &bearer("ann"), &question("say 1")).rest().len(), 4);
}
