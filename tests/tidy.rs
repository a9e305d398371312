//! The house rules of docs/ARCHITECTURE.md, checked. Each rule also meets a sample that breaks it, so that a rule that
//! stopped finding anything would be noticed.

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/style.rs"]
mod style;

use imports::Table;
use source::{Function, Source};

const ARCHITECTURE: &str = include_str!("../docs/ARCHITECTURE.md");

/// What is compiled into the server and the load generator.
fn product() -> Vec<Source> {
    [Source::under("src"), Source::under("loadtest/src")].into_iter().flatten().collect()
}

/// Everything in Rust.
fn everything() -> Vec<Source> {
    [product(), Source::under("tests"), Source::under("benches")].into_iter().flatten().collect()
}

fn sample(path: &str, text: &str) -> Vec<Source> {
    vec![Source::new(path, text)]
}

fn table() -> Table {
    let table = imports::table(ARCHITECTURE);
    assert!(table.len() >= 14, "the table of docs/ARCHITECTURE.md was not found");
    table
}

#[track_caller]
fn nothing(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[track_caller]
fn one(found: &[String], words: &str) {
    assert!(found.len() == 1 && found[0].contains(words), "expected one `{words}`, found {found:?}");
}

#[test]
fn modules_import_only_what_the_table_allows() {
    nothing(&imports::forbidden(&product(), &table()));
    nothing(&imports::escapes(&product()));
}

#[test]
fn forbidden_imports_are_found() {
    let find = |text: &str| imports::forbidden(&sample("src/auth/x.rs", text), &table());
    one(&find("use crate::engine::Topic;"), "src/auth/x.rs:1: `auth` may not import `engine`");
    one(
        &find("use crate::config::A;\nuse crate::{config::{B, C}, limits, wire::D};"),
        ":2: `auth` may not import `wire`",
    );
    one(&find("fn f() { crate::server::run() }"), "`server`");
    nothing(&find(
        "use crate::{auth::X, error::Y};\n// use crate::engine::Z;\nconst A: &str = \"crate::engine\";",
    ));
    nothing(&find("#[cfg(test)]\nmod tests { use crate::engine::Topic; }"));
    one(&find("#[cfg(not(test))]\nuse crate::engine::Topic;"), "`engine`");
    one(&imports::forbidden(&sample("src/novel.rs", ""), &table()), "not in the table");
}

#[test]
fn paths_that_leave_by_super_are_found() {
    one(&imports::escapes(&sample("src/auth/mod.rs", "use super::engine::Topic;")), "leaves the module");
    one(&imports::escapes(&sample("src/auth/x.rs", "use super::super::engine::Topic;")), "leaves the module");
    nothing(&imports::escapes(&sample("src/auth/x.rs", "use super::Keys;")));
}

#[test]
fn no_modules_import_each_other() {
    assert_eq!(imports::cycle(&product()), None);
    let allowed = table().into_iter().map(|(module, row)| (module, row.may)).collect();
    assert_eq!(imports::table_cycle(&allowed), None);
}

#[test]
fn cycles_are_found() {
    let mut sources = sample("src/auth/x.rs", "use crate::config::A;");
    assert_eq!(imports::cycle(&sources), None);
    sources.extend(sample("src/config/mod.rs", "use crate::limits::A;"));
    sources.extend(sample("src/limits.rs", "use crate::auth::A;"));
    assert_eq!(imports::cycle(&sources).unwrap(), ["auth", "config", "limits", "auth"]);
}

#[test]
fn no_module_contains_what_it_must_never() {
    nothing(&imports::never(&product(), &table()));
}

#[test]
fn what_must_never_be_contained_is_found() {
    let find = |path, text| imports::never(&sample(path, text), &table());
    one(&find("src/engine/topic.rs", "let a = std::time::Instant::now();"), "`Instant::now`");
    one(&find("src/delivery/x.rs", "pub async fn run() {}"), "`async fn`");
    one(&find("src/wire/sse.rs", "use serde::Serialize;"), "`serde`");
    nothing(&find("src/wire/sse.rs", "//! Never knows tokio.\nfn my_tokio_like() {}"));
}

#[test]
fn no_dialect_uses_another() {
    nothing(&imports::between_dialects(&product()));
}

#[test]
fn dialects_that_use_another_are_found() {
    let mut sources = sample("src/dialect/topics/mod.rs", "use super::Encode;");
    sources.extend(sample("src/dialect/chat.rs", "use crate::dialect::topics::X;"));
    one(&imports::between_dialects(&sources), "the dialect `chat` uses the dialect `topics`");
}

#[test]
fn files_and_functions_are_short() {
    nothing(&style::long_files(&everything()));
    nothing(&style::long_functions(&everything()));
    let median = style::median_function(&product());
    assert!(median <= style::FUNCTION_LINES_MEDIAN_MAX, "the median function has {median} lines");
}

#[test]
fn long_files_and_functions_are_found() {
    let lines = "    x();\n".repeat(71);
    let long = sample("src/a.rs", &format!("fn f() {{\n{lines}}}\n"));
    one(&style::long_functions(&long), "`f` has 71 lines");
    assert_eq!(style::median_function(&long), 71);
    one(&style::long_files(&sample("src/a.rs", &"\n".repeat(401))), "401 lines");
}

#[test]
fn functions_are_measured_between_their_braces() {
    let code = "trait T { fn none(&self); }\nfn one() { 1 }\nfn arr(a: [u8; 2]) -> fn(u8)\nwhere A: B,\n{\n  {\n  }\n}\n";
    let found = Source::functions(&Source::new("src/a.rs", code).code);
    let expected = [("one", 2, 1), ("arr", 3, 2)];
    assert_eq!(found, expected.map(|(name, line, lines)| Function { name: name.into(), line, lines }));
}

#[test]
fn comments_and_strings_are_told_from_code() {
    let text = "a /* { /* */ } */ \"{ \\\" }\" '{' '\\'' 'x b'c' r#\"\"{\"# é // }\n{";
    let source = Source::new("src/a.rs", text);
    assert_eq!(source.code.len(), text.len());
    assert_eq!(source.code.matches(['{', '}']).count(), 1, "{}", source.code);
    assert!(
        source.code.contains("'x b") && source.comments.trim_end().ends_with("// }"),
        "{}",
        source.comments
    );
}

#[test]
fn unsafe_lives_in_its_files_and_says_why() {
    nothing(&style::unsafe_code(&product()));
}

#[test]
fn stray_unsafe_is_found() {
    one(&style::unsafe_code(&sample("src/a.rs", "fn f() { unsafe { g() } }")), "lives in");
    let ring = |text: &str| style::unsafe_code(&sample("src/engine/ring.rs", text));
    one(&ring("fn f() {\n    unsafe { g() }\n}"), "without a SAFETY");
    nothing(&ring("fn f() {\n    // SAFETY: invariant 1.\n    unsafe { g() }\n}"));
    nothing(&ring("unsafe fn f() {}"));
}

#[test]
fn nothing_is_unfinished() {
    nothing(&style::unfinished(&everything()));
    nothing(&style::panics(&product()));
    nothing(&style::silent_allows(&everything()));
    nothing(&style::dead_code(&everything()));
}

#[test]
fn unfinished_work_is_found() {
    one(&style::unfinished(&sample("src/a.rs", "// TODO later")), "`TODO`");
    one(&style::unfinished(&sample("src/a.rs", "fn f() { todo!() }")), "`todo!`");
    nothing(&style::unfinished(&sample("src/a.rs", "const A: &str = \"TODO\"; // TODOS")));
    one(&style::panics(&sample("src/a.rs", "fn f() { g().unwrap() }")), "unwrap");
    one(&style::panics(&sample("src/a.rs", "fn f() { g().expect(\"x\") }")), "expect");
    nothing(&style::panics(&sample("src/a.rs", "#[cfg(test)]\nmod tests { fn f() { g().unwrap() } }")));
    nothing(&style::panics(&sample("src/x/tests.rs", "fn f() { g().unwrap() }")));
    one(&style::silent_allows(&sample("src/a.rs", "#[allow(dead_code)]\nfn f() {}")), "without a reason");
    nothing(&style::silent_allows(&sample("src/a.rs", "#[allow(dead_code, reason = \"so\")]\nfn f() {}")));
    one(&style::dead_code(&sample("src/a.rs", "// let x = 1;")), "code in a comment");
    one(&style::dead_code(&sample("src/a.rs", "// self.call(x);")), "code in a comment");
    nothing(&style::dead_code(&sample(
        "src/a.rs",
        "// It is slow (see above);\n// let it be.\n/// let x = 1;",
    )));
}
