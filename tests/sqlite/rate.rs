//! Many writers at once: processes that insert at a pace, each into a session of its own.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rusqlite::params;
use serde_json::Value as Json;

use crate::follow::{Follow, NEWEST, open};
use crate::support::eventually;

/// What a writer is told by its environment.
const TASK: &str = "MILLRACE_TEST_WRITER";

/// One writer's part.
#[derive(Clone, Copy)]
pub struct Load {
    pub writers: usize,
    pub rows: usize,
    pub rows_per_second: usize,
    /// Rows of a transaction.
    pub batch: usize,
}

/// Starts a process that writes.
pub fn writer(follow: &Follow, load: Load, number: usize) -> Child {
    let path = follow.path();
    let task = format!("{number} {} {} {} {}", load.rows, load.rows_per_second, load.batch, path.display());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_writer", "--ignored"]).env(TASK, task).stdout(std::process::Stdio::null());
    command.spawn().unwrap()
}

/// The process of a writer.
pub fn write() {
    let Ok(task) = std::env::var(TASK) else { return };
    let mut words = task.splitn(5, ' ');
    let mut number = || words.next().unwrap().parse::<usize>().unwrap();
    let (writer, rows, rows_per_second, batch) = (number(), number(), number(), number());
    let mut database = open(words.next().unwrap().as_ref());
    database.pragma_update(None, "synchronous", "NORMAL").unwrap();
    let start = Instant::now();
    for first in (0..rows).step_by(batch) {
        let transaction = database.transaction().unwrap();
        for row in first..rows.min(first + batch) {
            let sql = "INSERT INTO agent_events (event_id, agent_id, event_type, session_id, tool_name, input_summary, cost_tokens,
                timestamp, context) VALUES (?1, 'agent', 'tool_call', ?2, 'Edit', 'Edit: src/main.py:45-52', ?3,
                strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), '{\"path\":\"src/main.py\"}')";
            let mut insert = transaction.prepare_cached(sql).unwrap();
            insert.execute(params![format!("{writer}-{row}"), format!("s{writer}"), row as i64]).unwrap();
        }
        transaction.commit().unwrap();
        let due = Duration::from_secs_f64((first + batch) as f64 / rows_per_second as f64);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
}

/// Lets the writers write, and checks that every row has come once and in the order of its writer. How long it took.
pub fn follow_writers(load: Load) -> (Duration, Follow) {
    let (follow, database) = Follow::with(NEWEST);
    let start = Instant::now();
    let writers: Vec<_> = (0..load.writers).map(|number| writer(&follow, load, number)).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success(), "a writer failed");
    }
    let rows: i64 = database.query_row("SELECT COUNT(*) FROM agent_events", [], |row| row.get(0)).unwrap();
    let rows = rows as usize;
    assert_eq!(rows, load.writers * load.rows);
    eventually("all rows", || follow.metrics.rows.get() as usize >= rows);
    let took = start.elapsed();
    let events = follow.settled(rows);
    let mut next = vec![0; load.writers];
    for event in &events {
        let (writer, row) = place(event);
        assert_eq!(row, next[writer], "a row of writer {writer} is missing or out of order");
        assert_eq!(event.get("updated"), None);
        next[writer] += 1;
    }
    assert_eq!(next, vec![load.rows; load.writers]);
    assert_eq!((follow.metrics.updated.get(), follow.metrics.refused.get()), (0, 0));
    (took, follow)
}

fn place(event: &Json) -> (usize, usize) {
    let (writer, row) = event["event_id"].as_str().unwrap().split_once('-').unwrap();
    (writer.parse().unwrap(), row.parse().unwrap())
}
