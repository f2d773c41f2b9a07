//! A few thousand attacks on each parser, the same ones on every push. `.ci/fuzz` makes more.

use std::borrow::Cow;

use fuzz::run::{Tally, run_some};
use fuzz::{Broken, Corpus, Target, Verdict};

/// Attacks so often, and says how often the parser took what it was given.
fn withstood(name: &str, attacks: u64) -> (u64, Tally) {
    let target = fuzz::named(name).expect("a target");
    let tally = run_some(target.as_ref(), attacks).unwrap_or_else(|found| unreachable!("{found}"));
    let taken = tally.verdicts.iter().filter(|(what, _)| what.starts_with("taken"));
    (taken.map(|(_, count)| count).sum(), tally)
}

/// Attacks that are all turned away at the door, or all let in, would show little.
fn assert_reached(name: &str, verdicts_min: usize) {
    let (taken, tally) = withstood(name, 3_000);
    assert_eq!(tally.attacks, 3_000);
    assert!((60..2_900).contains(&taken), "{name} took {taken}");
    assert!(tally.verdicts.len() >= verdicts_min, "{name}: {:?}", tally.verdicts);
}

#[test]
fn a01_to_a20_whatever_url_passes_leads_to_the_public_internet_for_every_reader() {
    assert_reached("endpoint_url", 8);
}

#[test]
fn a33_to_a37_what_is_accepted_is_stored_as_it_was_posted_and_complaints_point_at_something() {
    assert_reached("ingest", 6);
}

#[test]
fn a46_a_wait_stays_within_its_bounds_whatever_a_target_asks_for() {
    assert_reached("retry_after", 5);
}

#[test]
fn a54_a_record_that_is_read_writes_back_to_itself() {
    assert_reached("message", 5);
}

#[test]
fn a54_a_ledger_item_that_is_read_says_what_it_said() {
    assert_reached("ledger_item", 3);
}

#[test]
fn a57_a71_a_key_that_is_found_is_fit_for_its_use() {
    assert_reached("key_set", 6);
}

#[test]
fn a55_to_a63_of_what_a_source_did_not_sign_nothing_is_believed() {
    assert_reached("akamai_set", 6);
}

#[test]
fn a_challenge_is_echoed_by_what_says_it_once_and_by_nothing_else() {
    assert_reached("challenge_echo", 6);
}

#[test]
fn a_source_s_row_that_is_read_says_what_it_says_and_a_complaint_shows_nothing_of_it() {
    assert_reached("source_row", 8);
}

#[test]
fn what_is_not_an_allow_never_becomes_an_answer_with_claims() {
    assert_reached("login", 8);
}

#[test]
fn a_row_that_is_read_takes_and_sends_exactly_what_it_says() {
    assert_reached("subscription_row", 15);
}

/// The test `answers` attacks answers from every side; here they are a target like the others.
#[test]
fn l11_answers_withstand() {
    let (taken, _) = withstood("answers", 500);
    assert!(taken > 30, "{taken}");
}

/// A parser that falls over whatever has a `1` in it, in the way that it is told.
struct Fragile(Corpus, fn() -> Verdict);

impl Target for Fragile {
    fn name(&self) -> &'static str {
        "fragile"
    }

    fn corpus(&self) -> &Corpus {
        &self.0
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        if octets.contains(&b'1') { self.1() } else { Ok(Cow::Borrowed("taken")) }
    }
}

#[test]
fn what_must_not_be_is_found_and_its_seed_makes_it_again() {
    for fall in [|| Err(Broken("a 1".to_owned())), || panic!("a 1")] {
        let fragile = Fragile(Corpus::new(["{\"a\":2}"], ["7", "1"]), fall);
        let found = run_some(&fragile, 1_000).expect_err("it is fragile");
        assert!(found.octets.contains(&b'1'));
        let again = fragile.attack(&mut testkit::chance::Chance::new(found.seed));
        assert_eq!(again, found.octets);
        let said = found.to_string();
        assert!(said.contains(&format!("--seed {} --attacks 1", found.seed)), "{said}");
    }
}

#[test]
fn any_octets_are_an_attack_on_any_target() {
    for target in fuzz::all() {
        for length in 0..100u8 {
            let octets: Vec<u8> =
                (0..length).map(|n| n.wrapping_mul(31).wrapping_add(length)).collect();
            fuzz::meet(target.as_ref(), &octets);
        }
        assert!(!target.corpus().seeds.is_empty(), "{}", target.name());
    }
}

#[test]
fn every_target_is_libfuzzer_s_too() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    for target in fuzz::all() {
        let name = target.name();
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let text = std::fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs")));
        assert!(text.expect(name).contains(&format!("fuzz::named(\"{name}\")")), "{name}");
    }
    let files = std::fs::read_dir(folder.join("fuzz_targets")).expect("a folder");
    assert_eq!(files.count(), fuzz::all().len());
}
