//! The promise "answered 202 means delivered or dead-lettered with a reason", held against chance.
//!
//! More seeds and longer histories: `cargo run --release -p testkit --example simulate`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use testkit::checker::{Dead, check};
use testkit::simulation::{Work, play, play_all};
use testkit::world::Await;

const SEEDS: u64 = 200;
const EVENTS: usize = 12;

/// What all seeds came to.
#[derive(Default)]
struct Total {
    lies: BTreeMap<u64, Vec<String>>,
    awaits: BTreeSet<(Work, Await)>,
    crashes: BTreeSet<(Work, Await)>,
    incidents: usize,
    repetitions: usize,
    held: usize,
    /// Endpoints that have echoed, and those that were to and never have.
    echoed: usize,
    never_echoed: usize,
    /// POSTs that were encrypted, and dead letters that could not be.
    encrypted: usize,
    not_encrypted: usize,
}

#[test]
fn i1_every_seed_keeps_the_promise_and_work_was_cut_off_at_every_await() {
    let total = Mutex::new(Total::default());
    play_all(0..SEEDS, EVENTS, |seed, run| {
        let lies: Vec<String> = check(&run.history).iter().map(ToString::to_string).collect();
        assert_eq!(run.history.accepted.len(), EVENTS, "seed {seed}: producers come back");
        let mut total = total.lock().expect("no seed panics");
        if !lies.is_empty() {
            total.lies.insert(seed, lies);
        }
        total.repetitions += run.history.repetitions();
        total.incidents += run.incidents;
        total.held += run.history.held.len();
        let has_echoed = |url| run.history.echoed_at_ms.contains_key(url);
        let echoed = run.history.to_be_verified.iter().filter(|url| has_echoed(*url)).count();
        total.echoed += echoed;
        total.never_echoed += run.history.to_be_verified.len() - echoed;
        total.encrypted += run.history.posts.iter().filter(|post| post.is_encrypted).count();
        let is_of_its_key = |dead: &&Dead| dead.reason == "encryption_key_unusable";
        total.not_encrypted += run.history.dead.iter().filter(is_of_its_key).count();
        total.awaits.extend(run.awaits);
        total.crashes.extend(run.crashes.into_keys());
    });
    let total = total.into_inner().expect("no seed panics");
    let Total { lies, awaits, crashes, incidents, repetitions, held, .. } = total;
    let Total { echoed, never_echoed, encrypted, not_encrypted, .. } = total;
    assert!(
        lies.is_empty(),
        "{lies:#?}\nthe whole history of a seed: \
         cargo run --release -p testkit --example simulate -- 1 {EVENTS} SEED"
    );
    assert!(incidents > 1_000, "{incidents} incidents are no trouble at all");
    assert!(repetitions > 1_000, "{repetitions} repetitions are hardly in need of explanation");
    assert!(held > 100, "{held} held deliveries are no test of the breaker");
    assert!(
        echoed > 100 && never_echoed > 100,
        "{echoed} and {never_echoed}: no test of handshakes"
    );
    assert!(
        encrypted > 100 && not_encrypted > 10,
        "{encrypted} and {not_encrypted}: no test of encryption"
    );
    let works: BTreeSet<Work> = awaits.iter().map(|(work, _)| *work).collect();
    assert_eq!(works.len(), 5, "ingest, first attempts, later ones, sweeps, redrives");
    assert!(awaits.len() >= 86, "{} awaits: {awaits:?}", awaits.len());
    // Some awaits are rare; a long run demands each of them many times.
    let never: Vec<_> = awaits.difference(&crashes).collect();
    assert!(never.len() <= 6, "work was never cut off at {never:?}");
}

#[test]
fn a_seed_is_a_history() {
    let posts = |seed| format!("{:?}", play(seed, EVENTS).history);
    assert_eq!(posts(3), posts(3));
    assert_ne!(posts(3), posts(4));
}
