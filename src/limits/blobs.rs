//! Bounds of blobs.

/// Largest blob, bytes (default).
pub const BLOB_BYTES_MAX: usize = 256 << 20;
/// Bytes of all blobs (default).
pub const BLOBS_BYTES: usize = 4 << 30;
/// Bytes of the blobs of one user (default).
pub const BLOBS_BYTES_PER_USER: usize = 1 << 30;
/// Blobs (default).
pub const BLOBS_MAX: usize = 10_000;
/// Blobs of one user (default).
pub const BLOBS_PER_USER: usize = 1_000;
/// Time for which a blob is kept, seconds (default).
pub const BLOB_KEEP_SECONDS: u64 = 86_400;
/// Time within which an upload must go on, seconds (default).
pub const BLOB_IDLE_SECONDS: u64 = 30;
/// Bytes that an upload must bring each second, on average over that time (default).
pub const BLOB_LEAST_BYTES_PER_SECOND: usize = 128;
/// Uploads and downloads at the same time (default).
pub const BLOB_TRANSFERS: usize = 256;
/// Those of one user (default).
pub const BLOB_TRANSFERS_PER_USER: usize = 32;
/// Bytes of a blob that are read at a time.
pub const BLOB_CHUNK_BYTES: usize = 64 << 10;
/// A blob takes up as many of these as it needs, and at least one, bytes: what a file takes on a disk.
pub const BLOB_BLOCK_BYTES: u64 = 4 << 10;
/// Longest id of a blob, bytes.
pub const BLOB_ID_BYTES_MAX: usize = 128;
/// Longest media type of a blob, bytes.
pub const BLOB_TYPE_BYTES_MAX: usize = 255;
/// Private folders that are tried before a server without a folder for its blobs gives up.
pub const BLOB_FOLDERS_TRIED: usize = 8;
/// Bytes of an answer for each of which its client has `timing.write_seconds`.
pub const ANSWER_PIECE_BYTES: usize = 64 << 10;
