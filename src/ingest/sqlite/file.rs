//! The database file: opened to be read only, and opened anew when another file has taken its place.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::limits::SQLITE_BUSY_MS;

/// Why a look at the database failed.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The file cannot be found or looked at.
    #[error("{0}")]
    File(#[from] io::Error),
    /// SQLite says no.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Another file took its place while it was opened.
    #[error("the file was replaced while it was opened")]
    Replaced,
}

impl LookError {
    /// Whether the connection is as good as before: somebody else has locked the database.
    pub fn is_busy(&self) -> bool {
        let code = if let Self::Sqlite(error) = self { error.sqlite_error_code() } else { None };
        matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// Whether there is no file yet.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Which file it is, whatever its name: device and inode.
type Identity = (u64, u64);

/// An open database.
pub struct File {
    /// The connection.
    pub database: Connection,
    identity: Identity,
    /// `PRAGMA data_version` at the last look: another one when somebody else has written.
    data_version: Option<i64>,
    schema_version: Option<i64>,
}

/// What has happened to a database since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Somebody has written.
    pub data: bool,
    /// There are other tables or columns.
    pub schema: bool,
}

fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

impl File {
    /// Opens the file.
    ///
    /// # Errors
    /// It cannot be opened. What is no database is found out by reading it.
    pub fn open(path: &Path) -> Result<Self, LookError> {
        let before = identity(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(path, flags)?;
        database.busy_timeout(Duration::from_millis(SQLITE_BUSY_MS))?;
        database.pragma_update(None, "query_only", true)?;
        let file = Self { database, identity: before, data_version: None, schema_version: None };
        if file.is_replaced(path)? { Err(LookError::Replaced) } else { Ok(file) }
    }

    /// Whether another file has its name now.
    ///
    /// # Errors
    /// None has.
    pub fn is_replaced(&self, path: &Path) -> Result<bool, LookError> {
        Ok(identity(path)? != self.identity)
    }

    /// Whether it is the same file as `other` was.
    pub fn is_same(&self, other: Option<Identity>) -> bool {
        other == Some(self.identity)
    }

    /// Which file it is.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// What has happened since the last call that said so without an error in between.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn changes(&mut self) -> Result<Changed, LookError> {
        let pragma = |name| self.database.pragma_query_value(None, name, |row| row.get(0));
        let data_version = Some(pragma("data_version")?);
        if data_version == self.data_version {
            return Ok(Changed { data: false, schema: false });
        }
        let schema_version = Some(pragma("schema_version")?);
        let schema = schema_version != self.schema_version;
        (self.data_version, self.schema_version) = (data_version, schema_version);
        Ok(Changed { data: true, schema })
    }

    /// The last look has failed: the next one finds everything changed.
    pub fn forget_versions(&mut self) {
        (self.data_version, self.schema_version) = (None, None);
    }
}
