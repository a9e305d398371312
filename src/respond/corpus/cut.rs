//! Cuts documents into passages: what stands under one heading, as long as it is short enough to be quoted.

use crate::limits::{HEADING_BYTES_MAX, PASSAGE_BYTES_MAX, PASSAGE_BYTES_WANTED};
use crate::respond::words::beginning;

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its name: the path below the folder.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Name of the document.
    pub source: String,
    /// The headings above it, outermost first.
    pub heading: String,
    /// What it says.
    pub text: String,
}

/// Cuts a document.
pub fn cut(document: &Document) -> Vec<Passage> {
    let mut cutter =
        Cutter { source: &document.name, headings: Vec::new(), held: String::new(), passages: Vec::new() };
    let mut paragraph = Paragraph::default();
    for line in body(&document.text).lines().map(str::trim_end) {
        match heading(line).filter(|_| !paragraph.is_code) {
            Some((level, title)) => {
                cutter.add(paragraph.take());
                cutter.enter(level, title);
            }
            None if line.is_empty() && !paragraph.is_code => cutter.add(paragraph.take()),
            None => paragraph.add(line),
        }
    }
    cutter.add(paragraph.take());
    cutter.flush();
    cutter.passages
}

/// What a document says, without a table of metadata (front matter) at its beginning.
fn body(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}');
    let rest = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
    rest.map_or(text, |(_, rest)| rest)
}

/// Level and title of a heading: `## Title ##`.
fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let title = line[level..].strip_prefix(' ')?.trim().trim_end_matches('#').trim_end();
    ((1..=6).contains(&level) && !title.is_empty()).then_some((level, title))
}

/// Lines that belong together.
#[derive(Default)]
struct Paragraph {
    text: String,
    /// Within a block of code a line that looks like a heading is none.
    is_code: bool,
}

impl Paragraph {
    fn add(&mut self, line: &str) {
        let bare = line.trim_start();
        let is_fence = bare.starts_with("```") || bare.starts_with("~~~");
        let begins = self.is_code || is_fence || is_item(bare);
        self.is_code ^= is_fence;
        if !self.text.is_empty() {
            self.text.push(if begins { '\n' } else { ' ' });
        }
        self.text.push_str(if self.is_code { line } else { bare });
    }

    fn take(&mut self) -> String {
        std::mem::take(self).text
    }
}

/// Whether a line begins an item of a list or a row of a table, which keep lines of their own.
fn is_item(line: &str) -> bool {
    let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered =
        numbered.len() < line.len() && (numbered.starts_with(". ") || numbered.starts_with(") "));
    is_numbered || ["- ", "* ", "+ ", "|", "> "].iter().any(|mark| line.starts_with(mark))
}

/// Gathers paragraphs under one heading.
struct Cutter<'a> {
    source: &'a str,
    headings: Vec<(usize, String)>,
    held: String,
    passages: Vec<Passage>,
}

impl Cutter<'_> {
    fn enter(&mut self, level: usize, title: &str) {
        self.flush();
        self.headings.retain(|(above, _)| *above < level);
        self.headings.push((level, beginning(title, HEADING_BYTES_MAX).to_owned()));
    }

    fn add(&mut self, paragraph: String) {
        if paragraph.trim().is_empty() {
            return;
        }
        if !self.held.is_empty() && self.held.len() + paragraph.len() > PASSAGE_BYTES_WANTED {
            self.flush();
        }
        if !self.held.is_empty() {
            self.held.push('\n');
        }
        self.held.push_str(&paragraph);
    }

    fn flush(&mut self) {
        let held = std::mem::take(&mut self.held);
        let titles: Vec<&str> = self.headings.iter().map(|(_, title)| &**title).collect();
        let heading = titles.join(" / ");
        let mut rest = held.trim();
        while !rest.is_empty() {
            let (text, behind) = rest.split_at(end_of_piece(rest));
            let (source, text) = (self.source.to_owned(), text.trim_end().to_owned());
            self.passages.push(Passage { source, heading: heading.clone(), text });
            rest = behind.trim_start();
        }
    }
}

/// Where a text that may be too long is cut: behind a line, a sentence or a word, and anywhere where there is none.
fn end_of_piece(text: &str) -> usize {
    if text.len() <= PASSAGE_BYTES_MAX {
        return text.len();
    }
    let text = beginning(text, PASSAGE_BYTES_MAX);
    let mut ends = ["\n", ". ", " "].iter().filter_map(|end| text.rfind(end).map(|at| at + end.len()));
    ends.find(|at| *at > text.len() / 2).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(String, String)> {
        let document = Document { name: "a.md".into(), text: text.into() };
        cut(&document).into_iter().map(|passage| (passage.heading, passage.text)).collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(pieces(text), expected);
    }

    #[test]
    fn what_stands_under_a_heading_is_a_passage() {
        check("one\ntwo\n\nthree\n", &[("", "one two\nthree")]);
        check(
            "# A\n\na\n## B ##\nb\n### C\n## D\nd\n# E\ne",
            &[("A", "a"), ("A / B", "b"), ("A / D", "d"), ("E", "e")],
        );
        check("#no heading\n####### none\n# \nx", &[("", "#no heading ####### none # x")]);
        check("", &[]);
        check("\n \n# only a heading\n", &[]);
    }

    #[test]
    fn lists_and_tables_keep_their_lines_and_prose_does_not() {
        check(
            "a\nb\n- c\n  d\n2. e\n| f | g |\n|---|---|\n3 h",
            &[("", "a b\n- c d\n2. e\n| f | g |\n|---|---| 3 h")],
        );
    }

    #[test]
    fn code_is_left_alone() {
        check(
            "# A\n```sh\n# no heading\n\n  b\n```\n# C\nc",
            &[("A", "```sh\n# no heading\n\n  b\n```"), ("C", "c")],
        );
    }

    #[test]
    fn metadata_and_byte_order_marks_are_passed_over() {
        check("\u{feff}---\ntitle: x\n---\n# A\na", &[("A", "a")]);
        check("---\nno end\n", &[("", "--- no end")]);
    }

    #[test]
    fn no_passage_is_too_long_and_nothing_is_lost() {
        let prose = "Ein längerer Satz über Öl. ".repeat(200);
        let unbroken = "ä".repeat(5_000);
        for text in [prose, unbroken, "x\n\n".repeat(2_000)] {
            let found = pieces(&text);
            assert!(found.iter().all(|(_, text)| text.len() <= PASSAGE_BYTES_MAX && !text.is_empty()));
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
            assert_eq!(found.iter().map(|(_, text)| letters(text)).sum::<usize>(), letters(&text));
        }
    }
}
