//! What the standard set found, as Markdown.

use serde_json::Value;

use super::Outcome;
use super::rows::{Bound, Figure};
use crate::proc::versions;

const HEAD: &str = "# Benchmarks\n\n\
Written by `make bench` (`loadtest bench`); do not edit. Server and floor are pinned to one core, the load generator to\n\
another; each ratio is the median over rounds in which server and floor take turns. The *floor* is a bare epoll loop that\n\
writes the same bytes to the same sockets; *the document* is what the document of the `events` protocol says of the server it\n\
describes. Absolute figures are those of this machine; ratios travel better. Latencies are from publishing to reading.\n\n";

/// The whole document.
pub fn document(outcomes: &[Outcome], quick: bool) -> String {
    let mut out = HEAD.to_owned();
    if quick {
        out.push_str("This was a quick run: fewer and shorter rounds.\n\n");
    }
    out.push_str("| | |\n|---|---|\n");
    for (name, value) in versions() {
        out.push_str(&format!("| {name} | {value} |\n"));
    }
    out.push_str("\n| what | figures | target | |\n|---|---|---|---|\n");
    outcomes.iter().for_each(|outcome| out.push_str(&line(outcome)));
    out.push_str("\n## Command lines\n\n");
    for outcome in outcomes {
        out.push_str(&format!(
            "- {}: `cargo run --release -p loadtest -- {}`\n",
            outcome.row.title, outcome.command
        ));
    }
    out
}

fn line(outcome: &Outcome) -> String {
    let figures: Vec<String> = outcome.row.figures.iter().map(|figure| value(outcome, figure)).collect();
    let targets: Vec<String> = outcome.row.figures.iter().filter_map(target).collect();
    let judged = outcome.row.figures.iter().any(|figure| figure.bound.is_judged());
    let verdict = match (outcome.failures.is_empty(), judged) {
        (true, false) => "".to_owned(),
        (true, true) => "pass".to_owned(),
        (false, _) => format!("**fail**: {}", outcome.failures.join("; ").replace(['\n', '|'], " ")),
    };
    format!("| {} | {} | {} | {verdict} |\n", outcome.row.title, figures.join(", "), targets.join(", "))
}

fn value(outcome: &Outcome, figure: &Figure) -> String {
    let value = outcome.figures.get(figure.name).and_then(Value::as_f64);
    let value = value.map_or_else(|| "?".to_owned(), plain);
    match figure.bound.is_judged() {
        true => format!("{} **{value}**", figure.what),
        false => format!("{} {value}", figure.what),
    }
}

fn target(figure: &Figure) -> Option<String> {
    match figure.bound {
        Bound::AtMost(limit) => Some(format!("{} ≤ {}", figure.what, plain(limit))),
        Bound::AtLeast(limit) => Some(format!("{} ≥ {}", figure.what, plain(limit))),
        Bound::Said(limit) => Some(format!("the document: {} < {}", figure.what, plain(limit))),
        Bound::Shown => None,
    }
}

/// Three digits behind the point where they matter, thousands apart where there are many.
fn plain(value: f64) -> String {
    if value.abs() < 1000.0 {
        let text = format!("{value:.3}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let (start, groups) = digits.split_at(digits.len() % 3);
    let groups = groups.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    std::iter::once(start.to_owned())
        .filter(|start| !start.is_empty())
        .chain(groups)
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::set::ROWS;

    #[test]
    fn numbers_are_easy_to_read() {
        let numbers = [0.0, 1.08, 12.3456, 999.0, 1000.0, 700_000.0, 1_234_567.8].map(plain);
        assert_eq!(numbers, ["0", "1.08", "12.346", "999", "1,000", "700,000", "1,234,568"]);
    }

    #[test]
    fn a_missed_target_says_so() {
        let figures = serde_json::json!({"floor_ratio": 1.5});
        let outcome =
            |failures| Outcome { row: ROWS[0], command: "x".into(), figures: figures.clone(), failures };
        assert!(line(&outcome(vec!["ratio 1.5".into()])).contains("**fail**: ratio 1.5"));
        assert!(line(&outcome(vec![])).contains("| pass |"));
    }
}
