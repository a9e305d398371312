//! Readers that are cut off, come late, or are many: all end with the same text.

use std::time::Duration;

use serde_json::json;

use crate::script::{Event, ask, execute, follow, question, question_with, server, session_of, text, words};

#[test]
fn a_reader_cut_twenty_times_ends_with_the_same_text() {
    let server = server("");
    let goal = "say 2000 every 1";
    let mut all: Vec<Event> = Vec::new();
    let mut stream = execute(&server, "", &question(goal));
    for cut in 1..=20 {
        while all.len() < cut * 95 {
            all.push(stream.next().unwrap());
        }
        let last = all.last().unwrap().position();
        stream = match cut % 3 {
            // As the document's client does it: it knows no session.
            0 => execute(&server, "", &question_with(goal, json!({"resume_from": last}))),
            1 => {
                let more = json!({"session_id": session_of(&all), "resume_from": last});
                execute(&server, "", &question_with(goal, more))
            }
            // What the header says counts.
            _ => {
                let header = format!("last-event-id: {last}\r\n");
                execute(&server, &header, &question_with(goal, json!({"resume_from": 1})))
            }
        };
    }
    all.extend(stream.rest());
    let positions: Vec<_> = all.iter().map(Event::position).collect();
    assert_eq!(positions, (1..=2003).collect::<Vec<_>>());
    assert_eq!(text(&all), words(2000));
    assert_eq!(all.last().unwrap().data["output"], words(2000));
}

#[test]
fn five_readers_of_one_session_agree() {
    let server = server("");
    let mut first = execute(&server, "", &question("say 300 every 2; tool search; say 100"));
    let begun = first.until("message");
    let id = session_of(&begun);
    let readers: Vec<_> = (0..4)
        .map(|number| {
            std::thread::sleep(Duration::from_millis(100));
            match number {
                0 => follow(&server, "", &id, "until=done"),
                1 => follow(&server, "", &id, "from=oldest&until=done"),
                2 => follow(&server, "last-event-id: 0\r\n", &id, "until=done&from=50"),
                _ => follow(&server, "", &id, "resume_from=0&until=done"),
            }
        })
        .collect();
    let all = [begun, first.rest()].concat();
    assert_eq!(text(&all), words(300) + &words(100));
    for reader in readers {
        assert_eq!(reader.rest(), all);
    }
}

#[test]
fn a_reader_may_stay_over_turns() {
    let server = server("");
    let opened = json!({"agent_id": "agent_123", "session_id": "s"});
    assert_eq!(ask(&server, "POST", "/v1/sessions", "", &opened).0, 201);
    let asked = |goal| execute(&server, "", &question_with(goal, json!({"session_id": "s"}))).rest();
    let mut reader = follow(&server, "", "s", "");
    let first = asked("say 2");
    assert_eq!(reader.until("done"), first);
    let (mut from_now_on, mut from_the_first) =
        (follow(&server, "", "s", "from=now"), follow(&server, "", "s", ""));
    let second = asked("fail TIMEOUT");
    assert_eq!((reader.until("error"), from_now_on.until("error")), (second.clone(), second.clone()));
    assert_eq!((from_the_first.until("done"), from_the_first.until("error")), (first, second));
    let wrong =
        |query: &str| ask(&server, "GET", &format!("/v1/sessions/s/stream?{query}"), "", &json!(null)).0;
    assert_eq!((wrong("from=yesterday"), wrong("until=noon"), wrong("resume_from=-1")), (400, 400, 400));
}

#[test]
fn what_is_over_is_not_repeated() {
    let server = server("");
    let goal = "say 3";
    let all = execute(&server, "", &question(goal)).rest();
    let id = session_of(&all);
    let resume =
        |place: u64| execute(&server, "", &question_with(goal, json!({"resume_from": place}))).rest();
    for place in 1..all.len() {
        assert_eq!(resume(place as u64), all[place..], "{place}");
    }
    assert_eq!(resume(all.len() as u64), []);
    assert_eq!(follow(&server, "", &id, "until=done").rest(), []);
    assert_eq!(follow(&server, "", &id, "until=done&from=oldest").rest(), all);
    let whole = question_with(goal, json!({"resume_from": 2, "stream": false}));
    let (status, answer) = ask(&server, "POST", "/v1/sessions/execute", "", &whole);
    assert_eq!((status, &answer), (200, &all.last().unwrap().data));
    let again = execute(&server, "", &question_with(goal, json!({"resume_from": 0}))).rest();
    assert_ne!(session_of(&again), id, "that asks anew");
    let unknown = question_with("never asked", json!({"resume_from": 3}));
    assert_eq!(ask(&server, "POST", "/v1/sessions/execute", "", &unknown).0, 404);
    let wrong = ask(&server, "POST", "/v1/sessions/execute", "last-event-id: x\r\n", &question(goal));
    assert_eq!((wrong.0, &wrong.1["error"]["code"]), (400, &json!("INVALID_MESSAGE")));
}

#[test]
fn a_place_that_is_gone_is_told() {
    let server = server("[namespaces.\"sessions.**\"]\nretain_events = 4");
    let goal = "say 10 every 30";
    let all = execute(&server, "", &question(goal)).rest();
    let events = execute(&server, "", &question_with(goal, json!({"resume_from": 2}))).rest();
    let kept = all.len() - 4;
    let gap =
        json!({"type": "gap", "session_id": session_of(&all), "missed": kept - 2, "from": 3, "to": kept});
    assert_eq!((&*events[0].event, &events[0].data, &*events[0].id), ("gap", &gap, &*kept.to_string()));
    assert_eq!(events[1..], all[kept..]);
    let never = execute(&server, "", &question_with(goal, json!({"resume_from": 999}))).rest();
    assert_eq!((&never[0].data["missed"], &never[1..]), (&json!(null), &all[kept..]));
}

#[test]
fn the_end_of_an_answer_that_is_gone_ends_its_readers() {
    let server = server("[namespaces.\"sessions.**\"]\nretain_events = 2");
    let all = execute(&server, "", &question_with("say 3 every 50", json!({"session_id": "s"}))).rest();
    for _ in 0..2 {
        let said = server.publish("sessions.:.s", r#"{"type":"note","data":{}}"#);
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }
    let resumed =
        execute(&server, "", &question_with("say 3", json!({"session_id": "s", "resume_from": 2}))).rest();
    assert_eq!(resumed.len(), 1, "a gap: {resumed:?}");
    let whole = question_with("say 3", json!({"session_id": "s", "resume_from": 2, "stream": false}));
    let (status, answer) = ask(&server, "POST", "/v1/sessions/execute", "", &whole);
    assert_eq!((status, &answer), (200, &all.last().unwrap().data));
}

#[test]
fn a_late_reader_gets_the_text_so_far_as_one_event() {
    let server = server("");
    let mut first = execute(&server, "", &question("say 100; tool search; wait 300; say 50 every 1"));
    let begun = [first.until("message"), first.until("tool_result")].concat();
    let id = session_of(&begun);
    let mut late = follow(&server, "", &id, "snapshot=1&until=done");
    let snapshot = late.next().unwrap();
    let at = snapshot.position();
    assert_eq!((&*snapshot.event, &*snapshot.id), ("message", &*at.to_string()));
    let wanted =
        json!({"type": "text", "content": words(100), "snapshot": true, "session_id": id, "position": at});
    assert_eq!(snapshot.data, wanted);
    let all = [begun, first.rest()].concat();
    let header = format!("last-event-id: {at}\r\n");
    let returning = follow(&server, &header, &id, "snapshot=1&until=done");
    let rest = late.rest();
    assert_eq!((text(&rest), &rest[..]), (words(50), &all[at as usize..]));
    assert_eq!(returning.rest(), rest);
    assert_eq!(
        follow(&server, "", &id, "snapshot=1&until=done").rest(),
        [],
        "there is none when nothing is answered"
    );
}
