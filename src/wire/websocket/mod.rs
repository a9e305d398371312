//! WebSocket (RFC 6455) with permessage-deflate (RFC 7692): handshake, frames, messages.
//!
//! Reading is [`Decoder`] (per connection, 24 bytes, nothing on the heap unless a message is incomplete) with an
//! [`Intake`] (per shard, the only place where buffers live). Writing is a handful of functions that append final frames
//! to a `Vec<u8>`; a server's frames carry no mask, so one frame serves every subscriber.
//!
//! Never here: replying. Answering a ping or a close is the connection's business.

mod close;
mod decode;
mod encode;
mod handshake;
mod header;
mod held;
mod intake;
mod mask;
mod negotiate;
mod violation;

#[cfg(test)]
mod tests;

pub use close::{encode_close, is_valid_close_code};
pub use decode::Decoder;
pub use encode::{FrameBuilder, encode_frame, encode_masked, encode_ping, encode_pong};
pub use handshake::{accept_key, is_valid_key, write_switching_protocols};
pub use header::{Header, Opcode, header_bytes};
pub use intake::{Incoming, Input, Intake};
pub use mask::apply as apply_mask;
pub use negotiate::{DeflateParams, negotiate};
pub use violation::Violation;

/// Which end of the connection a [`Decoder`] stands at. It decides whether the frames read must carry a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads what clients send: every frame must be masked.
    Server,
    /// Reads what a server sends: no frame may be masked.
    Client,
}
