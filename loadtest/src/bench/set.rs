//! The standard set.

use super::rows::{Bound, Figure, Row};

const fn shown(name: &'static str, what: &'static str) -> Figure {
    Figure { name, what, bound: Bound::Shown }
}

const fn at_most(limit: f64, name: &'static str, what: &'static str) -> Figure {
    Figure { name, what, bound: Bound::AtMost(limit) }
}

const fn at_least(limit: f64, name: &'static str, what: &'static str) -> Figure {
    Figure { name, what, bound: Bound::AtLeast(limit) }
}

const fn said(limit: f64, name: &'static str, what: &'static str) -> Figure {
    Figure { name, what, bound: Bound::Said(limit) }
}

const SERVER: Figure = shown("server_cpu_us_per_delivery", "CPU µs per delivery");
const FLOOR: Figure = shown("floor_cpu_us_per_delivery", "floor");
const PER_S: Figure = shown("deliveries_per_s", "deliveries/s");
const PER_CORE: Figure = shown("events_per_server_core_s", "events per second of CPU");
const BUSY: Figure = shown("server_core_busy", "share of the core used");
const SHORT: &str = " --rounds 3 --seconds 0.4";

const TO_NATIVE: &[Figure] = &[
    at_most(1.05, "against_ratio", "ratio to native"),
    SERVER,
    shown("against_cpu_us_per_delivery", "native"),
];
const SHARE: Figure = at_most(0.2, "fanout_core_share", "share of a core for fan-out");
const BATCHED: &[Figure] = &[
    at_most(60_000.0, "p99_us", "p99 µs, the window included"),
    SHARE,
    shown("floor_core_share", "the floor's"),
    to_floor(1.15),
    shown("p50_us", "p50 µs"),
    shown("events_per_message", "events per message"),
    PER_S,
];
/// What the document promises of the server it describes.
const DOCUMENT: &[Figure] = &[
    said(5_000.0, "p50_us", "p50 µs"),
    said(50_000.0, "p95_us", "p95 µs"),
    said(100_000.0, "p99_us", "p99 µs"),
    said(200_000.0, "max_us", "max µs"),
    PER_S,
    SHARE,
];
/// Answers that are read while they are said.
const STREAMED: &[Figure] = &[
    at_most(0.0, "lost", "lost"),
    at_most(50_000.0, "p99_us", "p99 µs"),
    shown("p50_us", "p50 µs"),
    at_most(1.15, "rss_growth_ratio", "RSS after the second answers to that after the first"),
    shown("rss_bytes_per_session", "bytes per session"),
    SERVER,
    FLOOR,
    shown("server_core_share", "share of a core"),
    shown("events_per_message", "tokens per message"),
    PER_S,
];
/// What the `events` document says a client takes.
const IDLE: f64 = 1024.0;

const fn to_floor(limit: f64) -> Figure {
    at_most(limit, "floor_ratio", "ratio to the floor")
}

const fn fanout(title: &'static str, command: &'static str, figures: &'static [Figure]) -> Row {
    Row { title, command, quick: SHORT, figures }
}

const fn against_native(title: &'static str, command: &'static str) -> Row {
    Row { title, command, quick: " --rounds 3", figures: TO_NATIVE }
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
        "fanout --subscribers 1000 --size 128 --window 1 --transport sse --against ws --rounds 9",
        &[
            at_most(1.15, "against_ratio", "ratio to WebSocket"),
            SERVER,
            FLOOR,
            shown("floor_ratio", "ratio to the floor"),
        ],
    ),
    fanout(
        "SSE instead of WebSocket, 16 under way",
        "fanout --subscribers 1000 --size 128 --window 16 --transport sse --against ws --rounds 9",
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
        "fanout --subscribers 1000 --size 128 --window 1 --filters --matching 0.1 --against all --no-floor --rounds 9",
        &[
            at_most(1.0, "against_ratio_per_event", "ratio per event to delivering to all"),
            shown("server_cpu_us_per_event", "CPU µs per event"),
            shown("against_cpu_us_per_event", "to all"),
        ],
    ),
    fanout(
        "The same, 16 under way",
        "fanout --subscribers 1000 --size 128 --window 16 --filters --matching 0.1 --against all --no-floor --rounds 9",
        &[
            at_most(1.0, "against_ratio_per_event", "ratio per event to delivering to all"),
            shown("server_cpu_us_per_event", "CPU µs per event"),
            shown("against_cpu_us_per_event", "to all"),
        ],
    ),
    against_native(
        "`stream` instead of the native protocol",
        "fanout --subscribers 1000 --size 512 --window 1 --protocol stream --against topics --no-floor --rounds 9 --seconds 0.25",
    ),
    against_native(
        "`stream` instead of the native protocol, 16 under way",
        "fanout --subscribers 1000 --size 512 --window 16 --protocol stream --against topics --no-floor --rounds 9 --seconds 0.25",
    ),
    against_native(
        "`events`, one message an event instead of the native protocol",
        "fanout --subscribers 1000 --size 512 --window 1 --protocol events --against topics --no-floor --rounds 9 --seconds 0.25",
    ),
    against_native(
        "`events`, one message an event instead of the native protocol, 16 under way",
        "fanout --subscribers 1000 --size 512 --window 16 --protocol events --against topics --no-floor --rounds 9 --seconds 0.25",
    ),
    against_native(
        "`channels` instead of the native protocol",
        "fanout --subscribers 1000 --size 512 --window 1 --protocol channels --against topics --no-floor --rounds 9 --seconds 0.25",
    ),
    against_native(
        "`channels` instead of the native protocol, 16 under way",
        "fanout --subscribers 1000 --size 512 --window 16 --protocol channels --against topics --no-floor --rounds 9 --seconds 0.25",
    ),
    against_native(
        "`analysis` instead of the native protocol",
        "fanout --subscribers 1000 --size 512 --window 1 --protocol analysis --against topics --no-floor --rounds 9 --seconds 0.25",
    ),
    against_native(
        "`analysis` instead of the native protocol, 16 under way",
        "fanout --subscribers 1000 --size 512 --window 16 --protocol analysis --against topics --no-floor --rounds 9 --seconds 0.25",
    ),
    Row {
        title: "One `events` session of 1,000 clients, 1,000 events/s in batches",
        command: "events --sessions 1 --clients 1000 --rounds 3 --seconds 2",
        quick: " --rounds 1",
        figures: BATCHED,
    },
    Row {
        title: "200 `events` sessions of 50 clients, 1,000 events/s in all",
        command: "events --sessions 200 --clients 50 --rounds 3 --seconds 2",
        quick: " --rounds 1",
        figures: BATCHED,
    },
    Row {
        title: "The load of the `events` document, 50 clients and 1,000 events/s, in batches as by default",
        command: "events --sessions 1 --clients 50 --rounds 3 --seconds 2 --no-floor",
        quick: " --rounds 1",
        figures: DOCUMENT,
    },
    Row {
        title: "The same, 100 events at a time as its source is polled",
        command: "events --sessions 1 --clients 50 --rounds 3 --seconds 2 --no-floor --burst 100",
        quick: " --rounds 1",
        figures: DOCUMENT,
    },
    Row {
        title: "The same, one message an event",
        command: "events --sessions 1 --clients 50 --rounds 3 --seconds 2 --no-floor --unbatched",
        quick: " --rounds 1",
        figures: DOCUMENT,
    },
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
        title: "10,000 idle `stream` connections",
        command: "idle --connections 10000 --no-floor --protocol stream",
        quick: "",
        figures: &[at_most(IDLE, "rss_bytes_per_idle_connection", "bytes each")],
    },
    Row {
        title: "10,000 idle `events` connections",
        command: "idle --connections 10000 --no-floor --protocol events",
        quick: "",
        figures: &[at_most(IDLE, "rss_bytes_per_idle_connection", "bytes each")],
    },
    Row {
        title: "10,000 idle `channels` connections",
        command: "idle --connections 10000 --no-floor --protocol channels",
        quick: "",
        figures: &[at_most(IDLE, "rss_bytes_per_idle_connection", "bytes each")],
    },
    Row {
        title: "10,000 idle `analysis` connections",
        command: "idle --connections 10000 --no-floor --protocol analysis",
        quick: "",
        figures: &[at_most(IDLE, "rss_bytes_per_idle_connection", "bytes each")],
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
        title: "1,000 sessions of 50 tokens/s, each with 2 readers",
        command: "sessions --sessions 1000 --tokens 500 --rate 50 --readers 2",
        quick: " --tokens 150",
        figures: STREAMED,
    },
    Row {
        title: "The same, tokens wait up to 50 ms for those behind them",
        command: "sessions --sessions 1000 --tokens 500 --rate 50 --readers 2 --linger 50 --no-floor",
        quick: " --tokens 150",
        figures: &[
            at_most(0.0, "lost", "lost"),
            at_most(100_000.0, "p99_us", "p99 µs, the waiting included"),
            shown("p50_us", "p50 µs"),
            SERVER,
            shown("server_core_share", "share of a core"),
            shown("events_per_message", "tokens per message"),
            PER_S,
        ],
    },
    Row {
        title: "First token of the embedded responder, one question after the other and 16 at a time",
        command: "sessions --first-token",
        quick: " --questions 100",
        figures: &[
            at_most(20_000.0, "first_token_p50_us", "p50 µs"),
            at_most(20_000.0, "first_token_of_16_p50_us", "p50 µs of 16"),
            shown("first_token_p99_us", "p99 µs"),
            shown("first_token_of_16_p99_us", "p99 µs of 16"),
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
}
