//! The promise "answered 202 means delivered or dead-lettered with a reason", held against chance.
//!
//! More seeds and longer histories: `cargo run --release -p testkit --example simulate`.

use std::collections::{BTreeMap, BTreeSet};

use testkit::checker::check;
use testkit::simulation::{Work, play};

const SEEDS: u64 = 200;
const EVENTS: usize = 12;

#[test]
fn i1_every_seed_keeps_the_promise_and_every_kind_of_work_was_cut_off_everywhere() {
    let mut crashes: BTreeMap<Work, BTreeSet<usize>> = BTreeMap::new();
    let mut incidents = 0;
    for seed in 0..SEEDS {
        let run = play(seed, EVENTS);
        let lies: Vec<String> = check(&run.history).iter().map(ToString::to_string).collect();
        assert!(
            lies.is_empty(),
            "seed {seed}: {lies:#?}\nthe whole history: \
             cargo run --release -p testkit --example simulate -- 1 {EVENTS} {seed}"
        );
        assert!(run.history.accepted.len() >= EVENTS, "seed {seed}: producers come back");
        incidents += run.history.incidents;
        for (work, polls) in run.crashes.into_keys() {
            crashes.entry(work).or_default().insert(polls);
        }
    }
    assert!(incidents > 1_000, "{incidents} incidents are no trouble at all");
    let points = |work| crashes.get(&work).map_or(0, BTreeSet::len);
    assert_eq!(points(Work::Ingest), 2, "one call: before it takes effect and after");
    assert!(points(Work::Events) >= 10, "{crashes:?}");
    assert!(points(Work::Retry) >= 12, "{crashes:?}");
    assert!(points(Work::Sweep) >= 6, "{crashes:?}");
}

#[test]
fn a_seed_is_a_history() {
    let posts = |seed| format!("{:?}", play(seed, EVENTS).history);
    assert_eq!(posts(3), posts(3));
    assert_ne!(posts(3), posts(4));
}
