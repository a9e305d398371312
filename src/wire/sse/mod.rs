//! Server-Sent Events (WHATWG HTML section 9.2): a writer for the server, a parser for the command line and tests.
//!
//! A line break is the format's only means of structure, so none that comes from a publisher may get through: in ids and
//! event names they are dropped, in data they begin a new `data:` line or become spaces, as the caller says.

mod parse;
mod write;

pub use parse::{Item, Message, ParseError, Parser};
pub use write::{
    write_comment, write_data, write_data_folded, write_end, write_event, write_id, write_retry,
};
