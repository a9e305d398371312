//! Rows as events. Columns hold what their writers put there, whatever their declared type; what a column cannot mean counts as
//! absent, so that one odd row does not stop the rest.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value as Json};

use crate::json::envelope::parse_raw;
use crate::json::moment;
use crate::json::text::write_string;
use crate::json::time;

/// The session of rows that name none.
const NO_SESSION: &str = "unknown";

/// A table that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A row is an event; it may change later.
    AgentEvents,
    /// A row announces something; its `event_data` is a JSON object.
    LiveEvents,
}

impl Kind {
    /// Its name.
    pub fn table(self) -> &'static str {
        match self {
            Self::AgentEvents => "agent_events",
            Self::LiveEvents => "live_events",
        }
    }

    /// The columns that are read, in the order in which rows have them, behind the rowid.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::AgentEvents => &AGENT_COLUMNS,
            Self::LiveEvents => &LIVE_COLUMNS,
        }
    }

    /// The event that a row is, no longer than `bytes_max` if leaving out the context can make it so.
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn event(self, row: &Row<'_>, bytes_max: usize) -> rusqlite::Result<RowEvent> {
        match self {
            Self::AgentEvents => agent_event(row, bytes_max),
            Self::LiveEvents => live_event(row, bytes_max),
        }
    }
}

/// A row, and what it is as an event.
#[derive(Debug)]
pub struct RowEvent {
    /// Its place in the table.
    pub rowid: i64,
    /// What makes it this event and no other.
    pub identity: String,
    /// The session.
    pub session: String,
    /// The event as JSON, without its closing brace.
    pub json: Vec<u8>,
    /// When it happened, Unix milliseconds.
    pub time_ms: Option<u64>,
}

const AGENT_COLUMNS: [&str; 16] = [
    "event_id",
    "agent_id",
    "event_type",
    "tool_name",
    "input_summary",
    "output_summary",
    "session_id",
    "status",
    "model",
    "parent_event_id",
    "feature_id",
    "execution_duration_seconds",
    "cost_tokens",
    "timestamp",
    "created_at",
    "context",
];
/// How many of them are texts that go into the event under their own names.
const AGENT_TEXTS: usize = 11;
// Where some of them are in a row.
const EVENT_TYPE: usize = 3;
const SESSION: usize = 7;
const DURATION: usize = 12;
const COST: usize = 13;
const TIMESTAMP: usize = 14;
const CREATED: usize = 15;
const CONTEXT: usize = 16;

const LIVE_COLUMNS: [&str; 7] =
    ["id", "event_type", "event_data", "parent_event_id", "session_id", "spawner_type", "created_at"];

/// What becomes of members of `event_data`, when they are of their type.
const LIVE_TEXTS: [&str; 7] =
    ["agent_id", "tool_name", "input_summary", "output_summary", "status", "model", "feature_id"];
const LIVE_NUMBERS: [&str; 2] = ["execution_duration_seconds", "cost_tokens"];

/// A JSON object in the making, without its closing brace.
struct Object(Vec<u8>);

impl Object {
    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        write_string(&mut self.0, name);
        self.0.push(b':');
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        write_string(&mut self.0, text);
    }

    fn raw(&mut self, name: &str, json: &[u8]) {
        self.name(name);
        self.0.extend_from_slice(json);
    }

    fn time(&mut self, ms: u64) {
        self.name("timestamp");
        self.0.push(b'"');
        time::write(&mut self.0, ms);
        self.0.push(b'"');
    }

    /// Adds what a `context` column holds: JSON as it is, anything else as a string.
    fn context(&mut self, bytes_max: usize, text: &str) {
        if text.is_empty() || self.0.len() + text.len() > bytes_max {
            return;
        }
        match parse_raw(text.as_bytes()) {
            Ok(parsed) => self.raw("context", parsed.data.as_bytes()),
            Err(_) => self.text("context", text),
        }
    }
}

/// What a column holds, as text; `None` for NULL.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    })
}

/// A number other than 0, which is what an event has that says nothing.
fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<f64>> {
    let number = text(row, column)?.and_then(|text| text.trim().parse().ok());
    Ok(number.filter(|number: &f64| number.is_finite() && *number != 0.0))
}

/// The first of `columns` that holds a time.
fn moment(row: &Row<'_>, columns: &[usize]) -> rusqlite::Result<Option<u64>> {
    for column in columns {
        if let Some(ms) = text(row, *column)?.and_then(|text| moment::parse(&text).ok()) {
            return Ok(Some(ms));
        }
    }
    Ok(None)
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn agent_event(row: &Row<'_>, bytes_max: usize) -> rusqlite::Result<RowEvent> {
    let rowid = row.get(0)?;
    let id = filled(text(row, 1)?).unwrap_or_else(|| format!("row-{rowid}"));
    let session = filled(text(row, SESSION)?).unwrap_or_else(|| NO_SESSION.into());
    let mut event = Object(Vec::with_capacity(512));
    event.text("event_id", &id);
    for (at, name) in AGENT_COLUMNS.iter().enumerate().take(AGENT_TEXTS).skip(1) {
        match filled(text(row, at + 1)?) {
            _ if at + 1 == SESSION => event.text(name, &session),
            Some(text) => event.text(name, &text),
            None if at + 1 == EVENT_TYPE => event.text(name, "unknown"),
            None => {}
        }
    }
    if let Some(seconds) = number(row, DURATION)? {
        event.raw("execution_duration_seconds", format!("{seconds:?}").as_bytes());
    }
    if let Some(tokens) = number(row, COST)? {
        event.raw("cost_tokens", (tokens.round() as i64).to_string().as_bytes());
    }
    let time_ms = moment(row, &[TIMESTAMP, CREATED])?;
    time_ms.into_iter().for_each(|ms| event.time(ms));
    event.context(bytes_max, &text(row, CONTEXT)?.unwrap_or_default());
    Ok(RowEvent { rowid, identity: id, session, json: event.0, time_ms })
}

/// The id of a row says which one it is in one life of its table only; with the time at which it was made it says so for good.
fn live_event(row: &Row<'_>, bytes_max: usize) -> rusqlite::Result<RowEvent> {
    let rowid = row.get(0)?;
    let column = |at: usize| text(row, at + 1).map(filled);
    let (id, kind, data) = (column(0)?, column(1)?, column(2)?.unwrap_or_default());
    let (parent, session, spawner) = (column(3)?, column(4)?, column(5)?);
    let id = format!("live-{}", id.unwrap_or_else(|| i64::to_string(&rowid)));
    let session = session.unwrap_or_else(|| NO_SESSION.into());
    let members = parse_raw(data.as_bytes()).ok().and_then(|raw| serde_json::from_str(raw.data).ok());
    let members = if let Some(Json::Object(members)) = members { members } else { Map::new() };
    let mut event = Object(Vec::with_capacity(512));
    event.text("event_id", &id);
    event.text("event_type", kind.as_deref().unwrap_or("unknown"));
    event.text("session_id", &session);
    if let Some(spawner) = spawner.filter(|_| !members.get("agent_id").is_some_and(Json::is_string)) {
        event.text("agent_id", &spawner);
    }
    parent.into_iter().for_each(|parent| event.text("parent_event_id", &parent));
    live_members(&members, &mut event);
    let time_ms = moment(row, &[7])?;
    time_ms.into_iter().for_each(|ms| event.time(ms));
    event.context(bytes_max, &data);
    Ok(RowEvent { rowid, identity: format!("{id} {time_ms:?}"), session, json: event.0, time_ms })
}

fn live_members(members: &Map<String, Json>, event: &mut Object) {
    for name in LIVE_TEXTS {
        if let Some(text) = members.get(name).and_then(Json::as_str) {
            event.text(name, text);
        }
    }
    for name in LIVE_NUMBERS {
        if let Some(number) =
            members.get(name).filter(|json| json.is_i64() || (json.is_f64() && name != "cost_tokens"))
        {
            event.raw(name, number.to_string().as_bytes());
        }
    }
}
