//! The figures of a run: one JSON object, or the same as a table.

use serde_json::{Map, Value};

use crate::check::Tally;
use crate::stats::Quantiles;

/// Figures that are always there, `null` where the mode does not measure them.
const ALWAYS: [&str; 13] = [
    "deliveries_per_s",
    "server_cpu_us_per_delivery",
    "floor_cpu_us_per_delivery",
    "floor_ratio",
    "p50_us",
    "p95_us",
    "p99_us",
    "p999_us",
    "max_us",
    "lost",
    "duplicated",
    "reordered",
    "rss_bytes_per_idle_connection",
];

/// What a run found.
#[derive(Debug, Clone)]
pub struct Report {
    figures: Map<String, Value>,
    failures: Vec<String>,
    ratio: &'static str,
}

/// Four significant digits are more than any of these figures deserves.
fn rounded(value: f64) -> Value {
    if !value.is_finite() {
        return Value::Null;
    }
    let digits = (3.0 - value.abs().max(1e-9).log10().floor()).clamp(0.0, 9.0);
    let scale = 10f64.powi(digits as i32);
    Value::from((value * scale).round() / scale)
}

impl Report {
    /// A report of `mode` without figures.
    pub fn new(mode: &str) -> Self {
        let mut figures = Map::new();
        figures.insert("mode".into(), mode.into());
        figures.extend(ALWAYS.map(|name| (name.to_owned(), Value::Null)));
        Self { figures, failures: Vec::new(), ratio: "floor_ratio" }
    }

    /// Sets a figure that is not a measured number.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.insert(name.into(), value.into());
    }

    /// Sets a measured number (`None`: not measured).
    pub fn number(&mut self, name: &str, value: Option<f64>) {
        self.set(name, value.map_or(Value::Null, rounded));
    }

    /// Sets several measured numbers.
    pub fn numbers<const N: usize>(&mut self, values: [(&str, Option<f64>); N]) {
        values.into_iter().for_each(|(name, value)| self.number(name, value));
    }

    /// Sets the latencies, the names beginning with `prefix`.
    pub fn latencies(&mut self, prefix: &str, latencies: Option<Quantiles>) {
        let set = [
            ("p50_us", latencies.map(|q| q.p50)),
            ("p95_us", latencies.map(|q| q.p95)),
            ("p99_us", latencies.map(|q| q.p99)),
            ("p999_us", latencies.map(|q| q.p999)),
            ("max_us", latencies.map(|q| q.max)),
        ];
        set.into_iter().for_each(|(name, value)| self.number(&format!("{prefix}{name}"), value));
    }

    /// Sets what the checker counted; whatever is wrong makes the run fail.
    pub fn tally(&mut self, tally: &Tally) {
        let counts = [
            ("lost", tally.lost),
            ("duplicated", tally.duplicated),
            ("reordered", tally.reordered),
            ("corrupted", tally.corrupted),
            ("unexpected", tally.unexpected),
            ("disconnected", tally.disconnected),
        ];
        for (name, count) in counts {
            self.set(name, count);
            self.require(count == 0, || format!("{count} {name}"));
        }
        self.set("lost_announced", tally.announced);
    }

    /// Makes the run fail, with a reason, unless `holds`.
    pub fn require(&mut self, holds: bool, reason: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(reason());
        }
    }

    /// Names the ratio that the mode is about, where it is not `floor_ratio`.
    pub fn about(&mut self, ratio: &'static str) {
        self.ratio = ratio;
    }

    /// The ratio that the mode is about.
    pub fn ratio_name(&self) -> &'static str {
        self.ratio
    }

    /// A number that was set.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.figures.get(name)?.as_f64()
    }

    /// Why the run failed; empty when it did not.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// One JSON object.
    pub fn json(&self) -> String {
        let mut figures = self.figures.clone();
        figures.insert("failures".into(), self.failures.clone().into());
        Value::Object(figures).to_string()
    }

    /// A table of what was measured.
    pub fn table(&self) -> String {
        let known = self.figures.iter().filter(|(_, value)| !value.is_null());
        let lines = known.map(|(name, value)| format!("{name:<36} {}\n", plain(value)));
        let failures = self.failures.iter().map(|failure| format!("FAILED: {failure}\n"));
        lines.chain(failures).collect()
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_promised_figures_are_always_there() {
        let value: Value = serde_json::from_str(&Report::new("idle").json()).expect("JSON");
        assert!(ALWAYS.iter().all(|name| value.get(name) == Some(&Value::Null)));
    }

    #[test]
    fn any_fault_fails_the_run() {
        for fault in 0..6 {
            let mut counts = [0; 6];
            counts[fault] = 1;
            let [lost, duplicated, reordered, corrupted, unexpected, disconnected] = counts;
            let (delivered, announced) = (9, 0);
            let tally = Tally {
                delivered,
                lost,
                announced,
                duplicated,
                reordered,
                corrupted,
                unexpected,
                disconnected,
            };
            let mut report = Report::new("fanout");
            report.tally(&tally);
            assert_eq!((report.failures().len(), tally.is_clean()), (1, false));
        }
    }

    #[test]
    fn numbers_are_rounded_to_four_digits() {
        assert_eq!(rounded(0.123_456), Value::from(0.1235));
        assert_eq!(rounded(123_456.7), Value::from(123_457.0));
        assert_eq!(rounded(f64::NAN), Value::Null);
    }
}
