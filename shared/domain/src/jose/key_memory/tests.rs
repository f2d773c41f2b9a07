//! The rules by example, and against a host that changes its keys and fails, by seed.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const MINUTE_MS: u64 = 60_000;

fn at(ms: u64) -> Timestamp {
    // Long after the epoch, as clocks are.
    Timestamp::from_ms(1_795_428_000_000 + ms)
}

fn key_set(kids: &[u32]) -> KeySet {
    let key = |kid: &u32| {
        json!({
            "kty": "EC", "crv": "P-256", "kid": format!("k{kid}"),
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    };
    KeySet::from_json(&json!({"keys": kids.iter().map(key).collect::<Vec<_>>()})).expect("keys")
}

fn wanted(kid: &str) -> WantedKey<'_> {
    WantedKey { kid: Some(kid), algorithm: Algorithm::Es256 }
}

/// What a login is told that hears an answer at this moment: `use`, `fetch`, or `give up`.
fn step(memory: &KeyMemory, kid: &str, ms: u64) -> &'static str {
    match memory.step(wanted(kid), Fetched::Before, at(ms), Deadline::at(at(ms + 1_000))) {
        KeyStep::Use(_) => "use",
        KeyStep::Fetch(until) if until == Deadline::at(at(ms + 1_000)) => "fetch",
        KeyStep::Fetch(until) => {
            assert_eq!(until, Deadline::at(at(ms + KEY_SET_PATIENCE_MS)));
            "fetch a while"
        }
        KeyStep::GiveUp => "give up",
    }
}

fn read_at(ms: u64) -> KeyMemory {
    let mut memory = KeyMemory::default();
    memory.end(Some(key_set(&[1])), at(ms), at(ms));
    memory
}

#[test]
fn without_keys_every_login_waits_for_them_and_a_host_that_is_down_is_asked_once_a_second() {
    let mut memory = KeyMemory::default();
    assert_eq!(step(&memory, "k1", 0), "fetch");
    memory.end(None, at(0), at(5));
    assert_eq!(step(&memory, "k1", 1_004), "give up");
    assert_eq!(step(&memory, "k1", 1_005), "fetch");
    // A clock that was set back does not make that a wait of years.
    memory.end(None, at(MINUTE_MS), at(MINUTE_MS));
    assert_eq!(step(&memory, "k1", 0), "fetch");
}

#[test]
fn known_keys_are_used_for_ten_minutes_and_then_looked_at_again_with_little_patience() {
    let memory = read_at(0);
    assert_eq!(step(&memory, "k1", 0), "use");
    assert_eq!(step(&memory, "k1", KEY_SET_FRESH_MS - 1), "use");
    assert_eq!(step(&memory, "k1", KEY_SET_FRESH_MS), "fetch a while");
    assert_eq!(step(&memory, "k2", KEY_SET_FRESH_MS), "fetch");
}

#[test]
fn f25_while_the_host_is_down_known_keys_serve_for_an_hour() {
    let mut memory = read_at(0);
    let failed = KEY_SET_FRESH_MS + 100;
    memory.end(None, at(KEY_SET_FRESH_MS), at(failed));
    assert_eq!(step(&memory, "k1", failed), "use");
    assert_eq!(step(&memory, "k1", failed + KEY_SET_REFETCH_MS - 1), "use");
    assert_eq!(step(&memory, "k1", failed + KEY_SET_REFETCH_MS), "fetch a while");
    assert_eq!(step(&memory, "k2", failed), "give up");
    memory.end(None, at(KEY_SET_STALE_MS - 2), at(KEY_SET_STALE_MS - 1));
    assert_eq!(step(&memory, "k1", KEY_SET_STALE_MS - 1), "use");
    assert!(memory.make_do(wanted("k1"), at(KEY_SET_STALE_MS - 1)).is_some());
    assert_eq!(step(&memory, "k1", KEY_SET_STALE_MS), "give up");
    assert!(memory.make_do(wanted("k1"), at(KEY_SET_STALE_MS)).is_none());
}

#[test]
fn an_unknown_kid_is_looked_up_at_once_whenever_the_set_was_read_but_not_twice_in_30_s() {
    let mut memory = read_at(0);
    assert_eq!(step(&memory, "k2", 1), "fetch", "the set was read a moment ago");
    memory.begin(wanted("k2"), at(1));
    memory.end(Some(key_set(&[1])), at(1), at(2));
    assert_eq!(step(&memory, "k2", 2), "use", "as it is: the key is not in it");
    assert_eq!(step(&memory, "k3", KEY_SET_REFETCH_MS), "use");
    assert_eq!(step(&memory, "k3", 1 + KEY_SET_REFETCH_MS), "fetch");
    assert_eq!(step(&memory, "k1", 1 + KEY_SET_REFETCH_MS), "use");
}

#[test]
fn an_unknown_kid_is_not_called_unknown_while_the_host_is_down() {
    let mut memory = read_at(0);
    memory.begin(wanted("k2"), at(1));
    memory.end(None, at(1), at(2));
    assert_eq!(step(&memory, "k2", 2), "give up");
    assert_eq!(step(&memory, "k1", 2), "use");
}

#[test]
fn what_was_fetched_after_the_answer_came_is_the_last_word() {
    let memory = read_at(100);
    let step = |fetched| memory.step(wanted("k2"), fetched, at(100), Deadline::at(at(1_000)));
    assert!(matches!(step(Fetched::Since), KeyStep::Use(_)));
    assert!(matches!(step(Fetched::Before), KeyStep::Fetch(_)), "it may have changed since");
}

#[test]
fn a_fetch_over_which_the_environment_slept_says_nothing_about_the_host() {
    let mut memory = KeyMemory::default();
    memory.end(None, at(0), at(10 * MINUTE_MS));
    assert_eq!(step(&memory, "k1", 10 * MINUTE_MS), "fetch");
}

#[test]
fn whoever_misses_a_key_while_it_is_looked_for_waits_too() {
    let mut memory = read_at(0);
    memory.begin(wanted("k2"), at(1));
    assert_eq!(step(&memory, "k2", 2), "fetch");
    assert_eq!(step(&memory, "k1", 2), "use");
    assert!(memory.is_under_way(at(2)));
    memory.end(Some(key_set(&[1])), at(1), at(3));
    assert!(!memory.is_under_way(at(3)));
    assert_eq!(step(&memory, "k2", 3), "use");
    memory.begin(wanted("k1"), at(MINUTE_MS));
    assert!(!memory.is_under_way(at(MINUTE_MS + KEY_SET_FETCH_MS)), "it was slept over");
}

#[test]
fn a_fetch_that_was_overtaken_takes_nothing_back() {
    let mut memory = read_at(0);
    memory.begin(wanted("k2"), at(5_000));
    memory.end(Some(key_set(&[1])), at(5_000), at(5_100));
    memory.end(Some(key_set(&[0])), at(3_000), at(6_000));
    assert_eq!(step(&memory, "k1", 6_000), "use");
    memory.end(None, at(3_000), at(6_000));
    assert_eq!(step(&memory, "k2", 6_000), "use", "and not \"give up\"");
}

/// What happens next at the host or with us.
#[derive(Clone, Debug)]
enum Next {
    Wait(u64),
    Rotate,
    GoDown,
    ComeUp,
    /// A login whose answer is signed with the newest key.
    Login,
    /// One whose answer names a key that never was.
    Forged,
}

fn next() -> impl Strategy<Value = Next> {
    prop_oneof![
        3 => (0..2_000u64).prop_map(Next::Wait),
        2 => (0..15 * MINUTE_MS).prop_map(Next::Wait),
        2 => Just(Next::Rotate),
        1 => Just(Next::GoDown),
        2 => Just(Next::ComeUp),
        6 => Just(Next::Login),
        3 => Just(Next::Forged),
    ]
}

/// A host, its fetches, and a memory of it that is used as the adapter uses it, fetches taking no
/// time.
#[derive(Default)]
struct Play {
    now_ms: u64,
    newest: u32,
    is_down: bool,
    memory: KeyMemory,
    fetches_ms: Vec<u64>,
    /// Those with which there were no keys at hand.
    first_fetches_ms: Vec<u64>,
    good_fetches_ms: Vec<u64>,
    /// Those for the sake of a key that was not in the set at hand.
    looks_ms: Vec<u64>,
}

impl Play {
    fn look_for(&mut self, kid: &str) -> Option<Arc<KeySet>> {
        let now = at(self.now_ms);
        let mut fetched = Fetched::Before;
        loop {
            match self.memory.step(wanted(kid), fetched, now, Deadline::at(now.plus_ms(1_000))) {
                KeyStep::Use(keys) => return Some(keys),
                KeyStep::GiveUp => return None,
                KeyStep::Fetch(_) => {
                    match self.memory.kept(now) {
                        None => self.first_fetches_ms.push(self.now_ms),
                        Some((_, keys)) if keys.find(Some(kid), Algorithm::Es256).is_none() => {
                            self.looks_ms.push(self.now_ms);
                        }
                        Some(_) => {}
                    }
                    self.memory.begin(wanted(kid), now);
                    self.fetches_ms.push(self.now_ms);
                    let brought = (!self.is_down).then(|| key_set(&[self.newest]));
                    if brought.is_some() {
                        self.good_fetches_ms.push(self.now_ms);
                    }
                    self.memory.end(brought, now, now);
                    fetched = Fetched::Since;
                }
            }
        }
    }

    /// How many of these moments lie within the last 30 seconds.
    fn lately(&self, moments_ms: &[u64]) -> usize {
        moments_ms.iter().filter(|ms| self.now_ms - **ms < KEY_SET_REFETCH_MS).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn f25_keys_are_never_too_old_and_never_asked_for_too_often(
        steps in proptest::collection::vec(next(), 1..120),
    ) {
        let mut play = Play::default();
        for step in steps {
            play.now_ms += 1;
            match step {
                Next::Wait(ms) => play.now_ms += ms,
                Next::Rotate => play.newest += 1,
                Next::GoDown => play.is_down = true,
                Next::ComeUp => play.is_down = false,
                Next::Login => {
                    let kid = format!("k{}", play.newest);
                    // Another new key, or a forged one, has used up the look-up of these 30 s.
                    let is_used_up = play.lately(&play.looks_ms) > 0;
                    let found = play.look_for(&kid);
                    let has_key = found.as_ref().is_some_and(|keys| {
                        keys.find(Some(&kid), Algorithm::Es256).is_some()
                    });
                    let failed_lately = play.good_fetches_ms.last() != play.fetches_ms.last();
                    if !play.is_down && !failed_lately && !is_used_up {
                        prop_assert!(has_key, "a rotation cost a login at {} ms", play.now_ms);
                    }
                    if found.is_some() {
                        let age_ms = play.now_ms - play.good_fetches_ms.last().expect("a good fetch");
                        prop_assert!(age_ms < KEY_SET_STALE_MS);
                        let tried_ms = play.now_ms - play.fetches_ms.last().expect("a fetch");
                        prop_assert!(age_ms < KEY_SET_FRESH_MS || tried_ms < KEY_SET_REFETCH_MS);
                    }
                }
                Next::Forged => {
                    if let Some(keys) = play.look_for("forged") {
                        prop_assert!(keys.find(Some("forged"), Algorithm::Es256).is_none());
                    }
                }
            }
            // Without keys once a second; with keys, because they are old, because the host fails,
            // and because a key is unknown, each once.
            prop_assert!(play.lately(&play.first_fetches_ms) <= 30);
            let again = play.lately(&play.fetches_ms) - play.lately(&play.first_fetches_ms);
            prop_assert!(again <= 3, "{again} fetches in 30 s");
            prop_assert!(play.lately(&play.looks_ms) <= 1);
        }
    }
}
