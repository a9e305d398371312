//! The Prometheus text format, version 0.0.4: what every scraper reads. Written by hand, because a registry of
//! live objects would be more code than these lines: our figures are plain numbers that are summed on request.

use std::fmt::{Display, Write};

use crate::metrics::Histogram;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Begins every name, but those that all exporters share.
const PREFIX: &str = "millrace_";

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// Name, kind and help of a metric.
pub(super) type Head = (&'static str, Kind, &'static str);

/// The text in the making.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// The text.
    pub fn finish(self) -> String {
        self.0
    }

    /// Names and help are ours and need no escapes. Writing to a string cannot fail.
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _written = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, label: Option<(&str, &str)>, value: impl Display) {
        let _written = match label {
            Some((key, label)) => writeln!(self.0, "{name}{{{key}=\"{label}\"}} {value}"),
            None => writeln!(self.0, "{name} {value}"),
        };
    }

    /// A metric without labels.
    pub fn single(&mut self, (name, kind, help): Head, value: u64) {
        let name = format!("{PREFIX}{name}");
        self.head(&name, kind.name(), help);
        self.sample(&name, None, value);
    }

    /// A metric of the process, under the name that all exporters use; left out where it is not known.
    pub fn process(&mut self, (name, kind, help): Head, value: Option<u64>) {
        if let Some(value) = value {
            self.head(name, kind.name(), help);
            self.sample(name, None, value);
        }
    }

    /// A metric with one label; values of labels are ours and need no escapes.
    pub fn labelled<V: Display>(
        &mut self,
        (name, kind, help): Head,
        label: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        let name = format!("{PREFIX}{name}");
        self.head(&name, kind.name(), help);
        for (of, value) in values {
            self.sample(&name, Some((label, &of)), value);
        }
    }

    /// A histogram: the sum of `parts`; `bound` is the greatest value of a bucket, and `unit` what the sum is
    /// multiplied by.
    pub fn histogram<'h>(
        &mut self,
        (name, help): (&str, &str),
        parts: impl IntoIterator<Item = &'h Histogram>,
        bound: impl Fn(usize) -> f64,
        unit: f64,
    ) {
        let name = format!("{PREFIX}{name}");
        self.head(&name, "histogram", help);
        let (counts, sum) = total(parts);
        let (last, mut below, bucket) = (counts.len() - 1, 0, format!("{name}_bucket"));
        for (i, count) in counts.iter().enumerate() {
            below += count;
            let bound = if i == last { "+Inf".into() } else { bound(i).to_string() };
            self.sample(&bucket, Some(("le", &bound)), below);
        }
        self.sample(&format!("{name}_sum"), None, sum as f64 * unit);
        self.sample(&format!("{name}_count"), None, below);
    }
}

fn total<'h>(parts: impl IntoIterator<Item = &'h Histogram>) -> ([u64; Histogram::BUCKETS], u64) {
    let (mut counts, mut sum) = ([0; Histogram::BUCKETS], 0u64);
    for part in parts {
        counts.iter_mut().zip(part.counts()).for_each(|(total, count)| *total += count);
        sum = sum.wrapping_add(part.sum());
    }
    (counts, sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_look_as_the_format_wants() {
        let mut page = Page::default();
        page.single(("topics", Kind::Gauge, "Topics now."), 3);
        page.process(("process_open_fds", Kind::Gauge, "Open."), None);
        let shards = ["0", "1"].map(|shard| (shard.to_owned(), 0.5));
        page.labelled(("busy_total", Kind::Counter, "Busy."), "shard", shards);
        let expected = "\
# HELP millrace_topics Topics now.
# TYPE millrace_topics gauge
millrace_topics 3
# HELP millrace_busy_total Busy.
# TYPE millrace_busy_total counter
millrace_busy_total{shard=\"0\"} 0.5
millrace_busy_total{shard=\"1\"} 0.5
";
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn histograms_are_summed_and_cumulative() {
        let (one, other) = (Histogram::default(), Histogram::default());
        one.record(0, 2);
        one.record(3, 1);
        other.record(4, 1);
        other.record(u64::MAX / 4, 1);
        let mut page = Page::default();
        page.histogram(("h", "H."), [&one, &other], |i| (1u64 << i) as f64, 1e-6);
        let text = page.finish();
        for line in
            ["{le=\"1\"} 2\n", "{le=\"2\"} 2\n", "{le=\"4\"} 3\n", "{le=\"8\"} 4\n", "{le=\"+Inf\"} 5\n"]
        {
            assert!(text.contains(&format!("millrace_h_bucket{line}")), "{text}");
        }
        assert!(text.ends_with("millrace_h_count 5\n"), "{text}");
    }
}
