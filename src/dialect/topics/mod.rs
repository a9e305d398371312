//! The native protocol, documented in `docs/PROTOCOL.md`: one topic over any transport, many topics over one
//! WebSocket or SSE stream, and publishing over WebSocket.

mod encode;
mod messages;
mod multiplex;
mod publish;
mod reader;
mod renewal;
mod request;
mod sse;

pub use encode::{Native, view};
pub use messages::{write_event, write_member, write_position};
pub use multiplex::Multiplex;
pub use publish::Publisher;
pub use reader::Reader;
pub use request::{Page, Positions, RequestError, parse_page, parse_position, parse_reader, parse_sse};
pub use sse::MultiplexSse;
