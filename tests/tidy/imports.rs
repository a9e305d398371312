//! Who imports whom, against the table of docs/ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, line_of, words};

/// A row of the table.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Modules it may import.
    pub may: BTreeSet<String>,
    /// What it must never contain.
    pub never: Vec<String>,
}

/// The table, by module.
pub type Table = BTreeMap<String, Row>;

/// Files of `src/dialect` that are no protocols and may be used by all of them.
const DIALECT_SHARED: &[&str] =
    &["mod", "frame", "linger", "position", "protocol", "refuse", "sessions", "text"];

/// Reads the table out of the document.
pub fn table(document: &str) -> Table {
    let rows = document.split("| module | may import | must never contain |").nth(1).unwrap_or_default();
    let rows = rows.trim_start().lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.filter_map(row).collect()
}

fn row(line: &str) -> Option<(String, Row)> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let list = |cell: &str| {
        cell.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
    };
    let [module, may, never] = cells[..] else { return None };
    let may: Vec<String> = list(may);
    Some((module.into(), Row { may: may.into_iter().collect(), never: list(never) }))
}

/// The module a file belongs to; none for `lib.rs` and `main.rs`, which put everything together.
pub fn module(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("src/")?;
    let first = rest.split('/').next()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main"].contains(&name)).then_some(name)
}

/// The names after each `crate::`, with their places; groups are opened.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    for at in words(code, "crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => paths.extend(members(group).into_iter().map(|name| (at, name))),
            None => paths.push((at, name(rest))),
        }
    }
    paths
}

fn name(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// First names of the members of a `{…}` group.
fn members(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (at, byte) in group.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' | b',' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
            }
            b'}' => depth -= 1,
            _ => {}
        }
        if byte == b'}' && depth == 0 && start == at + 1 {
            break;
        }
    }
    names.retain(|name| !name.is_empty() && name != "self");
    names
}

/// The edges of a file: module imported and line.
fn edges(source: &Source) -> Vec<(String, usize)> {
    let code = source.code_without_tests();
    crate_paths(&code).into_iter().map(|(at, name)| (name, line_of(&code, at))).collect()
}

/// Imports that the table does not allow.
pub fn forbidden(sources: &[Source], table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let Some(ours) = module(&source.path) else { continue };
        let Some(row) = table.get(ours) else {
            found.push(format!("{}: the module `{ours}` is not in the table", source.path));
            continue;
        };
        for (theirs, line) in edges(source) {
            if theirs != ours && !row.may.contains(&theirs) {
                found.push(format!("{}:{line}: `{ours}` may not import `{theirs}`", source.path));
            }
        }
    }
    found
}

/// Paths that leave their module by `super`, which the table would not see.
pub fn escapes(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| module(&source.path).is_some()) {
        let folders = source.path.matches('/').count();
        let depth = if source.path.ends_with("/mod.rs") { folders - 1 } else { folders };
        let code = source.code_without_tests();
        let chain = "super::".repeat(depth);
        let line = words(&code, &chain).next().map(|at| line_of(&code, at));
        found.extend(
            line.map(|line| format!("{}:{line}: `{chain}` leaves the module; write `crate::`", source.path)),
        );
    }
    found
}

/// A cycle among the edges there are, as a path, if there is one.
pub fn cycle(sources: &[Source]) -> Option<Vec<String>> {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        let Some(ours) = module(&source.path) else { continue };
        let theirs = edges(source).into_iter().map(|(theirs, _)| theirs).filter(|theirs| theirs != ours);
        graph.entry(ours.into()).or_default().extend(theirs);
    }
    table_cycle(&graph)
}

/// A cycle of a graph.
pub fn table_cycle(graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    graph.keys().find_map(|start| walk(graph, &mut vec![start.clone()]))
}

fn walk(graph: &BTreeMap<String, BTreeSet<String>>, path: &mut Vec<String>) -> Option<Vec<String>> {
    let here = path.last()?.clone();
    for next in graph.get(&here).into_iter().flatten() {
        let back = path.contains(next);
        path.push(next.clone());
        if back {
            return Some(path.clone());
        }
        if let Some(found) = walk(graph, path) {
            return Some(found);
        }
        path.pop();
    }
    None
}

/// What stands in the column "must never contain" and does stand in the module.
pub fn never(sources: &[Source], table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let Some(row) = module(&source.path).and_then(|module| table.get(module)) else { continue };
        let code = source.code_without_tests();
        for word in &row.never {
            let line = words(&code, word).next().map(|at| line_of(&code, at));
            found.extend(line.map(|line| format!("{}:{line}: must never contain `{word}`", source.path)));
        }
    }
    found
}

/// Dialects that use another one.
pub fn between_dialects(sources: &[Source]) -> Vec<String> {
    let dialect = |path: &str| {
        let name = path.strip_prefix("src/dialect/")?.split('/').next()?.trim_end_matches(".rs").to_owned();
        (!DIALECT_SHARED.contains(&name.as_str())).then_some(name)
    };
    let all: BTreeSet<String> = sources.iter().filter_map(|source| dialect(&source.path)).collect();
    let mut found = Vec::new();
    for source in sources {
        let Some(ours) = dialect(&source.path) else { continue };
        let code = source.code_without_tests();
        for theirs in all.iter().filter(|theirs| **theirs != ours) {
            let ways = [format!("dialect::{theirs}"), format!("super::{theirs}")];
            if ways.iter().any(|way| words(&code, way).next().is_some()) {
                found.push(format!("{}: the dialect `{ours}` uses the dialect `{theirs}`", source.path));
            }
        }
    }
    found
}
