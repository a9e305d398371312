//! Agreeing on permessage-deflate (RFC 6455 section 9.1, RFC 7692 sections 5 and 7.1).
//!
//! The answer is always "no context takeover" on both sides: it is what lets a shard share frames and compressors. It may be
//! given whether or not the client asked for it. The first offer that can be met is taken; one that cannot is passed over,
//! and with none left the connection goes on without compression.

use crate::limits::DEFLATE_WINDOW_BITS;

const WITHOUT_WINDOW: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const WITH_WINDOW: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12";
const _: () = assert!(DEFLATE_WINDOW_BITS == 12, "the texts above name the window");

/// What was agreed on. The server's window is 2^12 bytes in any case; this says whether the client has to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateParams {
    window_asked: bool,
}

impl DeflateParams {
    /// The value of `Sec-WebSocket-Extensions` in the answer.
    pub fn header_value(self) -> &'static str {
        if self.window_asked { WITH_WINDOW } else { WITHOUT_WINDOW }
    }
}

/// Chooses among the offers of a client: `values` are those of all its `Sec-WebSocket-Extensions` headers.
pub fn negotiate<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Option<DeflateParams> {
    let offers =
        values.into_iter().filter_map(|value| std::str::from_utf8(value).ok()).flat_map(|v| split(v, ','));
    offers.filter_map(accept).next()
}

/// Cuts at `separator` outside of quotes, and trims the pieces.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |char| {
        quoted ^= char == '"';
        char == separator && !quoted
    })
    .map(|piece| piece.trim_matches([' ', '\t']))
}

fn accept(offer: &str) -> Option<DeflateParams> {
    let mut pieces = split(offer, ';');
    if !pieces.next()?.eq_ignore_ascii_case("permessage-deflate") {
        return None;
    }
    let mut seen = Seen::default();
    pieces.try_for_each(|piece| seen.parameter(piece))?;
    Some(DeflateParams { window_asked: seen.server_window })
}

/// The parameters that an offer has named so far: naming one twice spoils it.
#[derive(Default)]
struct Seen {
    server_takeover: bool,
    client_takeover: bool,
    server_window: bool,
    client_window: bool,
}

impl Seen {
    /// Judges one parameter; `None` passes the offer over, as RFC 7692 section 7.1 demands of what is unknown or wrong.
    fn parameter(&mut self, piece: &str) -> Option<()> {
        let (name, value) = match piece.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(unquoted(value.trim_start()))),
            None => (piece, None),
        };
        let (seen, met) = match name {
            "server_no_context_takeover" => (&mut self.server_takeover, value.is_none()),
            "client_no_context_takeover" => (&mut self.client_takeover, value.is_none()),
            "server_max_window_bits" => {
                (&mut self.server_window, value.and_then(window)? >= DEFLATE_WINDOW_BITS)
            }
            "client_max_window_bits" => {
                (&mut self.client_window, value.is_none_or(|bits| window(bits).is_some()))
            }
            _ => return None,
        };
        let first = !std::mem::replace(seen, true);
        (first && met).then_some(())
    }
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// 8 to 15, without leading zeros.
fn window(value: &str) -> Option<u8> {
    match value {
        "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15" => value.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(value: &str) -> Option<&'static str> {
        negotiate([value.as_bytes()]).map(DeflateParams::header_value)
    }

    #[test]
    fn takes_the_offers_that_can_be_met() {
        let plain = [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate;client_no_context_takeover;server_no_context_takeover",
            "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=9, permessage-deflate",
            "foo; bar=\"a,b;c\", permessage-deflate",
            "PerMessage-Deflate",
        ];
        for offer in plain {
            assert_eq!(answer(offer), Some(WITHOUT_WINDOW), "{offer}");
        }
        for offer in [
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
            "permessage-deflate; server_max_window_bits=\"15\"",
            "permessage-deflate; server_max_window_bits = 13",
        ] {
            assert_eq!(answer(offer), Some(WITH_WINDOW), "{offer}");
        }
    }

    #[test]
    fn passes_over_the_others() {
        for offer in [
            "",
            "permessage-bzip2",
            "permessage-deflate; unknown",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=11",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=012",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate;",
        ] {
            assert_eq!(answer(offer), None, "{offer}");
        }
    }

    #[test]
    fn looks_at_all_headers() {
        let values = [&b"\xff"[..], b"foo", b"permessage-deflate"];
        assert_eq!(negotiate(values), Some(DeflateParams { window_asked: false }));
        assert_eq!(negotiate([]), None);
    }
}
