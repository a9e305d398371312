//! The SQLite source against real files: of every age, with rows that change, vanish and come at a rate, locked and replaced.
//!
//! `cargo nextest run --release --run-ignored only --no-capture --test sqlite a_fast_database` measures.

#![allow(clippy::disallowed_methods, reason = "tests read the clock and wait")]
#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

#[path = "sqlite/follow.rs"]
mod follow;
#[path = "sqlite/rate.rs"]
mod rate;
mod support;
#[path = "sqlite/trouble.rs"]
mod trouble;

use std::fs;

use follow::{Follow, NEWEST, OLDEST, insert, open};
use rate::{Load, follow_writers};
use rusqlite::params;
use serde_json::json;
use support::{Client, Running};

#[test]
fn a_row_is_an_event_with_all_its_fields() {
    let (follow, database) = Follow::with(NEWEST);
    let sql = "INSERT INTO agent_events (event_id, agent_id, event_type, timestamp, tool_name, input_summary, output_summary, session_id,
        status, model, parent_event_id, execution_duration_seconds, cost_tokens, feature_id, context) VALUES ('evt-12345', 'claude-code',
        'tool_call', '2024-01-16T12:00:00.000Z', 'Edit', 'Edit: src/main.py:45-52', 'File edited', 'session-123', 'completed',
        'claude-opus', NULL, 0.345, 125, 'feat-456', '{\"path\": \"src/main.py\"}')";
    database.execute(sql, []).unwrap();
    let expected = json!({
        "event_id": "evt-12345", "agent_id": "claude-code", "event_type": "tool_call", "timestamp": "2024-01-16T12:00:00.000Z",
        "tool_name": "Edit", "input_summary": "Edit: src/main.py:45-52", "output_summary": "File edited",
        "session_id": "session-123", "status": "completed", "model": "claude-opus", "parent_event_id": null,
        "execution_duration_seconds": 0.345, "cost_tokens": 125, "feature_id": "feat-456", "context": {"path": "src/main.py"},
    });
    assert_eq!(follow.settled(1), [expected]);
}

#[test]
fn what_older_files_lack_is_null() {
    let (follow, database) = Follow::with(OLDEST);
    insert(&database, &["1"]);
    let event = &follow.settled(1)[0];
    assert_eq!((&event["model"], &event["feature_id"]), (&json!(null), &json!(null)));
    assert_eq!((&event["execution_duration_seconds"], &event["cost_tokens"]), (&json!(0.0), &json!(0)));
    assert_eq!(event["status"], "recorded");
    assert_eq!(event["timestamp"].as_str().unwrap().len(), "2024-01-16T12:00:00.000Z".len());
}

/// The columns that an event comes from, a value of each, and what an event says where there is none.
const COLUMNS: [(&str, &str, &str); 15] = [
    ("event_id", "'e'", "\"row-1\""),
    ("agent_id", "'a'", "\"unknown\""),
    ("event_type", "'start'", "\"unknown\""),
    ("timestamp", "'2024-01-16 12:00:00'", "\"2024-01-16T11:00:00.000Z\""),
    ("tool_name", "'Edit'", "null"),
    ("input_summary", "'i'", "null"),
    ("output_summary", "'o'", "null"),
    ("session_id", "'s'", "\"unknown\""),
    ("status", "'completed'", "null"),
    ("model", "'m'", "null"),
    ("parent_event_id", "'p'", "null"),
    ("execution_duration_seconds", "0.5", "0.0"),
    ("cost_tokens", "5", "0"),
    ("feature_id", "'f'", "null"),
    ("created_at", "'2024-01-16 11:00:00'", "null"),
];

/// The one event of a table with all columns but one, in another order than usual and with some that nobody knows.
fn event_without(missing: &str) -> serde_json::Value {
    let columns: Vec<_> = COLUMNS.iter().rev().filter(|(name, ..)| *name != missing).collect();
    let join = |part: fn(&(&str, &str, &str)) -> String| {
        columns.iter().map(|c| part(c)).collect::<Vec<_>>().join(", ")
    };
    let (names, values) = (join(|(name, ..)| name.to_string()), join(|(_, value, _)| value.to_string()));
    let (follow, _database) = Follow::with(&format!(
        "CREATE TABLE agent_events (novel TEXT, {names}, context JSON); INSERT INTO agent_events ({names}, context) VALUES ({values}, '[1]')"
    ));
    follow.settled(1).remove(0)
}

#[test]
fn a_file_of_any_age_is_read_whichever_column_it_lacks() {
    let whole = event_without("");
    assert_eq!(
        (&whole["status"], &whole["cost_tokens"], &whole["context"]),
        (&json!("completed"), &json!(5), &json!([1]))
    );
    for (name, _, otherwise) in COLUMNS {
        let mut expected = whole.clone();
        if name != "created_at" {
            expected[name] = serde_json::from_str(otherwise).unwrap();
        }
        assert_eq!(event_without(name), expected, "without {name}");
    }
}

#[test]
fn columns_and_tables_may_come_later() {
    let (follow, database) = Follow::with(OLDEST);
    insert(&database, &["1"]);
    follow.settled(1);
    let migration = "ALTER TABLE agent_events ADD COLUMN model TEXT;
        CREATE TABLE live_events (id INTEGER PRIMARY KEY, event_type TEXT, event_data JSON, session_id TEXT);
        UPDATE agent_events SET model = 'new';
        INSERT INTO live_events VALUES (7, 'spawn', '{}', 's');";
    database.execute_batch(migration).unwrap();
    assert_eq!(follow.ids(3), ["1", "1!", "live-7"]);
    assert_eq!(follow.events()[1]["model"], "new");
}

#[test]
fn live_events_are_events_too() {
    let (follow, database) = Follow::with(NEWEST);
    let data = r#"{"tool_name":"Task","status":"running","cost_tokens":5,"model":3,"more":[1]}"#;
    let sql = "INSERT INTO live_events (event_type, event_data, parent_event_id, session_id, spawner_type, created_at)
        VALUES ('spawner_start', ?1, 'evt-1', 's', 'gemini', '2024-01-16 12:00:00')";
    database.execute(sql, [data]).unwrap();
    let expected = json!({
        "event_id": "live-1", "agent_id": "gemini", "event_type": "spawner_start", "timestamp": "2024-01-16T12:00:00.000Z",
        "tool_name": "Task", "input_summary": null, "output_summary": null, "session_id": "s", "status": "running", "model": null,
        "parent_event_id": "evt-1", "execution_duration_seconds": 0.0, "cost_tokens": 5, "feature_id": null,
        "context": {"tool_name": "Task", "status": "running", "cost_tokens": 5, "model": 3, "more": [1]},
    });
    assert_eq!(follow.settled(1), [expected]);
    // Whoever broadcasts them marks and deletes them; that is none of our business.
    database.execute("UPDATE live_events SET broadcast_at = CURRENT_TIMESTAMP", []).unwrap();
    database.execute("DELETE FROM live_events", []).unwrap();
    database.execute("DELETE FROM sqlite_sequence", []).unwrap();
    follow.settled(1);
    database
        .execute("INSERT INTO live_events (event_type, event_data) VALUES ('spawner_end', 'no json')", [])
        .unwrap();
    let event = &follow.settled(2)[1];
    assert_eq!(event["event_id"], "live-1");
    assert_eq!((&event["session_id"], &event["context"]), (&json!("unknown"), &json!("no json")));
    assert_eq!(event.get("updated"), None);
}

#[test]
fn times_of_every_spelling_become_one() {
    let (follow, database) = Follow::with(NEWEST);
    let at = "2024-01-16T12:00:00.000Z";
    let times = [
        ("2024-01-16 12:00:00", at),
        ("2024-01-16T12:00:00Z", at),
        ("2024-01-16T12:00:00.123456", "2024-01-16T12:00:00.123Z"),
        ("2024-01-16T14:00:00.5+02:00", "2024-01-16T12:00:00.500Z"),
        ("2024-01-16 12:00:00.25 +0000 UTC", "2024-01-16T12:00:00.250Z"),
        ("1705406400", at),
        ("1705406400.5", "2024-01-16T12:00:00.500Z"),
    ];
    let sql = "INSERT INTO agent_events (event_id, agent_id, event_type, session_id, timestamp) VALUES (?1, 'a', 'start', 's', ?2)";
    for (time, _) in times {
        database.execute(sql, [time, time]).unwrap();
    }
    database.execute(sql, params!["integer", 1_705_406_400]).unwrap();
    database.execute(sql, params!["real", 1_705_406_400.5]).unwrap();
    let expected: Vec<_> =
        times.iter().map(|(_, time)| *time).chain([at, "2024-01-16T12:00:00.500Z"]).collect();
    let events = follow.settled(9);
    assert_eq!(events.iter().map(|event| &event["timestamp"]).collect::<Vec<_>>(), expected);
}

#[test]
fn odd_rows_do_not_stop_the_rest() {
    let (follow, database) = Follow::with(NEWEST);
    let insert_with = |columns: &str, values: &str| {
        let sql = format!(
            "INSERT INTO agent_events (agent_id, event_type, {columns}) VALUES ('a', 'start', {values})"
        );
        database.execute(&sql, []).unwrap();
    };
    insert_with("event_id, cost_tokens, execution_duration_seconds", "'1', 'many', '1.5'");
    insert_with("event_id, context, timestamp", "'2', '{\"a\":', 'yesterday'");
    insert_with("session_id, tool_name, cost_tokens", "'a b', x'ff41', 12.6");
    insert_with("event_id, context", "'4', replace(hex(zeroblob(100000)), '0', 'x')");
    insert_with("event_id, output_summary", "'too long', hex(zeroblob(100000))");
    insert_with("event_id, session_id", "hex(zeroblob(100)), 's'");
    insert_with("event_id", "'7'");
    let events = follow.settled(5);
    assert_eq!(
        (&events[0]["cost_tokens"], &events[0]["execution_duration_seconds"]),
        (&json!(0), &json!(1.5))
    );
    assert_eq!((&events[0]["session_id"], &events[1]["context"]), (&json!("unknown"), &json!("{\"a\":")));
    assert_eq!((&events[2]["event_id"], &events[2]["session_id"]), (&json!("row-3"), &json!("a b")));
    assert_eq!((&events[2]["tool_name"], &events[2]["cost_tokens"]), (&json!("\u{fffd}A"), &json!(13)));
    assert_eq!((&events[3]["event_id"], events[3].get("context")), (&json!("4"), None));
    assert_eq!(events[4]["event_id"], "7");
    assert_eq!(follow.metrics.refused.get(), 2);
}

#[test]
fn rows_that_change_are_published_again() {
    let (follow, database) = Follow::with(NEWEST);
    insert(&database, &["1", "2"]);
    follow.settled(2);
    database
        .execute("UPDATE agent_events SET status = 'completed', cost_tokens = 9 WHERE event_id = '1'", [])
        .unwrap();
    assert_eq!(follow.ids(3), ["1", "2", "1!"]);
    let event = &follow.events()[2];
    assert_eq!(
        (&event["status"], &event["cost_tokens"], &event["updated"]),
        (&json!("completed"), &json!(9), &json!(true))
    );
    // What is not shown has not changed.
    database.execute("UPDATE agent_events SET updated_at = '2030-01-01', step_id = 'x'", []).unwrap();
    follow.settled(3);
    let replace =
        "INSERT OR REPLACE INTO agent_events (event_id, agent_id, event_type, session_id, output_summary)
        VALUES ('2', 'a', 'tool_call', 's', 'done')";
    database.execute(replace, []).unwrap();
    assert_eq!(follow.ids(4), ["1", "2", "1!", "2!"]);
    assert_eq!((follow.metrics.rows.get(), follow.metrics.updated.get()), (2, 2));
}

#[test]
fn a_change_of_an_older_row_is_found_too() {
    let (follow, mut database) = Follow::with(NEWEST);
    let transaction = database.transaction().unwrap();
    (0..5000).for_each(|i| insert(&transaction, &[&i.to_string()]));
    transaction.commit().unwrap();
    follow.settled(5000);
    database.execute("UPDATE agent_events SET status = 'error' WHERE event_id = '17'", []).unwrap();
    assert_eq!(follow.ids(5001)[5000], "17!");
}

#[test]
fn a_rowid_that_is_given_again_is_another_row() {
    let (follow, database) = Follow::with(NEWEST);
    insert(&database, &["1", "2", "3"]);
    follow.settled(3);
    // Within one transaction, so that no look can fall between.
    database.execute_batch("BEGIN; DELETE FROM agent_events WHERE event_id = '3'").unwrap();
    insert(&database, &["4"]);
    database.execute_batch("COMMIT").unwrap();
    assert_eq!(follow.ids(4), ["1", "2", "3", "4"]);
    database.execute("DELETE FROM agent_events WHERE event_id IN ('2', '4')", []).unwrap();
    follow.settled(4);
    insert(&database, &["5"]);
    assert_eq!(follow.ids(5)[4], "5");
}

#[test]
fn a_table_that_was_emptied_begins_anew() {
    let (follow, database) = Follow::with(NEWEST);
    insert(&database, &["1", "2", "3"]);
    follow.settled(3);
    database.execute("DELETE FROM agent_events", []).unwrap();
    follow.settled(3);
    insert(&database, &["4"]);
    follow.settled(4);
    database.execute_batch("BEGIN; DELETE FROM agent_events").unwrap();
    insert(&database, &["5", "6"]);
    database.execute_batch("COMMIT").unwrap();
    assert_eq!(follow.ids(6), ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn a_table_that_was_rebuilt_is_not_published_again() {
    let (follow, database) = Follow::with(NEWEST);
    let ids: Vec<_> = (0..100).map(|i| i.to_string()).collect();
    insert(&database, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    follow.settled(100);
    // As migrations do it; packing a file may give other rowids too.
    let rebuild = "BEGIN; ALTER TABLE agent_events RENAME TO old; CREATE TABLE agent_events AS SELECT * FROM old WHERE rowid % 2 = 1;
        DROP TABLE old; COMMIT;";
    database.execute_batch(rebuild).unwrap();
    let greatest: i64 =
        database.query_row("SELECT MAX(rowid) FROM agent_events", [], |row| row.get(0)).unwrap();
    assert_eq!(greatest, 50, "there are other rowids now");
    insert(&database, &["new"]);
    assert_eq!(follow.ids(101)[100], "new");
}

#[test]
fn at_the_start_the_newest_rows_are_history() {
    let mut follow = Follow::idle();
    let database = follow.make("events.db", NEWEST);
    insert(&database, &["1", "2", "3", "4"]);
    follow.history = 2;
    follow.start();
    assert_eq!(follow.ids(2), ["3", "4"]);
    // Of rows before them it is known what they were like.
    database.execute("UPDATE agent_events SET status = 'error' WHERE event_id = '1'", []).unwrap();
    insert(&database, &["5"]);
    let mut ids = follow.ids(4);
    ids[2..].sort();
    assert_eq!(ids, ["3", "4", "1!", "5"]);
}

#[test]
fn a_source_that_was_stopped_publishes_no_more() {
    let (mut follow, database) = Follow::with(NEWEST);
    insert(&database, &["1"]);
    follow.settled(1);
    follow.stop();
    insert(&database, &["2"]);
    follow.settled(1);
}

#[test]
fn writers_are_followed_in_order() {
    follow_writers(Load { writers: 3, rows: 1000, rows_per_second: 2000, batch: 10 });
}

#[test]
#[ignore = "measures; see the head of this file"]
fn a_fast_database() {
    let load = Load { writers: 4, rows: 50_000, rows_per_second: 2500, batch: 25 };
    let before = cpu_seconds();
    let (took, follow) = follow_writers(load);
    let (rows, seconds) = ((load.writers * load.rows) as f64, took.as_secs_f64());
    println!("{rows} rows in {seconds:.2} s: {:.0} rows/s", rows / seconds);
    let (lag_ms, cpu) = (follow.metrics.lag_ms.get(), cpu_seconds() - before);
    println!("lag of the last chunk {lag_ms} ms, CPU of this process {cpu:.2} s");
    assert!(rows / seconds > 9000.0 && lag_ms < 1000, "10,000 rows/s are not followed");
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

#[test]
#[ignore = "the process of a writer; does nothing on its own"]
fn a_writer() {
    rate::write();
}

#[test]
fn a_server_follows_what_its_configuration_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let database = open(&path);
    database.execute_batch(NEWEST).unwrap();
    let server = Running::start(&format!("[events]\ndb_path = {path:?}\npoll_interval_ms = 10\n"));
    let mut client = Client::connect(&server.address, "/ws/events/s", "");
    client.send(r#"{"type":"ping"}"#);
    assert!(client.text().contains("pong"));
    insert(&database, &["1"]);
    let batch: serde_json::Value = serde_json::from_str(&client.text()).unwrap();
    assert_eq!((&batch["type"], &batch["events"][0]["event_id"]), (&json!("batch"), &json!("1")));
    assert!(server.get("/metrics").contains("millrace_sqlite_rows_total 1\n"));
}
