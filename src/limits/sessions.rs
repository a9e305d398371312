//! Bounds of sessions, and of those who answer.

use super::TOPIC_NAME_BYTES_MAX;

/// Longest segment of a topic that is the name of a user; longer ones are hashed.
pub const OWN_SEGMENT_BYTES_MAX: usize = 96;
/// Longest id of a session, bytes.
pub const SESSION_ID_BYTES_MAX: usize = 128;
/// Questions of one user that are answered or wait to be (default).
pub const SESSIONS_RUNNING_PER_USER: usize = 16;
/// Sessions of one user that are remembered (default).
pub const SESSIONS_PER_USER: usize = 1_000;
/// Sessions that are remembered (default); about 1 KiB each, and what they keep for context.
pub const SESSIONS_MAX: usize = 100_000;
/// Longest question, bytes (default).
pub const QUESTION_BYTES_MAX: usize = 16 << 10;
/// Largest context that a client may give, bytes (default).
pub const SESSION_CONTEXT_BYTES: usize = 16 << 10;
/// Pieces of an answer (default).
pub const ANSWER_TOKENS_MAX: usize = 8_192;
/// Bytes of an answer (default).
pub const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Time that an answer may take, seconds (default).
pub const ANSWER_SECONDS: u64 = 300;
/// Time for which a session that nobody reads goes on, seconds (default).
pub const UNWATCHED_SECONDS: u64 = 300;
/// Time for which a session that is not used is remembered, seconds (default).
pub const SESSION_IDLE_SECONDS: u64 = 3_600;
/// Earlier questions and answers that feed the next answer (default).
pub const HISTORY_TURNS: usize = 20;
/// Their bytes (default).
pub const HISTORY_BYTES: usize = 64 << 10;
/// Agents that the configuration may name.
pub const AGENTS_MAX: usize = 100;
/// Longest name of an agent, bytes.
pub const AGENT_NAME_BYTES_MAX: usize = 128;
/// Attachments of one question or post.
pub const ATTACHMENTS_MAX: usize = 16;
/// Events that a session's topic keeps (default): two of the longest answers, with what surrounds them.
pub const SESSION_RETAIN_EVENTS: usize = 2 * ANSWER_TOKENS_MAX + 1_024;

/// Events of a session that are looked at to put together what an answer has said.
pub const SESSION_TEXT_LOOKS_MAX: usize = 1 << 16;
/// Bytes of what an answer has said that are put together, as JSON, in which a character may take six.
pub const SESSION_TEXT_BYTES_MAX: usize = 4 << 20;
/// Answers that a thread remembers put together: twice this at most.
pub const SESSION_TEXTS_REMEMBERED: usize = 4_096;
/// Their bytes, and those of the places of their pieces: twice this at most.
pub const SESSION_TEXTS_BYTES: usize = 16 << 20;

const _: () = assert!(6 * ANSWER_BYTES_MAX <= SESSION_TEXT_BYTES_MAX, "an answer can be put together");
// Each piece has its place, which is 8 B; what grows has up to twice the room it needs.
const _: () = assert!(2 * (SESSION_TEXT_BYTES_MAX + 8 * SESSION_TEXT_LOOKS_MAX) <= SESSION_TEXTS_BYTES);
const _: () = assert!(
    SESSIONS_TOPIC_BYTES + OWN_SEGMENT_BYTES_MAX + SESSION_ID_BYTES_MAX <= TOPIC_NAME_BYTES_MAX,
    "a session's topic has a name"
);
/// `sessions.`, and the dot behind the user.
const SESSIONS_TOPIC_BYTES: usize = 10;
/// Time after which an event that a topic does not take is offered again, milliseconds, where the topic does not say.
pub const POSTS_RETRY_MS: u64 = 100;
/// Time that a request for an answer still waits for it when the server ends, milliseconds.
pub const LAST_ANSWERS_MS: u64 = 1_000;
/// Words that the embedded responder may be told to say in a second: timers have milliseconds.
pub const WORDS_PER_SECOND_MAX: usize = 1_000;
/// Documents that answers rest on.
pub const CORPUS_FILES_MAX: usize = 10_000;
/// Their bytes together; in memory, with what they are found by, about three times that.
pub const CORPUS_BYTES_MAX: usize = 64 << 20;
/// Files and folders that are looked at for documents.
pub const CORPUS_ENTRIES_MAX: usize = 100_000;
/// Folders within folders in which documents may lie.
pub const CORPUS_DEPTH_MAX: usize = 8;
/// Files left out of the documents that are named in the log; of further ones only the number.
pub const CORPUS_COMPLAINTS_MAX: usize = 20;
/// Largest document, bytes.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Passages that documents are cut into, together; what is beyond is left out and reported.
pub const PASSAGES_MAX: usize = 200_000;
/// Up to this many bytes, paragraphs under one heading make one passage.
pub const PASSAGE_BYTES_WANTED: usize = 700;
/// Longest passage; a longer paragraph is cut.
pub const PASSAGE_BYTES_MAX: usize = 1_200;
/// Longest heading that is kept, bytes.
pub const HEADING_BYTES_MAX: usize = 200;
/// Questions that wait for passages; whoever asks more waits before.
pub const SEARCHES_WAITING_MAX: usize = 256;
/// Words of a question that are looked for, its own and those of earlier questions.
pub const SEARCH_WORDS_MAX: usize = 32;
/// Longest word that is looked for, bytes; of a longer one the beginning.
pub const SEARCH_WORD_BYTES_MAX: usize = 64;
/// Passages that are compared for an answer.
pub const CANDIDATES_MAX: usize = 12;
/// Words that passages are compared by: of those of a question the ones that fewest passages have.
pub const SEARCH_WORDS_COMPARED: usize = 12;
/// Words for which it is remembered how many passages have them, about 100 B each.
pub const SEARCH_WORDS_REMEMBERED: usize = 10_000;
/// Passages that an answer quotes.
pub const QUOTES_MAX: usize = 3;
/// Events that go together where their namespace has them wait.
pub const LINGER_EVENTS: u32 = 16;
