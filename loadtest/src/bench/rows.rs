//! The standard set: what is run, and what it must show.

/// A bound on a figure.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    /// Not above.
    AtMost(f64),
    /// Not below.
    AtLeast(f64),
    /// Reported, not judged.
    Shown,
}

/// One figure of a run.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its name in the JSON.
    pub name: &'static str,
    /// What it is called in the table.
    pub what: &'static str,
    /// What it must be.
    pub bound: Bound,
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What it is about.
    pub title: &'static str,
    /// The command line.
    pub command: &'static str,
    /// What is added to make it short.
    pub quick: &'static str,
    /// What it must show.
    pub figures: &'static [Figure],
}

const fn shown(name: &'static str, what: &'static str) -> Figure {
    Figure { name, what, bound: Bound::Shown }
}

const fn at_most(limit: f64, name: &'static str, what: &'static str) -> Figure {
    Figure { name, what, bound: Bound::AtMost(limit) }
}

const fn at_least(limit: f64, name: &'static str, what: &'static str) -> Figure {
    Figure { name, what, bound: Bound::AtLeast(limit) }
}

const SERVER: Figure = shown("server_cpu_us_per_delivery", "CPU µs per delivery");
const FLOOR: Figure = shown("floor_cpu_us_per_delivery", "floor");
const PER_S: Figure = shown("deliveries_per_s", "deliveries/s");
const PER_CORE: Figure = shown("events_per_server_core_s", "events per second of CPU");
const BUSY: Figure = shown("server_core_busy", "share of the core used");
const SHORT: &str = " --rounds 3 --seconds 0.4";

const fn to_floor(limit: f64) -> Figure {
    at_most(limit, "floor_ratio", "ratio to the floor")
}

const fn fanout(title: &'static str, command: &'static str, figures: &'static [Figure]) -> Row {
    Row { title, command, quick: SHORT, figures }
}

/// All runs, in order.
pub const ROWS: &[Row] = &[
    fanout(
        "1,000 subscribers, next event when all have read the last",
        "fanout --subscribers 1000 --size 128 --window 1",
        &[to_floor(1.08), SERVER, FLOOR, PER_S],
    ),
    fanout(
        "16 events under way",
        "fanout --subscribers 1000 --size 128 --window 16",
        &[to_floor(1.12), SERVER, FLOOR, PER_S],
    ),
    fanout(
        "64 small events under way",
        "fanout --subscribers 1000 --size 64 --window 64",
        &[to_floor(1.12), SERVER, FLOOR, PER_S],
    ),
    fanout(
        "SSE instead of WebSocket",
        "fanout --subscribers 1000 --size 128 --window 1 --transport sse --against ws",
        &[
            at_most(1.15, "against_ratio", "ratio to WebSocket"),
            SERVER,
            FLOOR,
            shown("floor_ratio", "ratio to the floor"),
        ],
    ),
    fanout(
        "SSE instead of WebSocket, 16 under way",
        "fanout --subscribers 1000 --size 128 --window 16 --transport sse --against ws",
        &[
            at_most(1.15, "against_ratio", "ratio to WebSocket"),
            SERVER,
            FLOOR,
            shown("floor_ratio", "ratio to the floor"),
        ],
    ),
    fanout(
        "permessage-deflate, 16 under way",
        "fanout --subscribers 1000 --size 128 --window 16 --transport ws-deflate",
        &[SERVER, FLOOR, shown("floor_ratio", "ratio to the floor")],
    ),
    fanout(
        "10,000 subscribers",
        "fanout --subscribers 10000 --size 128 --window 1",
        &[to_floor(1.15), SERVER, FLOOR, PER_S],
    ),
    fanout(
        "1,000 distinct filters, 10 % matching, against delivering to all",
        "fanout --subscribers 1000 --size 128 --window 1 --filters --matching 0.1 --against all --no-floor",
        &[
            at_most(1.0, "against_ratio_per_event", "ratio per event to delivering to all"),
            shown("server_cpu_us_per_event", "CPU µs per event"),
            shown("against_cpu_us_per_event", "to all"),
        ],
    ),
    fanout(
        "The same, 16 under way",
        "fanout --subscribers 1000 --size 128 --window 16 --filters --matching 0.1 --against all --no-floor",
        &[
            at_most(1.0, "against_ratio_per_event", "ratio per event to delivering to all"),
            shown("server_cpu_us_per_event", "CPU µs per event"),
            shown("against_cpu_us_per_event", "to all"),
        ],
    ),
    Row {
        title: "10,000 idle WebSocket connections",
        command: "idle --connections 10000 --transport ws",
        quick: "",
        figures: &[
            at_most(450.0, "rss_bytes_per_idle_connection", "bytes each"),
            shown("floor_rss_bytes_per_idle_connection", "floor"),
        ],
    },
    Row {
        title: "10,000 idle SSE connections",
        command: "idle --connections 10000 --transport sse",
        quick: "",
        figures: &[
            at_most(600.0, "rss_bytes_per_idle_connection", "bytes each"),
            shown("floor_rss_bytes_per_idle_connection", "floor"),
        ],
    },
    Row {
        title: "Accept, handshake and subscribe",
        command: "connect --connections 5000",
        quick: " --rounds 3",
        figures: &[
            at_most(25.0, "server_cpu_us_per_connect", "CPU µs each"),
            shown("floor_cpu_us_per_connect", "floor"),
            shown("connects_per_s", "connects/s"),
        ],
    },
    Row {
        title: "Publish, one HTTP request an event",
        command: "publish --mode http --size 256",
        quick: " --seconds 2",
        figures: &[at_least(30_000.0, "events_per_s", "events/s"), PER_CORE, BUSY],
    },
    Row {
        title: "Publish, NDJSON",
        command: "publish --mode ndjson --size 256",
        quick: " --seconds 2",
        figures: &[at_least(700_000.0, "events_per_s", "events/s"), PER_CORE, BUSY],
    },
    Row {
        title: "Publish, WebSocket",
        command: "publish --mode ws --size 256",
        quick: " --seconds 2",
        figures: &[at_least(700_000.0, "events_per_s", "events/s"), PER_CORE, BUSY],
    },
    Row {
        title: "Latency at 10 events/s to 1,000 subscribers",
        command: "latency --rate 10 --subscribers 1000",
        quick: " --rounds 3",
        figures: &[
            at_most(1.2, "p99_ratio", "p99, ratio to the floor"),
            shown("p50_us", "p50 µs"),
            shown("p99_us", "p99 µs"),
            shown("floor_p50_us", "floor p50"),
            shown("floor_p99_us", "floor p99"),
        ],
    },
    Row {
        title: "10 % of the clients do not read",
        command: "slow --subscribers 1000 --share 0.1 --kind stalled",
        quick: " --rounds 1",
        figures: &[
            at_most(1.3, "p99_ratio", "p99 of the others, ratio to none stalled"),
            shown("evicted", "evicted"),
            shown("rss_bytes_before", "RSS before"),
            shown("rss_bytes_after", "RSS after"),
        ],
    },
    Row {
        title: "20 cuts a client during 100,000 events",
        command: "resume --clients 100 --events 100000 --cuts 20",
        quick: "",
        figures: &[
            at_most(0.0, "lost", "lost"),
            at_most(0.0, "duplicated", "duplicated"),
            at_most(0.0, "reordered", "reordered"),
            shown("cuts", "cuts"),
        ],
    },
    Row {
        title: "1,000 connections a second come and go",
        command: "churn --subscribers 500 --churners 500 --per-second 1000",
        quick: " --seconds 4",
        figures: &[
            at_most(0.0, "lost", "lost"),
            shown("connects_per_s", "connects/s"),
            shown("p99_us", "p99 µs of those who stay"),
        ],
    },
];

impl Bound {
    /// Whether `value` is within.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
            Self::Shown => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn every_command_line_is_one_that_works() {
        for row in ROWS {
            for extra in ["", row.quick] {
                let line = format!("loadtest {}{extra} --json", row.command);
                let parsed = crate::cli::Cli::try_parse_from(line.split_whitespace());
                assert!(parsed.is_ok(), "{line}: {:?}", parsed.err());
            }
        }
    }

    #[test]
    fn bounds_hold_on_their_side() {
        assert!(Bound::AtMost(1.0).holds(1.0) && !Bound::AtMost(1.0).holds(1.01));
        assert!(Bound::AtLeast(1.0).holds(1.0) && !Bound::AtLeast(1.0).holds(0.99));
    }
}
