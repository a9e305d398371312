//! The server's side of the opening handshake (RFC 6455 section 4.2).
//!
//! Reading the request is HTTP's; here is what is special to WebSocket in the answer.

use super::DeflateParams;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`.
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut accept = [0; 28];
    let written = STANDARD.encode_slice(digest, &mut accept);
    debug_assert_eq!(written, Ok(28));
    accept
}

/// Whether a `Sec-WebSocket-Key` is the base64 of 16 bytes, as it must be.
pub fn is_valid_key(key: &[u8]) -> bool {
    let mut nonce = [0; 18];
    key.len() == 24 && STANDARD.decode_slice(key, &mut nonce) == Ok(16)
}

/// Appends the whole head of the answer, up to and with its empty line, so that frames can follow in the same write. The
/// subprotocol must be one that the client has offered.
pub fn write_switching_protocols(
    out: &mut Vec<u8>,
    key: &[u8],
    deflate: Option<DeflateParams>,
    subprotocol: Option<&str>,
) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
    );
    out.extend_from_slice(&accept_key(key));
    if let Some(params) = deflate {
        out.extend_from_slice(b"\r\nSec-WebSocket-Extensions: ");
        out.extend_from_slice(params.header_value().as_bytes());
    }
    if let Some(subprotocol) = subprotocol {
        out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        out.extend_from_slice(subprotocol.as_bytes());
    }
    out.extend_from_slice(b"\r\n\r\n");
}

#[cfg(test)]
mod tests {
    use super::super::negotiate;
    use super::*;

    #[test]
    fn accepts_the_key_of_rfc_6455_section_1_3() {
        assert_eq!(&accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn keys_are_sixteen_bytes() {
        assert!(is_valid_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        let bad: [&[u8]; 5] =
            [b"", b"dGhlIHNhbXBsZSBub25jZQ", b"dGhlIHNhbXBsZSBub25jZSE=", b"????", &[0; 24]];
        for key in bad {
            assert!(!is_valid_key(key), "{key:?}");
        }
    }

    #[test]
    fn the_head_ends_with_an_empty_line() {
        let mut out = Vec::new();
        let deflate = negotiate([&b"permessage-deflate"[..]]);
        write_switching_protocols(&mut out, b"dGhlIHNhbXBsZSBub25jZQ==", deflate, Some("chat"));
        let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
            Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n\
            Sec-WebSocket-Protocol: chat\r\n\
            \r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
