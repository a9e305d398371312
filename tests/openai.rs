//! Questions answered by a model: a made-up one that misbehaves in every way that is named, a whole server before it, and a reader
//! of the session. Each test looks at both ends: what the reader is told, and what the model's side has seen.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![allow(clippy::disallowed_methods, reason = "tests read the clock and wait")]

mod support;

#[path = "openai/answers.rs"]
mod answers;
#[path = "openai/flow.rs"]
mod flow;
#[path = "openai/process.rs"]
mod process;
#[path = "openai/reader.rs"]
mod reader;
#[path = "openai/tools.rs"]
mod tools;
#[path = "openai/trouble.rs"]
mod trouble;
#[path = "openai/upstream.rs"]
mod upstream;
