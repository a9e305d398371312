//! A blob that is being written. However an upload ends before its end, even when whoever drives it is gone at any moment, the
//! blob is gone with it, and its file: the file belongs to the [`Writer`], which is either here or on the thread that writes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::blob::{Blob, Description, Stage};
use super::{Blobs, Refused, folder};
use crate::sync::Ordering;

/// See the module.
pub struct Upload {
    blobs: Arc<Blobs>,
    blob: Arc<Blob>,
    received: u64,
    /// On the thread that writes, while it does.
    writer: Option<Writer>,
    is_complete: bool,
}

struct Writer {
    blob: Arc<Blob>,
    /// There once something is written.
    file: Option<File>,
    hash: Sha256,
    keep: bool,
}

impl Upload {
    pub(super) fn new(blobs: Arc<Blobs>, blob: Arc<Blob>) -> Self {
        let writer = Writer { blob: Arc::clone(&blob), file: None, hash: Sha256::new(), keep: false };
        Self { blobs, blob, received: 0, writer: Some(writer), is_complete: false }
    }

    /// Appends `bytes`; readers get them from now on. When this fails, or is dropped before it is done, the upload is over.
    ///
    /// # Errors
    /// The blob is too large or was removed, there is no room left, or the disk fails.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Refused> {
        let received = self.received + bytes.len() as u64;
        self.blobs.check_size(received)?;
        self.blob.share.grow(received)?;
        let Some(mut writer) = self.writer.take() else { return Err(Refused::Removed) };
        let written = tokio::task::spawn_blocking(move || writer.write(&bytes).map(|()| writer)).await;
        self.writer = Some(written.map_err(io::Error::from)??);
        self.received = received;
        let goes_on = self.blob.advance(|progress| progress.received = received);
        if goes_on { Ok(()) } else { Err(Refused::Removed) }
    }

    /// The blob is complete.
    ///
    /// # Errors
    /// It was removed meanwhile.
    pub fn finish(mut self, now_ms: u64) -> Result<Description, Refused> {
        let Some(mut writer) = self.writer.take() else { return Err(Refused::Removed) };
        let digest: Arc<str> = folder::hex(&std::mem::take(&mut writer.hash).finalize()).into();
        self.blob.since_ms.store(now_ms, Ordering::Release);
        self.is_complete = self.blob.advance(|progress| progress.stage = Stage::Complete(digest));
        if !self.is_complete {
            return Err(Refused::Removed);
        }
        writer.keep = true;
        self.blobs.metrics().uploaded.add(1);
        Ok(self.blob.describe())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.is_complete {
            self.blobs.metrics().broken.add(1);
            self.blobs.remove(&self.blob);
        }
    }
}

impl Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(create(&self.blob)?),
        };
        file.write_all(bytes)?;
        self.hash.update(bytes);
        Ok(())
    }
}

fn create(blob: &Blob) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&blob.path)
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.file.is_some() && !self.keep {
            super::unlink(self.blob.path.clone());
        }
    }
}
