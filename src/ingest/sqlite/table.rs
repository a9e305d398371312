//! Following one table. The cursor is the rowid: writers of a database take turns, so that a row that is committed later has a
//! greater one, and nothing appears behind the cursor. There are exceptions, and they are found by looking again:
//!
//! - a row changes: the recent rows are read again, the newest at once, the others a piece with every look;
//! - rows are deleted and their rowids given to others: the same look finds events that are not known;
//! - so many are deleted, or the table is packed, that the greatest rowid is below the cursor: all recent rows are read again.
//!
//! What is read again is compared with what is [`Known`]. Only recent rows are, so what has changed further back is not seen.

use rusqlite::{Connection, OptionalExtension, params};

use super::known::{Known, Seen};
use super::outlet::{Batch, Outlet};
use super::row::Kind;
use crate::limits::{
    SQLITE_CHUNK_BYTES, SQLITE_CHUNK_ROWS, SQLITE_KNOWN_EVENTS, SQLITE_RECENT_ROWS, SQLITE_RECHECK_ROWS,
};

/// Rows whose state is taken in at the start: half of what can be known, so that there is room for new ones before any is forgotten.
const START_ROWS: usize = SQLITE_KNOWN_EVENTS / 2;
const _: () = assert!(SQLITE_RECENT_ROWS <= START_ROWS);
/// Smaller than any rowid there is.
const BEFORE_ALL: i64 = i64::MIN;

/// Rowids: above the first, up to the second.
type Range = (i64, i64);

/// See the module.
pub struct Table {
    kind: Kind,
    /// Selects rows of a range; `None` while there is no such table.
    select: Option<String>,
    begun: bool,
    /// Where the history that is published at the start begins, once that was found out: a start that fails goes on from there.
    history_from: Option<i64>,
    /// The last row that was taken.
    cursor: i64,
    /// Rows up to here were there before anything was known of them.
    floor: i64,
    known: Known,
    /// Longest event, bytes.
    event_bytes: usize,
    /// Up to where recent rows were read again.
    swept: i64,
    /// Times that the recent rows are still to be read to their end: once from where it was, and once all.
    sweeps: u8,
}

/// What was read of a range.
#[derive(Default)]
struct Chunk {
    batch: Batch,
    rows: usize,
    last: i64,
    time_ms: Option<u64>,
    /// There may be more.
    full: bool,
    /// Why reading ended early. What was read before is noted as known, and so must be published.
    fault: Option<rusqlite::Error>,
}

impl Table {
    /// A table of which nothing has been read.
    pub fn new(kind: Kind, event_bytes: usize) -> Self {
        let known = Known::new(SQLITE_KNOWN_EVENTS);
        Self {
            kind,
            select: None,
            begun: false,
            history_from: None,
            cursor: BEFORE_ALL,
            floor: BEFORE_ALL,
            known,
            event_bytes,
            swept: BEFORE_ALL,
            sweeps: 0,
        }
    }

    /// Forgets the place, not the events: the file is another one now.
    pub fn restart(&mut self) {
        (self.begun, self.history_from) = (false, None);
    }

    /// Finds out which columns there are; those of older files that are missing are read as NULL.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn learn(&mut self, database: &Connection) -> rusqlite::Result<()> {
        let table = self.kind.table();
        let mut info = database.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let there: Vec<String> = info.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let column = |name: &&str| match there.iter().any(|column| column.eq_ignore_ascii_case(name)) {
            true => format!("\"{name}\""),
            false => "NULL".into(),
        };
        let columns: Vec<_> = self.kind.columns().iter().map(column).collect();
        let select = || {
            let columns = columns.join(",");
            format!(
                "SELECT rowid,{columns} FROM {table} WHERE rowid>?1 AND rowid<=?2 ORDER BY rowid LIMIT ?3"
            )
        };
        self.select = (!there.is_empty()).then(select);
        Ok(())
    }

    /// Takes in what is there: the newest `history` rows are published, of some more the state is noted.
    fn begin(&mut self, database: &Connection, history: usize, outlet: &mut Outlet) -> rusqlite::Result<()> {
        let newest = self.greatest(database)?;
        let first = match self.history_from {
            Some(first) => first,
            None => {
                self.floor = self.below_newest(database, START_ROWS)?;
                self.below_newest(database, history.min(SQLITE_RECENT_ROWS))?
            }
        };
        self.history_from = Some(first);
        self.note(database, (self.floor, first))?;
        self.walk(database, (first, newest), outlet)?;
        (self.cursor, self.swept, self.begun) = (newest, newest, true);
        Ok(())
    }

    /// Reads what is new, if `changed`, and some of what is recent.
    ///
    /// # Errors
    /// The database cannot be read; what was not published will be next time.
    pub fn look(
        &mut self,
        database: &Connection,
        changed: bool,
        history: usize,
        outlet: &mut Outlet,
    ) -> rusqlite::Result<usize> {
        if self.select.is_none() {
            return Ok(0);
        }
        if !self.begun {
            self.begin(database, history, outlet)?;
            return Ok(0);
        }
        let mut found = 0;
        if changed {
            let greatest = self.greatest(database)?;
            if greatest < self.cursor {
                self.recover(database, greatest, outlet)?;
            }
            // A row that has the rowid of another was written before those behind the cursor.
            self.recheck(database, outlet)?;
            found = self.advance(database, outlet)?;
            self.sweeps = 2;
        }
        if self.sweeps > 0 {
            self.sweep(database, found.max(SQLITE_RECHECK_ROWS), outlet)?;
        }
        Ok(found)
    }

    /// Reads what is behind the cursor; how many rows that were.
    fn advance(&mut self, database: &Connection, outlet: &mut Outlet) -> rusqlite::Result<usize> {
        let mut found = 0;
        loop {
            let chunk = self.read(database, (self.cursor, i64::MAX), SQLITE_CHUNK_ROWS);
            found += chunk.rows;
            self.cursor = self.cursor.max(chunk.last);
            if let Some(time_ms) = chunk.time_ms {
                outlet.metrics.lag_ms.set(outlet.now().unix_ms.saturating_sub(time_ms));
            }
            if !publish(chunk, outlet)? {
                return Ok(found);
            }
        }
    }

    /// The greatest rowid has become smaller: rows were deleted, or all have other rowids now. The newest ones tell which are new.
    fn recover(&mut self, database: &Connection, greatest: i64, outlet: &mut Outlet) -> rusqlite::Result<()> {
        tracing::info!(table = self.kind.table(), "rows were deleted; the recent ones are read again");
        let floor = self.below_newest(database, SQLITE_RECENT_ROWS)?;
        self.walk(database, (floor, greatest), outlet)?;
        (self.floor, self.cursor, self.swept) = (floor, greatest, floor);
        Ok(())
    }

    /// Reads the newest rows up to the cursor again.
    fn recheck(&mut self, database: &Connection, outlet: &mut Outlet) -> rusqlite::Result<()> {
        let first = self.cursor.saturating_sub(SQLITE_RECHECK_ROWS as i64).max(self.floor);
        self.walk(database, (first, self.cursor), outlet)
    }

    /// Reads the next `rows` of the recent ones again, and begins anew at their end.
    fn sweep(&mut self, database: &Connection, rows: usize, outlet: &mut Outlet) -> rusqlite::Result<()> {
        let oldest = self.cursor.saturating_sub(SQLITE_RECENT_ROWS as i64).max(self.floor);
        let chunk = self.read(database, (self.swept.max(oldest), self.cursor), rows.min(SQLITE_CHUNK_ROWS));
        self.swept = if chunk.full { chunk.last } else { oldest };
        self.sweeps -= u8::from(!publish(chunk, outlet)?);
        Ok(())
    }

    /// Reads a whole range, and publishes what has not been there like that.
    fn walk(&mut self, database: &Connection, range: Range, outlet: &mut Outlet) -> rusqlite::Result<()> {
        let (mut first, last) = range;
        loop {
            let chunk = self.read(database, (first, last), SQLITE_CHUNK_ROWS);
            first = chunk.last;
            if !publish(chunk, outlet)? {
                return Ok(());
            }
        }
    }

    /// Notes the state of the rows of a range.
    fn note(&mut self, database: &Connection, range: Range) -> rusqlite::Result<()> {
        let (mut first, last) = range;
        loop {
            let chunk = self.read(database, (first, last), SQLITE_CHUNK_ROWS);
            first = chunk.last;
            match chunk.fault {
                Some(fault) => return Err(fault),
                None if chunk.full => {}
                None => return Ok(()),
            }
        }
    }

    /// Reads up to `limit` rows of a range; those that are new or have changed are in the batch.
    fn read(&mut self, database: &Connection, range: Range, limit: usize) -> Chunk {
        let mut chunk = Chunk { last: range.0, ..Chunk::default() };
        chunk.fault = self.read_into(&mut chunk, database, range, limit).err();
        chunk
    }

    fn read_into(
        &mut self,
        chunk: &mut Chunk,
        database: &Connection,
        range: Range,
        limit: usize,
    ) -> rusqlite::Result<()> {
        let Some(select) = &self.select else { return Ok(()) };
        let mut select = database.prepare_cached(select)?;
        let mut rows = select.query(params![range.0, range.1, limit as i64])?;
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let event = self.kind.event(row, self.event_bytes)?;
            bytes += event.json.len();
            (chunk.rows, chunk.last, chunk.time_ms) = (chunk.rows + 1, event.rowid, event.time_ms);
            match self.known.note(&event.identity, &event.json) {
                Seen::Same => {}
                _ if event.json.len() > self.event_bytes => chunk.batch.refuse(),
                seen => chunk.batch.add(event, seen == Seen::Changed),
            }
            if bytes > SQLITE_CHUNK_BYTES {
                chunk.full = true;
                return Ok(());
            }
        }
        chunk.full = chunk.rows == limit;
        Ok(())
    }

    /// The greatest rowid; below all others when there is none.
    fn greatest(&self, database: &Connection) -> rusqlite::Result<i64> {
        let select = format!("SELECT MAX(rowid) FROM {}", self.kind.table());
        let greatest: Option<i64> = database.prepare_cached(&select)?.query_row([], |row| row.get(0))?;
        Ok(greatest.unwrap_or(BEFORE_ALL))
    }

    /// The rowid behind which the newest `rows` follow.
    fn below_newest(&self, database: &Connection, rows: usize) -> rusqlite::Result<i64> {
        let select = format!("SELECT rowid FROM {} ORDER BY rowid DESC LIMIT 1 OFFSET ?1", self.kind.table());
        let found =
            database.prepare_cached(&select)?.query_row([rows as i64], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(BEFORE_ALL))
    }
}

/// Publishes what was read; whether there may be more.
fn publish(chunk: Chunk, outlet: &mut Outlet) -> rusqlite::Result<bool> {
    outlet.publish(chunk.batch);
    chunk.fault.map_or(Ok(chunk.full), Err)
}
