//! What is counted about blobs.

use super::Counter;

/// What blobs count.
#[derive(Debug, Default)]
pub struct BlobMetrics {
    /// Blobs now, those included that are removed but still read.
    pub blobs: Counter,
    /// Their bytes on disk, in whole blocks.
    pub bytes: Counter,
    /// Uploads that were completed.
    pub uploaded: Counter,
    /// Uploads that broke off.
    pub broken: Counter,
    /// Uploads and downloads that a limit refused.
    pub refused: Counter,
    /// Downloads begun.
    pub downloads: Counter,
    /// Downloads that were cut before their end.
    pub cut: Counter,
    /// Bytes read for downloads.
    pub read_bytes: Counter,
    /// Blobs removed because their time was over.
    pub expired: Counter,
}
