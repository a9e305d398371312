//! Settings of blobs: bytes that are uploaded, and read while they still come.

use std::path::PathBuf;
use std::time::Duration;

use super::kind::{Bytes, Count, File, Seconds};
use super::section::section;
use crate::limits;

section! {
    /// Blobs.
    Blobs = "blobs" {
        /// Folder in which they are kept; made if it is not there, and this server's alone. Empty means a private one below the system's temporary folder, which goes with the server.
        folder: File = PathBuf::new();
        /// Largest blob; a larger one is refused with 413. Costs disk, not memory.
        max_bytes: Bytes<1> = limits::BLOB_BYTES_MAX;
        /// Bytes of all blobs, each counted in whole blocks of 4 KiB; more are refused with 507.
        total_bytes: Bytes<1> = limits::BLOBS_BYTES;
        /// Bytes of the blobs of one user; more are refused with 507. 0 means no bound.
        per_user_bytes: Bytes<0> = limits::BLOBS_BYTES_PER_USER;
        /// Blobs; another is refused with 507. About 1 KiB of memory each.
        max: Count<1> = limits::BLOBS_MAX;
        /// Blobs of one user; another is refused with 507. 0 means no bound.
        per_user: Count<0> = limits::BLOBS_PER_USER;
        /// Time for which a blob is kept once it is complete, and that an upload may take. 0 means until the server ends.
        keep_seconds: Seconds<0> = Duration::from_secs(limits::BLOB_KEEP_SECONDS);
        /// Time within which an upload must bring what `least_bytes_per_second` says, and anything at all; else it ends with 408.
        idle_seconds: Seconds<1> = Duration::from_secs(limits::BLOB_IDLE_SECONDS);
        /// Bytes that an upload must bring each second, on average over `idle_seconds`.
        least_bytes_per_second: Count<0> = limits::BLOB_LEAST_BYTES_PER_SECOND;
        /// Uploads and downloads at the same time; another is refused with 503. About 200 KiB and a thread each while bytes move.
        transfers: Count<1> = limits::BLOB_TRANSFERS;
        /// Uploads and downloads of one user at the same time; another is refused with 429. 0 means no bound.
        transfers_per_user: Count<0> = limits::BLOB_TRANSFERS_PER_USER;
    }
}
