//! Rust source split into what the compiler reads and what people read. Not a parser: a scanner that knows comments,
//! strings and braces, which is enough to find imports, functions and words, and short enough to be believed.

use std::fs;
use std::ops::Range;
use std::path::Path;

/// A source file.
pub struct Source {
    /// Path from the root of the repository.
    pub path: String,
    /// The text as it stands.
    pub text: String,
    /// The text with the insides of comments and strings blanked; same length and lines.
    pub code: String,
    /// The text with everything but comments blanked; same length and lines.
    pub comments: String,
}

/// A function and its length.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line of its `fn`, from 1.
    pub line: usize,
    /// Lines between its braces; 1 when it stands on one line.
    pub lines: usize,
}

impl Source {
    /// Takes a text apart.
    pub fn new(path: &str, text: &str) -> Self {
        let (code, comments) = split(text);
        Self { path: path.into(), text: text.into(), code, comments }
    }

    /// All Rust files under a folder of the repository, in order.
    pub fn under(folder: &str) -> Vec<Self> {
        let mut paths = Vec::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut paths);
        paths.sort();
        paths.iter().map(|path| Self::new(path, &fs::read_to_string(root(path)).unwrap())).collect()
    }

    /// The code without what only tests compile.
    pub fn code_without_tests(&self) -> String {
        let mut code = self.code.clone();
        if self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
            || self.path.contains("/tests/")
        {
            return blank(&code, 0..code.len());
        }
        for range in test_items(&self.code) {
            code = blank(&code, range);
        }
        code
    }

    /// The functions of the code given (all of it, or without tests).
    pub fn functions(code: &str) -> Vec<Function> {
        words(code, "fn").filter_map(|at| function(code, at)).collect()
    }
}

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn collect(folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, paths);
        } else if name.ends_with(".rs") {
            paths.push(name);
        }
    }
}

/// Line of a byte, from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count()
}

/// Places where `word` stands with no letter, digit or `_` beside it.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = code.as_bytes();
    let free = move |at: usize| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let (starts, ends) = (part(bytes.get(at)), part(bytes.get(at + word.len() - 1)));
        !(starts && part(before)) && !(ends && part(bytes.get(at + word.len())))
    };
    code.match_indices(word).map(|(at, _)| at).filter(move |at| free(*at))
}

/// Replaces a range by spaces, keeping line breaks.
pub fn blank(text: &str, range: Range<usize>) -> String {
    let spaces: String =
        text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    format!("{}{spaces}{}", &text[..range.start], &text[range.end..])
}

/// The end of the block that opens at `open`, after its closing brace.
pub fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Where the item that follows `from` ends: at its `;`, or with its block.
fn item_end(code: &str, from: usize) -> usize {
    match body_or_end(code, from) {
        (at, true) => block_end(code, at),
        (at, false) => at + 1,
    }
}

/// The first `{` (true) or `;` (false) outside of parentheses and brackets.
fn body_or_end(code: &str, from: usize) -> (usize, bool) {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return (at, true),
            b';' if depth == 0 => return (at, false),
            _ => {}
        }
    }
    (code.len().saturating_sub(1), false)
}

/// Items under `#[cfg(test)]`, `#[cfg(all(test, …))]` and `#[test]`.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items = Vec::new();
    for (at, _) in code.match_indices("#[") {
        let end = code[at..].find(']').map_or(code.len(), |end| at + end + 1);
        let attribute = &code[at..end];
        let test = attribute == "#[test]"
            || (attribute.starts_with("#[cfg(") && words(attribute, "test").next().is_some());
        if test && !attribute.contains("not(") {
            items.push(at..item_end(code, end));
        }
    }
    items
}

fn function(code: &str, at: usize) -> Option<Function> {
    let rest = code[at + 2..].trim_start();
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let (open, has_body) = body_or_end(code, at);
    if name.is_empty() || !has_body {
        return None;
    }
    let inside = line_of(code, block_end(code, open) - 1) - line_of(code, open);
    Some(Function { name, line: line_of(code, at), lines: inside.saturating_sub(1).max(1) })
}

/// What a stretch of source is.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Text,
    Comment,
}

/// Code and comments, each with the rest blanked.
fn split(text: &str) -> (String, String) {
    let (mut code, mut comments) = (String::new(), String::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (length, kind) = stretch(rest, code.bytes().last());
        let (piece, after) = rest.split_at(length);
        let hidden = blank(piece, 0..piece.len());
        code.push_str(&match kind {
            Kind::Code => piece.to_owned(),
            Kind::Text => format!("\"{}", &hidden[1..]),
            Kind::Comment => hidden.clone(),
        });
        comments.push_str(if kind == Kind::Comment { piece } else { &hidden });
        rest = after;
    }
    (code, comments)
}

/// The length and kind of what `rest` begins with. `before` is the byte of code before it.
fn stretch(rest: &str, before: Option<u8>) -> (usize, Kind) {
    let word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let until =
        |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    match rest.as_bytes() {
        [b'/', b'/', ..] => (rest.find('\n').unwrap_or(rest.len()), Kind::Comment),
        [b'/', b'*', ..] => (comment(rest), Kind::Comment),
        [b'"', ..] => (quoted(rest), Kind::Text),
        [b'r', b'"' | b'#', ..] if !word && raw_fence(rest).is_some() => {
            let fence = raw_fence(rest).unwrap_or_default();
            (until(&format!("\"{fence}"), fence.len() + 2), Kind::Text)
        }
        [b'\'', ..] => literal(rest),
        _ => (rest.chars().next().map_or(1, char::len_utf8), Kind::Code),
    }
}

/// The `#`s of a raw string, when it is one.
fn raw_fence(rest: &str) -> Option<String> {
    let fence: String = rest[1..].chars().take_while(|c| *c == '#').collect();
    rest[1 + fence.len()..].starts_with('"').then_some(fence)
}

/// A block comment, which may hold others.
fn comment(rest: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal, or the `'` of a lifetime.
fn literal(rest: &str) -> (usize, Kind) {
    let mut chars = rest.char_indices().skip(1);
    let first = chars.next().map_or(' ', |(_, c)| c);
    if first == '\\' {
        let end = rest[3..].find('\'').map_or(rest.len(), |at| at + 4);
        return (end, Kind::Text);
    }
    match chars.next() {
        Some((at, '\'')) => (at + 1, Kind::Text),
        _ => (1, Kind::Code),
    }
}
