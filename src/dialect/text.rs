//! Pieces of JSON text, as the messages of all protocols are put together from them.

use crate::json::text::{write_string, write_u64};

/// Appends text as it is.
pub fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends a number behind `name`, which is text as it is: `,"count":`.
pub fn put_number(out: &mut Vec<u8>, name: &str, number: u64) {
    put(out, name);
    write_u64(out, number);
}

/// Appends a string behind `name`, which is text as it is.
pub fn put_string(out: &mut Vec<u8>, name: &str, text: &str) {
    put(out, name);
    write_string(out, text);
}

/// Appends how many events are missed, and which, where anybody can know: `,"missed":3,"from":5,"to":7`.
pub fn put_missed(out: &mut Vec<u8>, gap: Option<super::Gap>) {
    match gap {
        Some(gap) => {
            put_number(out, ",\"missed\":", gap.to + 1 - gap.from);
            put_number(out, ",\"from\":", gap.from);
            put_number(out, ",\"to\":", gap.to);
        }
        None => put(out, ",\"missed\":null"),
    }
}
