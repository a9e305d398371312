//! Readers that are cut off, come late, or are many: all end with the same text.

use crate::script::{Event, execute, question, question_with, server, session_of, text, words};
use serde_json::json;

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
