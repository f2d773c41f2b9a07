//! Tokens, key sets and claims against the verification of answers.
//!
//! The invariant is `testkit`'s, and so is the format of an attack. What libFuzzer keeps in its
//! corpus is made anew for each run's keys: bodies that were signed with others are noise, and
//! what is to be signed is signed again.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use testkit::answers::fuzz::Bench;
use testkit::answers::mutator::attack;
use testkit::chance::Chance;

static BENCH: LazyLock<Bench> = LazyLock::new(Bench::new);

fuzz_target!(|octets: &[u8]| {
    // Eight octets are a seed for somebody who knows tokens; more are the attack itself.
    let result = match <[u8; 8]>::try_from(octets) {
        Ok(seed) => BENCH.check(&attack(&BENCH, &mut Chance::new(u64::from_le_bytes(seed)))),
        Err(_) => BENCH.check(octets),
    };
    if let Err(broken) = result {
        panic!("{broken}");
    }
});
