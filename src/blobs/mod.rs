//! Blobs: bytes that somebody uploads under an id, kept on disk, and read by others while they still come. Of their content never
//! more than a chunk is in memory for each who writes or reads.
//!
//! A blob is known to the process that took it: its owner, its topic and its size are kept in memory, so that a server that starts
//! anew has none, as its topics have no events. An upload that breaks off leaves nothing behind, and readers of it are cut, so that
//! nobody takes a part for the whole. A blob that is removed is read to its end by those who have begun.
//!
//! Never knows who may do what, nor HTTP: the server asks it, and asks it only for those who may.

mod blob;
mod folder;
pub mod range;
mod reader;
mod room;
mod upload;

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config;
use crate::limits::BLOB_ID_BYTES_MAX;
use crate::metrics::BlobMetrics;
use crate::sync::{Mutex, lock};
use blob::Stage;
pub use blob::{Blob, Description, New, Replaces};
use folder::Folder;
pub use reader::{Cut, Reader};
use room::Room;
pub use upload::Upload;

/// Why a blob is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It has more bytes than it may.
    #[error("the blob exceeds {0} bytes; raise blobs.max_bytes if that is intended")]
    TooLarge(usize),
    /// There is no room; names the setting.
    #[error("there is no room for the blob: {0} is reached; remove some, or wait until they are")]
    Full(&'static str),
    /// Another has the id.
    #[error("a blob of this id is there already; send If-Match to replace your own, or choose another id")]
    Exists,
    /// What was to be replaced is not there, or is another by now.
    #[error("If-Match: the blob to replace is not there, or has changed")]
    Changed,
    /// It was removed or replaced while it was uploaded.
    #[error("the blob was removed while it was uploaded")]
    Removed,
    /// The server ends.
    #[error("the server ends; upload the blob again")]
    Closed,
    /// The disk's.
    #[error("the blob could not be stored")]
    Disk(#[from] io::Error),
}

/// All blobs of a server.
pub struct Blobs {
    settings: config::Blobs,
    room: Arc<Room>,
    metrics: Arc<BlobMetrics>,
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    by_id: HashMap<Box<str>, Arc<Blob>>,
    /// There from the start when it has a name, else from the first blob on.
    folder: Option<Folder>,
    uploads: u64,
    is_closed: bool,
}

impl Blobs {
    /// None yet. What servers that died have left behind is removed.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(settings: config::Blobs) -> io::Result<Self> {
        folder::remove_leftovers();
        let is_named = !settings.folder.as_os_str().is_empty();
        let folder = is_named.then(|| Folder::named(&settings.folder)).transpose()?;
        let metrics = Arc::new(BlobMetrics::default());
        let room = Arc::new(Room::new(settings.clone(), Arc::clone(&metrics)));
        Ok(Self { settings, room, metrics, index: Mutex::new(Index { folder, ..Index::default() }) })
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<BlobMetrics> {
        &self.metrics
    }

    /// Begins an upload; from now on the blob is found. `now_ms` is monotonic, milliseconds.
    ///
    /// # Errors
    /// It is not taken.
    pub fn begin(self: &Arc<Self>, new: New, now_ms: u64) -> Result<Upload, Refused> {
        self.insert(new, now_ms).map(|blob| Upload::new(Arc::clone(self), blob))
    }

    fn insert(&self, new: New, now_ms: u64) -> Result<Arc<Blob>, Refused> {
        let size = new.size.unwrap_or_default();
        self.check_size(size)?;
        let mut index = lock(&self.index);
        let replaced = index.replaced(&new)?;
        let share = self.room.take(&new.owner, size)?;
        let path = index.path(&new.id)?;
        let blob = Arc::new(Blob::new(new, path, share, now_ms));
        index.by_id.insert(blob.id.clone(), Arc::clone(&blob));
        drop(index);
        replaced.iter().for_each(|blob| end(blob));
        Ok(blob)
    }

    fn check_size(&self, size: u64) -> Result<(), Refused> {
        let limit = self.settings.max_bytes;
        if size <= limit as u64 {
            return Ok(());
        }
        self.metrics.refused.add(1);
        Err(Refused::TooLarge(limit))
    }

    /// The blob of an id.
    pub fn find(&self, id: &str) -> Option<Arc<Blob>> {
        lock(&self.index).by_id.get(id).cloned()
    }

    /// What is known of the blob of an id.
    pub fn describe(&self, id: &str) -> Option<Description> {
        self.find(id).map(|blob| blob.describe())
    }

    /// Reads `part` of a blob; without one, everything that there will be.
    pub fn read(self: &Arc<Self>, blob: Arc<Blob>, part: Option<Range<u64>>) -> Reader {
        Reader::new(Arc::clone(self), blob, part)
    }

    /// Removes a blob, unless it is another by now. Who reads it goes on to the end, if it is complete, and is cut otherwise.
    pub fn remove(&self, blob: &Arc<Blob>) {
        let mut index = lock(&self.index);
        if index.by_id.get(&blob.id).is_some_and(|found| Arc::ptr_eq(found, blob)) {
            index.by_id.remove(&blob.id);
            drop(index);
            end(blob);
        }
    }

    /// Removes what has been there long enough. `now_ms` is monotonic, milliseconds.
    pub fn sweep(&self, now_ms: u64) {
        let keep_ms = self.settings.keep_seconds.as_millis() as u64;
        if keep_ms == 0 {
            return;
        }
        let mut index = lock(&self.index);
        let gone: Vec<_> = index.by_id.extract_if(|_, blob| blob.is_due(keep_ms, now_ms)).collect();
        drop(index);
        self.metrics.expired.add(gone.len() as u64);
        gone.iter().for_each(|(_, blob)| end(blob));
    }

    /// Ends everything: no upload begins or goes on, who reads is cut, and what is on disk is removed.
    ///
    /// # Errors
    /// Something could not be removed.
    pub fn close(&self) -> io::Result<()> {
        let mut index = lock(&self.index);
        index.is_closed = true;
        let (blobs, folder) = (std::mem::take(&mut index.by_id), index.folder.take());
        drop(index);
        for blob in blobs.values() {
            cut(blob);
        }
        folder.map_or(Ok(()), |folder| folder.remove())
    }

    fn is_closed(&self) -> bool {
        lock(&self.index).is_closed
    }
}

impl Index {
    /// What is there under the new blob's id, if it may be replaced.
    fn replaced(&self, new: &New) -> Result<Option<Arc<Blob>>, Refused> {
        if self.is_closed {
            return Err(Refused::Closed);
        }
        let found = self.by_id.get(new.id.as_str());
        match (&new.replaces, found) {
            (Replaces::Nothing, None) => Ok(None),
            (_, None) => Err(Refused::Changed),
            (Replaces::Nothing, Some(_)) => Err(Refused::Exists),
            (_, Some(found)) if *found.owner != *new.owner => Err(Refused::Exists),
            (Replaces::Anything, Some(found)) => Ok(Some(Arc::clone(found))),
            (Replaces::Digests(digests), Some(found)) => {
                let is_one = |digest: Arc<str>| digests.iter().any(|one| *one == *digest);
                let same = found.describe().digest.is_some_and(is_one);
                if same { Ok(Some(Arc::clone(found))) } else { Err(Refused::Changed) }
            }
        }
    }

    /// Where the next blob lies.
    fn path(&mut self, id: &str) -> io::Result<PathBuf> {
        self.uploads += 1;
        let folder = match &mut self.folder {
            Some(folder) => folder,
            none => none.insert(Folder::private()?),
        };
        Ok(folder.file(self.uploads, id))
    }
}

/// Whether a blob can be called this: also a segment of a topic, so that grants can name it.
pub fn is_id(id: &str) -> bool {
    let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'@' | b'-');
    (1..=BLOB_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_ours)
}

/// Cuts who waits for more of a blob; whether there was more to wait for. Its writer removes the file then.
fn cut(blob: &Blob) -> bool {
    blob.advance(|progress| progress.stage = Stage::Gone)
}

/// Ends a blob that is found no longer.
fn end(blob: &Blob) {
    if !cut(blob) && matches!(blob.progress.borrow().stage, Stage::Complete(_)) {
        unlink(blob.path.clone());
    }
}

/// Removes a file where that holds nobody up. An empty blob has none.
fn unlink(path: PathBuf) {
    let remove = move || {
        if let Err(error) = folder::remove_file(&path) {
            tracing::warn!(%error, "the file of a blob could not be removed");
        }
    };
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(remove)),
        Err(_) => remove(),
    }
}
