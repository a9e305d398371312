//! Writing: each function appends one field; [`write_end`] ends the event.

use std::io::Write;

/// Appends `id:`. Line breaks and NUL, which would make clients ignore it, are dropped.
pub fn write_id(out: &mut Vec<u8>, id: &str) {
    field(out, b"id: ", id);
}

/// Appends `event:`. Line breaks and NUL are dropped.
pub fn write_event(out: &mut Vec<u8>, name: &str) {
    field(out, b"event: ", name);
}

/// Appends `retry:`, the time before a client reconnects, in milliseconds.
pub fn write_retry(out: &mut Vec<u8>, millis: u64) {
    // Writing to a Vec cannot fail.
    let _ = writeln!(out, "retry: {millis}");
}

/// Appends a comment and the empty line behind it: a heartbeat that no client sees. Line breaks and NUL are dropped.
pub fn write_comment(out: &mut Vec<u8>, text: &str) {
    field(out, b": ", text);
    write_end(out);
}

/// Appends `data:`, one for each line of `data`. Clients get the lines joined by LF, whatever breaks they had.
pub fn write_data(out: &mut Vec<u8>, data: &[u8]) {
    let mut rest = data;
    while let Some(at) = line_break(rest) {
        line(out, &rest[..at]);
        let width = if rest[at..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[at + width..];
    }
    line(out, rest);
}

/// Appends one `data:` in which every CR and LF is a space. Right for JSON, whose strings hold no raw line breaks.
pub fn write_data_folded(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(b"data: ");
    let start = out.len();
    out.extend_from_slice(data);
    for byte in &mut out[start..] {
        // No branch, so that it becomes vector instructions.
        *byte = if is_break(*byte) { b' ' } else { *byte };
    }
    out.push(b'\n');
}

/// Appends the empty line that makes clients dispatch the event.
pub fn write_end(out: &mut Vec<u8>) {
    out.push(b'\n');
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &str) {
    out.extend_from_slice(name);
    out.extend(value.bytes().filter(|byte| !is_break(*byte) && *byte != 0));
    out.push(b'\n');
}

fn line(out: &mut Vec<u8>, line: &[u8]) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(line);
    out.push(b'\n');
}

fn is_break(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

fn line_break(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| is_break(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn data_is_split_at_every_kind_of_line_break() {
        let cases = [
            ("", "data: \n"),
            ("a", "data: a\n"),
            (" a", "data:  a\n"),
            ("a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n"),
            ("a\n", "data: a\ndata: \n"),
            ("\n\r", "data: \ndata: \ndata: \n"),
        ];
        for (data, expected) in cases {
            assert_eq!(written(|out| write_data(out, data.as_bytes())), expected);
        }
    }

    #[test]
    fn folded_data_is_one_line() {
        assert_eq!(written(|out| write_data_folded(out, b"{\r\n\"a\":\n1}")), "data: {  \"a\": 1}\n");
    }

    #[test]
    fn no_line_break_gets_into_a_field() {
        let text = written(|out| {
            write_id(out, "1\n\ndata: x");
            write_event(out, "a\r\nb\0");
            write_retry(out, 1500);
            write_end(out);
            write_comment(out, "up\n\n");
        });
        assert_eq!(text, "id: 1data: x\nevent: ab\nretry: 1500\n\n: up\n\n");
    }
}
