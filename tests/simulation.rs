//! A deterministic simulation of shards and their clients.
//!
//! A seed decides everything: what is published and when, who connects how, what networks do. Shards run
//! their real code over sockets in memory, with a clock that only the simulation moves and publishers that
//! strike in the middle of a shard's work. A checker that shares no code with delivery reads the bytes that
//! clients got and compares them with what was published.
//!
//! `MILLRACE_SEEDS=n` runs n seeds, `MILLRACE_SEED=s` runs that one.

#![allow(clippy::unwrap_used, reason = "a test that meets something impossible may panic")]

#[path = "simulation/batches.rs"]
mod batches;
#[path = "simulation/chaos.rs"]
mod chaos;
#[path = "simulation/check.rs"]
mod check;
#[path = "simulation/client.rs"]
mod client;
#[path = "simulation/dialects.rs"]
mod dialects;
#[path = "simulation/ending.rs"]
mod ending;
#[path = "simulation/hearing.rs"]
mod hearing;
#[path = "simulation/lingering.rs"]
mod lingering;
#[path = "simulation/log.rs"]
mod log;
#[path = "simulation/net.rs"]
mod net;
#[path = "simulation/parse.rs"]
mod parse;
#[path = "simulation/readers.rs"]
mod readers;
#[path = "simulation/rng.rs"]
mod rng;
#[path = "simulation/scenarios.rs"]
mod scenarios;
#[path = "simulation/services.rs"]
mod services;
#[path = "simulation/sessions.rs"]
mod sessions;
#[path = "simulation/tamper.rs"]
mod tamper;
#[path = "simulation/text.rs"]
mod text;
#[path = "simulation/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::{Tally, World};

/// Seeds of an ordinary run.
const SEEDS: u64 = 200;
/// Steps of one story.
const STEPS: usize = 160;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

fn story(seed: u64) -> Tally {
    let mut world = World::new(seed);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run(STEPS)));
    let rerun = format!("MILLRACE_SEED={seed} cargo test --test simulation");
    match outcome {
        Ok(Ok(())) => world.tally(),
        Ok(Err(why)) => panic!("seed {seed}: {why}\nrun again with: {rerun}"),
        Err(_) => panic!("seed {seed}: a panic, see above\nrun again with: {rerun}"),
    }
}

/// Runs `seeds` stories; together they must have met everything that can go wrong.
fn stories(seeds: u64) {
    let mut sum = Tally::default();
    (0..seeds).for_each(|seed| sum.add(&story(seed).0));
    println!("deliveries, gaps, conflated, messages, evictions, connections: {:?}", sum.0);
    assert!(seeds < SEEDS || sum.0.iter().all(|&count| count > seeds), "too little happened: {sum:?}");
}

#[test]
fn every_client_gets_what_it_asked_for() {
    match number("MILLRACE_SEED") {
        Some(seed) => {
            story(seed);
        }
        None => stories(number("MILLRACE_SEEDS").unwrap_or(SEEDS)),
    }
}
