//! The house rules a machine can check: lengths, `unsafe`, words that do not belong into finished work.

use super::source::{Source, line_of, words};

/// Most lines of a file.
pub const FILE_LINES_MAX: usize = 400;
/// Most lines of a function.
pub const FUNCTION_LINES_MAX: usize = 70;
/// Median of the lines of functions, tests apart.
pub const FUNCTION_LINES_MEDIAN_MAX: usize = 6;
/// The only files with `unsafe`.
const UNSAFE_FILES: [&str; 3] = ["src/engine/ring.rs", "src/delivery/sys.rs", "loadtest/src/sys.rs"];
/// Lines above an `unsafe` in which its reason must begin.
const SAFETY_LINES: usize = 8;
/// Words of unfinished work, in code and comments.
const UNFINISHED: [&str; 6] = ["TODO", "FIXME", "XXX", "todo!", "unimplemented!", "dbg!"];
/// Ways to panic that only tests may use.
const PANICS: [&str; 2] = [".unwrap()", ".expect(\""];

/// Files that are too long.
pub fn long_files(sources: &[Source]) -> Vec<String> {
    let lines = |source: &Source| source.text.lines().count();
    let long = sources.iter().filter(|source| lines(source) > FILE_LINES_MAX);
    long.map(|source| format!("{}: {} lines; at most {FILE_LINES_MAX}", source.path, lines(source))).collect()
}

/// Functions that are too long, those of tests too.
pub fn long_functions(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let functions = Source::functions(&source.code);
        for long in functions.iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
            let (path, line, name) = (&source.path, long.line, &long.name);
            found.push(format!(
                "{path}:{line}: `{name}` has {} lines; at most {FUNCTION_LINES_MAX}",
                long.lines
            ));
        }
    }
    found
}

/// The median length of functions, tests apart.
pub fn median_function(sources: &[Source]) -> usize {
    let functions = |source: &Source| Source::functions(&source.code_without_tests());
    let mut lines: Vec<usize> = sources.iter().flat_map(functions).map(|function| function.lines).collect();
    lines.sort_unstable();
    lines.get(lines.len() / 2).copied().unwrap_or(0)
}

/// `unsafe` where it does not live, or without its reason.
pub fn unsafe_code(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for at in words(&source.code, "unsafe") {
            let line = line_of(&source.code, at);
            let next = source.code[at + "unsafe".len()..].trim_start();
            if !UNSAFE_FILES.contains(&source.path.as_str()) {
                found.push(format!(
                    "{}:{line}: `unsafe` lives in {} only",
                    source.path,
                    UNSAFE_FILES.join(", ")
                ));
            } else if (next.starts_with('{') || next.starts_with("impl")) && !has_reason(source, line) {
                found.push(format!("{}:{line}: `unsafe` without a SAFETY comment above", source.path));
            }
        }
    }
    found
}

fn has_reason(source: &Source, line: usize) -> bool {
    let above = source.comments.lines().skip(line.saturating_sub(SAFETY_LINES + 1));
    above.take(SAFETY_LINES.min(line - 1) + 1).any(|comment| comment.contains("SAFETY"))
}

/// Words of unfinished work.
pub fn unfinished(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for word in UNFINISHED {
            let places = words(&source.code, word).chain(words(&source.comments, word));
            found.extend(places.map(|at| format!("{}:{}: `{word}`", source.path, line_of(&source.code, at))));
        }
    }
    found
}

/// Ways to panic outside of tests.
pub fn panics(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let code = source.code_without_tests();
        for word in PANICS {
            let places = code.match_indices(word).map(|(at, _)| line_of(&code, at));
            found.extend(places.map(|line| format!("{}:{line}: `{word}` outside of tests", source.path)));
        }
    }
    found
}

/// `allow` and `expect` attributes that do not say why.
pub fn silent_allows(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for start in ["[allow(", "[expect("] {
            for (at, _) in source.code.match_indices(start) {
                let end = source.code[at..].find(']').map_or(source.code.len(), |end| at + end);
                if words(&source.code[at..end], "reason").next().is_none() {
                    found.push(format!(
                        "{}:{}: #{start}…)] without a reason",
                        source.path,
                        line_of(&source.code, at)
                    ));
                }
            }
        }
    }
    found
}

/// Comments that look like code that was put aside. Documentation may show code.
pub fn dead_code(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.comments.lines().enumerate() {
            let text = line.trim().strip_prefix("//").filter(|text| !text.starts_with(['/', '!']));
            if text.is_some_and(|text| is_code(text.trim())) {
                found.push(format!("{}:{}: code in a comment", source.path, number + 1));
            }
        }
    }
    found
}

fn is_code(text: &str) -> bool {
    let starts = ["let ", "fn ", "pub ", "use ", "if ", "for ", "match ", "return ", "self."];
    let ends = text.ends_with(';') || text.ends_with('{');
    let call = text.ends_with(");") && text.split('(').next().is_some_and(|name| !name.contains(' '));
    text == "}" || call || (ends && starts.iter().any(|start| text.starts_with(start)))
}
