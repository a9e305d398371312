//! Bounds of requests to models, and of what those have done.

/// Passages of documents that a model is told (default).
pub const OPENAI_PASSAGES: usize = 3;
/// Time for a connection to a model, seconds (default).
pub const OPENAI_CONNECT_SECONDS: u64 = 10;
/// Time for the head of an answer of a model, seconds (default).
pub const OPENAI_FIRST_SECONDS: u64 = 60;
/// Time for which nothing may come in the middle of such an answer, seconds (default).
pub const OPENAI_STALL_SECONDS: u64 = 30;
/// How often a request to a model is made again (default).
pub const OPENAI_RETRIES: usize = 2;
/// How often a model may have tools called for one answer (default).
pub const OPENAI_TOOL_ROUNDS: usize = 8;
/// Longest passage of a document that a model is told, bytes.
pub const OPENAI_PASSAGE_BYTES_MAX: usize = 8 << 10;
/// Longest event in the stream of a model, bytes.
pub const OPENAI_EVENT_BYTES_MAX: usize = 256 << 10;
/// Largest answer of a model that comes as a whole, and largest error, bytes.
pub const OPENAI_WHOLE_BYTES_MAX: usize = 1 << 20;
/// Largest piece in which such an answer goes to readers, bytes.
pub const OPENAI_TEXT_BYTES_MAX: usize = 4 << 10;
/// What is logged of an error of a model, bytes.
pub const OPENAI_LOG_BYTES_MAX: usize = 512;
/// Requests to models at the same time (default).
pub const OPENAI_REQUESTS_MAX: usize = 256;
/// Time before a request to a model is made again for the first time, milliseconds; twice as long each time.
pub const OPENAI_BACKOFF_MS: u64 = 500;
/// Longest such time, milliseconds, unless the other side asks for a longer one.
pub const OPENAI_BACKOFF_MS_MAX: u64 = 30_000;
/// Such a time from which readers are told, milliseconds.
pub const OPENAI_TOLD_MS: u64 = 2_000;
/// Tools that models can be offered.
pub const TOOLS_MAX: usize = 64;
/// Time for a tool to answer, seconds (default).
pub const TOOL_SECONDS: u64 = 10;
/// Tools that a model may call at once.
pub const TOOL_CALLS_MAX: usize = 16;
/// Longest name of a tool, and id of a call, bytes.
pub const TOOL_NAME_BYTES_MAX: usize = 128;
/// What a tool is called with at most, bytes.
pub const TOOL_ARGS_BYTES_MAX: usize = 64 << 10;
/// Largest result of a tool, bytes.
pub const TOOL_RESULT_BYTES_MAX: usize = 64 << 10;
