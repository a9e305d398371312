//! Properties of the byte codecs: however a stream is cut into reads, the same comes out; what is written is read again;
//! and no bytes whatsoever make a codec panic or hold more than its limit.

use millrace::wire::chunk;
use millrace::wire::deflate::{Deflater, Inflater};
use millrace::wire::sse::{self, Item, Parser};
use millrace::wire::websocket::{
    Decoder, FrameBuilder, Header, Incoming, Input, Intake, Opcode, Role, Violation, apply_mask, encode_close,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// An [`Incoming`] that owns what it holds.
#[derive(Clone, Debug, PartialEq)]
enum Got {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    Broken(Violation),
}

impl From<Incoming<'_>> for Got {
    fn from(incoming: Incoming<'_>) -> Self {
        match incoming {
            Incoming::Text(text) => Self::Text(text.to_owned()),
            Incoming::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Incoming::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Incoming::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Incoming::Close(close) => Self::Close(close.map(|(code, reason)| (code, reason.to_owned()))),
        }
    }
}

/// A message, and the places where it is cut into fragments.
#[derive(Clone, Debug)]
struct Sent {
    message: Got,
    cuts: Vec<prop::sample::Index>,
    compress: bool,
    /// A ping to put behind the first fragment.
    interrupt: Option<Vec<u8>>,
}

fn message() -> impl Strategy<Value = Got> {
    prop_oneof![
        4 => "(\\PC|[a-z]{30}){0,40}".prop_map(Got::Text),
        4 => vec(any::<u8>(), 0..600).prop_map(Got::Binary),
        1 => (any::<u8>(), 60_000..70_000usize).prop_map(|(byte, len)| Got::Binary(vec![byte; len])),
        1 => vec(any::<u8>(), 0..=125).prop_map(Got::Ping),
        1 => vec(any::<u8>(), 0..=125).prop_map(Got::Pong),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let ping = prop::option::of(vec(any::<u8>(), 0..20));
    (message(), vec(any::<prop::sample::Index>(), 0..4), any::<bool>(), ping)
        .prop_map(|(message, cuts, compress, interrupt)| Sent { message, cuts, compress, interrupt })
}

fn frame(out: &mut Vec<u8>, opcode: Opcode, fin: bool, rsv1: bool, mask: Option<[u8; 4]>, payload: &[u8]) {
    Header { fin, rsv1, opcode, mask, len: payload.len() as u64 }.write(out);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = mask {
        apply_mask(&mut out[start..], key);
    }
}

/// Writes a message in fragments; adds to `expected` what the other end must see.
fn write(
    out: &mut Vec<u8>,
    expected: &mut Vec<Got>,
    sent: &Sent,
    mask: Option<[u8; 4]>,
    deflater: &mut Deflater,
) {
    let (opcode, payload) = match &sent.message {
        Got::Text(text) => (Opcode::Text, text.as_bytes()),
        Got::Binary(bytes) => (Opcode::Binary, &bytes[..]),
        Got::Ping(bytes) => (Opcode::Ping, &bytes[..]),
        Got::Pong(bytes) => (Opcode::Pong, &bytes[..]),
        Got::Close(_) | Got::Broken(_) => unreachable!("not generated"),
    };
    if opcode.is_control() {
        frame(out, opcode, true, false, mask, payload);
        return expected.push(sent.message.clone());
    }
    let compressed = if sent.compress { deflater.deflate(payload) } else { None };
    let rsv1 = compressed.is_some();
    let payload = compressed.unwrap_or(payload);
    let mut cuts: Vec<usize> = sent.cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
    cuts.sort_unstable();
    let mut start = 0;
    for (nth, end) in cuts.iter().copied().chain([payload.len()]).enumerate() {
        let first = nth == 0;
        let fin = nth == cuts.len();
        let kind = if first { opcode } else { Opcode::Continuation };
        frame(out, kind, fin, rsv1 && first, mask, &payload[start..end]);
        start = end;
        if let (Some(ping), true, false) = (&sent.interrupt, first, fin) {
            frame(out, Opcode::Ping, true, false, mask, ping);
            expected.push(Got::Ping(ping.clone()));
        }
    }
    expected.push(sent.message.clone());
}

/// Feeds `bytes`, cut into reads of the sizes given (over and over).
fn read(decoder: &mut Decoder, intake: &mut Intake, bytes: &mut [u8], sizes: &[usize]) -> Vec<Got> {
    let mut got = Vec::new();
    let mut rest = bytes;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = sizes.next().map_or(rest.len(), |size| (*size).min(rest.len()));
        let (piece, behind) = rest.split_at_mut(size);
        rest = behind;
        let mut input = Input::new(piece);
        loop {
            match decoder.next(&mut input, intake) {
                Ok(Some(incoming)) => got.push(incoming.into()),
                Ok(None) => break,
                Err(violation) => got.push(Got::Broken(violation)),
            }
        }
        assert!(input.rest().is_empty());
    }
    got
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_survive_any_fragmentation_and_any_reads(
        messages in vec(sent(), 1..6),
        mask in prop::option::of(any::<[u8; 4]>()),
        sizes in vec(1..2000usize, 1..5),
    ) {
        let role = if mask.is_some() { Role::Server } else { Role::Client };
        let (mut bytes, mut expected, mut deflater) = (Vec::new(), Vec::new(), Deflater::new());
        for sent in &messages {
            write(&mut bytes, &mut expected, sent, mask, &mut deflater);
        }
        let mut intake = Intake::new(1 << 20);
        // Byte by byte is slow for what is large.
        let single = [if bytes.len() < 4000 { 1 } else { 997 }];
        for sizes in [&sizes[..], &single, &[bytes.len()]] {
            let mut decoder = Decoder::new(role, true);
            let got = read(&mut decoder, &mut intake, &mut bytes.clone(), sizes);
            prop_assert_eq!(&got, &expected);
            prop_assert_eq!(decoder.held_bytes(), 0);
        }
    }

    #[test]
    fn any_bytes_come_to_the_same_however_they_are_read(
        bytes in vec(any::<u8>(), 0..300),
        first in prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x89, 0x88, 0xc1]),
        len in 0..126u8,
        sizes in vec(1..20usize, 1..4),
    ) {
        let mut bytes = [&[first, 0x80 | len][..], &bytes].concat();
        let mut intake = Intake::new(100);
        let whole = read(&mut Decoder::new(Role::Server, true), &mut intake, &mut bytes.clone(), &[]);
        let mut decoder = Decoder::new(Role::Server, true);
        let cut = read(&mut decoder, &mut intake, &mut bytes, &sizes);
        prop_assert_eq!(whole, cut);
        prop_assert!(decoder.held_bytes() <= 100 + 125 + 160);
    }

    #[test]
    fn close_reasons_of_any_length_are_read_again(code in 3000..5000u16, reason in "\\PC{0,150}") {
        let mut out = Vec::new();
        encode_close(&mut out, code, &reason);
        let got = read(&mut Decoder::new(Role::Client, false), &mut Intake::new(0), &mut out, &[]);
        let [Got::Close(Some((read, text)))] = &got[..] else { panic!("{got:?}") };
        prop_assert_eq!(*read, code);
        prop_assert!(reason.starts_with(text) && (text.len() > 119 || *text == reason));
    }

    #[test]
    fn built_frames_are_read_again(piece in vec(any::<u8>(), 0..300), times in 1..300usize) {
        let payload = piece.repeat(times);
        let mut out = Vec::new();
        let builder = FrameBuilder::begin(&mut out);
        out.extend_from_slice(&payload);
        let range = builder.finish(&mut out, Opcode::Binary, false);
        let got = read(&mut Decoder::new(Role::Client, false), &mut Intake::new(1 << 20), &mut out[range], &[]);
        prop_assert_eq!(got, vec![Got::Binary(payload)]);
    }

    #[test]
    fn what_is_deflated_is_inflated_and_smaller(words in vec("[a-f]{1,8}", 0..100), times in 1..200usize, noise in vec(any::<u8>(), 0..500)) {
        let plain = [words.join(" ").repeat(times).as_bytes(), &noise].concat();
        let mut deflater = Deflater::new();
        if let Some(compressed) = deflater.deflate(&plain) {
            prop_assert!(compressed.len() < plain.len());
            let mut inflater = Inflater::new();
            prop_assert_eq!(inflater.inflate(compressed, plain.len()), Ok(&plain[..]));
        }
    }

    #[test]
    fn any_bytes_inflate_to_no_more_than_the_limit(bytes in vec(any::<u8>(), 0..500), max in 0..3000usize) {
        if let Ok(plain) = Inflater::new().inflate(&bytes, max) {
            prop_assert!(plain.len() <= max);
        }
    }

    #[test]
    fn server_sent_events_are_read_again(
        id in "[^\r\n\0]{0,20}",
        event in "[^\r\n\0]{1,20}",
        data in "(\\PC|\r|\n|\r\n){0,100}",
        size in 1..50usize,
    ) {
        let mut out = Vec::new();
        sse::write_comment(&mut out, "");
        sse::write_retry(&mut out, 1500);
        sse::write_id(&mut out, &id);
        sse::write_event(&mut out, &event);
        sse::write_data(&mut out, data.as_bytes());
        sse::write_end(&mut out);
        sse::write_data_folded(&mut out, data.as_bytes());
        sse::write_end(&mut out);
        let mut parser = Parser::new(1000);
        let mut got = Vec::new();
        for mut piece in out.chunks(size) {
            while let Some(item) = parser.next(&mut piece).expect("short") {
                got.push(match item {
                    Item::Message(m) => (m.id.to_owned(), m.event.to_owned(), m.data.to_owned()),
                    other => (format!("{other:?}"), String::new(), String::new()),
                });
            }
        }
        let lines = data.replace("\r\n", "\n").replace('\r', "\n");
        let folded = data.replace(['\r', '\n'], " ");
        let expected = [
            (r#"Comment("")"#.to_owned(), String::new(), String::new()),
            ("Retry(1500)".to_owned(), String::new(), String::new()),
            (id.clone(), event, lines),
            (id, "message".to_owned(), folded),
        ];
        prop_assert_eq!(&got[..], &expected[..]);
    }

    #[test]
    fn chunks_name_their_length(payload in vec(any::<u8>(), 1..5000)) {
        let mut out = Vec::new();
        let builder = chunk::ChunkBuilder::begin(&mut out);
        out.extend_from_slice(&payload);
        let range = builder.finish(&mut out);
        let mut plain = Vec::new();
        chunk::write_chunk(&mut plain, &payload);
        prop_assert_eq!(&out[range], &plain[..]);
        let expected = [format!("{:x}\r\n", payload.len()).as_bytes(), &payload, b"\r\n"].concat();
        prop_assert_eq!(plain, expected);
    }
}
