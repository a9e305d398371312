//! Server-Sent Events: the parser says the same however the bytes are cut; and whatever is published, the writer makes one
//! event of it and not two.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace::wire::sse::{self, Item, Parser};

const MAX: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let [step, bytes @ ..] = data else { return };
    let step = usize::from(*step).max(1);
    assert_eq!(parse(bytes, step), parse(bytes, bytes.len().max(1)), "the cuts between reads show");
    let text = String::from_utf8_lossy(bytes);
    let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    write_and_read(&text[..middle], &text[middle..], step);
});

fn parse(bytes: &[u8], step: usize) -> Vec<String> {
    let mut parser = Parser::new(MAX);
    let mut seen = Vec::new();
    for mut piece in bytes.chunks(step) {
        while let Some(item) = parser.next(&mut piece).expect("inputs are short") {
            seen.push(format!("{item:?}"));
        }
    }
    seen
}

fn write_and_read(name: &str, data: &str, step: usize) {
    let mut out = Vec::new();
    sse::write_comment(&mut out, name);
    sse::write_id(&mut out, name);
    sse::write_event(&mut out, name);
    sse::write_data(&mut out, data.as_bytes());
    sse::write_end(&mut out);
    sse::write_data_folded(&mut out, data.as_bytes());
    sse::write_end(&mut out);
    let seen = parse(&out, step);
    assert_eq!(seen.len(), 3, "{seen:?}");
    let mut parser = Parser::new(MAX);
    let mut rest = &out[..];
    assert!(matches!(parser.next(&mut rest), Ok(Some(Item::Comment(_)))));
    let lines = data.replace("\r\n", "\n").replace('\r', "\n");
    let Ok(Some(Item::Message(message))) = parser.next(&mut rest) else { panic!("no event") };
    assert_eq!(message.data, lines);
    assert_eq!(message.id, name.replace(['\r', '\n', '\0'], ""));
}
