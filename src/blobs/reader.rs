//! A part of a blob that is being read, from the disk, a chunk at a time; it waits for what is still to come. A reader that is slow
//! holds a descriptor and at most a chunk, and nobody up.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::Blobs;
use super::blob::{Blob, Progress, Stage};
use crate::limits::BLOB_CHUNK_BYTES;

/// See the module.
pub struct Reader {
    blobs: Arc<Blobs>,
    blob: Arc<Blob>,
    progress: watch::Receiver<Progress>,
    /// There once something is read.
    file: Option<Arc<File>>,
    next: u64,
    /// Absent where the size is not known.
    end: Option<u64>,
    is_over: bool,
}

/// A read ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    /// The upload broke off, or the blob was removed before it was complete.
    #[error("the blob was not completed")]
    Broken,
    /// Whoever reads may no longer.
    #[error("the credential has ended")]
    Ended,
    /// The server ends.
    #[error("the server ends")]
    Closed,
    /// The disk's.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl Reader {
    pub(super) fn new(blobs: Arc<Blobs>, blob: Arc<Blob>, part: Option<Range<u64>>) -> Self {
        let (next, end) = part.map_or((0, None), |part| (part.start, Some(part.end)));
        blobs.metrics().downloads.add(1);
        Self { progress: blob.progress.subscribe(), blobs, blob, file: None, next, end, is_over: false }
    }

    /// Bytes that are left, where that is known.
    pub fn left(&self) -> Option<u64> {
        self.end.map(|end| end - self.next)
    }

    /// The next bytes; `None` after the last.
    ///
    /// # Errors
    /// There will be no more, though this is not the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Cut> {
        let there = if self.left() == Some(0) { 0 } else { self.await_bytes().await? };
        if there == 0 {
            self.is_over = true;
            return Ok(None);
        }
        if self.blobs.is_closed() {
            return Err(Cut::Closed);
        }
        let bytes = self.read(there.min(BLOB_CHUNK_BYTES as u64) as usize).await?;
        self.next += bytes.len() as u64;
        self.is_over = self.left() == Some(0);
        self.blobs.metrics().read_bytes.add(bytes.len() as u64);
        Ok(Some(bytes))
    }

    /// How many of the bytes that are wanted are there; 0 at the end.
    async fn await_bytes(&mut self) -> Result<u64, Cut> {
        let next = self.next;
        let moved =
            |progress: &Progress| progress.received > next || !matches!(progress.stage, Stage::Growing);
        let progress = self.progress.wait_for(moved).await.map_err(|_| Cut::Broken)?;
        match progress.stage {
            Stage::Gone => Err(Cut::Broken),
            // Cut to what it was to be, when the size was announced.
            Stage::Complete(_) | Stage::Growing => {
                let end = self.end.unwrap_or(u64::MAX).min(progress.received);
                let there = end.saturating_sub(next);
                if there == 0 && self.end.is_some() { Err(Cut::Broken) } else { Ok(there) }
            }
        }
    }

    async fn read(&mut self, count: usize) -> Result<Bytes, Cut> {
        let (file, blob, at) = (self.file.take(), Arc::clone(&self.blob), self.next);
        let read = tokio::task::spawn_blocking(move || {
            let file = file.map_or_else(|| File::open(&blob.path).map(Arc::new), Ok)?;
            let mut bytes = vec![0; count];
            file.read_exact_at(&mut bytes, at)?;
            Ok::<_, io::Error>((file, Bytes::from(bytes)))
        });
        let (file, bytes) = read.await.map_err(io::Error::from)??;
        self.file = Some(file);
        Ok(bytes)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.is_over {
            self.blobs.metrics().cut.add(1);
        }
    }
}
