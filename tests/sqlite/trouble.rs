//! What may happen to a database and to those who use it: none of it may cost a row.

use std::fs;

use rusqlite::{Connection, params};

use crate::follow::{Follow, NEWEST, OLDEST, insert, open};
use crate::rate::{Load, writer};
use crate::support::{Client, Running, eventually};

/// A table that cannot be read beyond row 5 for a while, as when a lock or the disk gets in the way.
const FAULTY: &str = "CREATE TABLE rows (id INTEGER PRIMARY KEY); CREATE TABLE fault (x); INSERT INTO fault VALUES (1);
    CREATE VIEW agent_events AS SELECT id AS rowid, 'e' || id AS event_id, 'a' AS agent_id, 'start' AS event_type, 's' AS session_id,
    CASE WHEN id >= 5 AND EXISTS (SELECT 1 FROM fault) THEN abs(-9223372036854775807 - 1) END AS cost_tokens FROM rows;";

#[test]
fn a_start_that_fails_goes_on_where_it_was() {
    let mut follow = Follow::idle();
    follow.history = 4;
    let database = follow.make("events.db", FAULTY);
    database.execute_batch("INSERT INTO rows VALUES (1), (2), (3), (4), (5), (6)").unwrap();
    follow.start();
    eventually("the fault is met", || follow.metrics.errors.get() > 0);
    assert_eq!(follow.ids(2), ["e3", "e4"]);
    // By now the four newest are others, and those between must not be left out.
    database
        .execute_batch("BEGIN; INSERT INTO rows VALUES (7), (8), (9), (10); DELETE FROM fault; COMMIT")
        .unwrap();
    assert_eq!(follow.ids(8), ["e3", "e4", "e5", "e6", "e7", "e8", "e9", "e10"]);
}

#[test]
fn what_could_not_be_read_for_a_while_comes_later() {
    let (follow, database) = Follow::with(FAULTY);
    database.execute_batch("INSERT INTO rows VALUES (1), (2), (3), (4), (5)").unwrap();
    eventually("the fault is met", || follow.metrics.errors.get() > 0);
    assert_eq!(follow.ids(4), ["e1", "e2", "e3", "e4"]);
    database.execute_batch("INSERT INTO rows VALUES (6); DELETE FROM fault").unwrap();
    assert_eq!(follow.ids(6), ["e1", "e2", "e3", "e4", "e5", "e6"]);
}

#[test]
fn a_writer_that_is_killed_leaves_what_it_has_committed() {
    let (follow, database) = Follow::with(NEWEST);
    let mut killed = writer(&follow, Load { writers: 1, rows: 100_000, rows_per_second: 5000, batch: 7 }, 0);
    eventually("rows come", || follow.metrics.rows.get() > 500);
    killed.kill().unwrap();
    killed.wait().unwrap();
    insert(&database, &["last"]);
    let rows: i64 = database.query_row("SELECT COUNT(*) FROM agent_events", [], |row| row.get(0)).unwrap();
    let ids = follow.ids(rows as usize);
    let expected = (0..rows - 1).map(|row| format!("0-{row}")).chain(["last".into()]);
    assert_eq!(ids, expected.collect::<Vec<_>>());
}

/// A row that happened so many seconds after a time before any server of the tests began.
fn insert_at(database: &Connection, id: &str, second: u32) {
    let sql = "INSERT INTO agent_events (event_id, agent_id, event_type, session_id, timestamp)
        VALUES (?1, 'a', 'tool_call', 's', '2024-01-16 12:00:' || printf('%02d', ?2))";
    database.execute(sql, params![id, second]).unwrap();
}

/// What a client gets that has everything up to a second.
fn since(server: &Running, second: u32, messages: usize) -> Vec<String> {
    let target = format!("/ws/events?since=2024-01-16T12:00:{second:02}Z");
    let mut client = Client::connect(&server.address, &target, "");
    let mut next = || serde_json::from_str::<serde_json::Value>(&client.text()).unwrap();
    let shown = |message: serde_json::Value| message["event_id"].as_str().unwrap_or("gap").to_owned();
    (0..messages).map(|_| shown(next())).collect()
}

#[test]
fn after_a_restart_clients_go_on_or_are_told_that_something_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let database = open(&path);
    database.execute_batch(NEWEST).unwrap();
    let followed = |server: &Running, rows: usize| {
        let page = format!("millrace_sqlite_rows_total {rows}\n");
        eventually("the rows are published", || server.get("/metrics").contains(&page));
    };
    let config = format!("[events]\ndb_path = {path:?}\npoll_interval_ms = 10\n");
    (1..4).for_each(|second| insert_at(&database, &second.to_string(), second));
    let server = Running::start(&config);
    followed(&server, 3);
    drop(server);
    (4..6).for_each(|second| insert_at(&database, &second.to_string(), second));

    let server = Running::start(&config);
    followed(&server, 5);
    assert_eq!(since(&server, 3, 3), ["3", "4", "5"]);
    drop(server);
    // One that keeps less publishes less of what was there.
    let server = Running::start(&format!("{config}[namespaces.events]\nretain_events = 2\n"));
    followed(&server, 2);
    assert_eq!(since(&server, 3, 3), ["gap", "4", "5"]);
    assert_eq!(since(&server, 5, 1), ["5"]);
}

#[test]
fn a_file_may_be_missing_at_first() {
    let mut follow = Follow::idle();
    follow.start();
    assert_eq!(follow.metrics.open.get(), 0);
    let database = follow.make("events.db", "SELECT 1");
    eventually("the file is open", || follow.metrics.open.get() == 1);
    database.execute_batch(NEWEST).unwrap();
    insert(&database, &["1"]);
    assert_eq!(follow.ids(1), ["1"]);
}

#[test]
fn a_file_that_was_replaced_is_opened_anew() {
    let (follow, database) = Follow::with(NEWEST);
    insert(&database, &["1", "2"]);
    follow.settled(2);
    drop(database);
    let other = follow.make("other.db", OLDEST);
    insert(&other, &["2", "3"]);
    drop(other);
    replace(&follow, "other.db");
    assert_eq!(follow.ids(3), ["1", "2", "3"]);
    remove(&follow);
    eventually("the file is missed", || follow.metrics.open.get() == 0);
    let database = follow.make("events.db", NEWEST);
    insert(&database, &["4"]);
    assert_eq!(follow.ids(4)[3], "4");
}

/// A file that is taken away takes its log with it: another database with the log of this one would be damaged.
fn remove(follow: &Follow) {
    for name in ["events.db-wal", "events.db-shm", "events.db"] {
        fs::remove_file(follow.file(name)).unwrap();
    }
}

fn replace(follow: &Follow, name: &str) {
    fs::remove_file(follow.file("events.db-wal")).unwrap();
    fs::remove_file(follow.file("events.db-shm")).unwrap();
    fs::rename(follow.file(name), follow.path()).unwrap();
}

#[test]
fn what_is_no_database_is_tried_again() {
    let mut follow = Follow::idle();
    fs::write(
        follow.path(),
        "this is a text, and longer than the header of a database would be, which has 100 bytes.......",
    )
    .unwrap();
    follow.start();
    assert_eq!((follow.metrics.open.get(), follow.events().len()), (0, 0));
    let other = follow.make("other.db", NEWEST);
    insert(&other, &["1"]);
    drop(other);
    fs::rename(follow.file("other.db"), follow.path()).unwrap();
    assert_eq!(follow.ids(1), ["1"]);
}

#[test]
fn a_locked_database_is_waited_for() {
    let mut follow = Follow::idle();
    let database = Connection::open(follow.path()).unwrap();
    database.execute_batch(NEWEST).unwrap();
    insert(&database, &["1"]);
    follow.start();
    follow.settled(1);
    // Without WAL, a writer that commits keeps all readers out.
    database.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    insert(&database, &["2"]);
    eventually("the lock is met", || follow.metrics.errors.get() > 0);
    assert_eq!((follow.events().len(), follow.metrics.open.get()), (1, 1));
    database.execute_batch("COMMIT; PRAGMA locking_mode = NORMAL; SELECT 1 FROM agent_events").unwrap();
    assert_eq!(follow.ids(2), ["1", "2"]);
}
