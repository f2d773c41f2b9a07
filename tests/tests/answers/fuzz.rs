//! A short run of `cargo run -p testkit --example fuzz_answers`, the same attacks on every push.

use std::collections::BTreeSet;

use testkit::answers::fuzz::{Attack, Bench};
use testkit::answers::mutator::attack;
use testkit::chance::Chance;

#[test]
fn l11_three_thousand_attacks_come_to_nothing() {
    let bench = Bench::new();
    let (mut believed, mut reasons) = (0, BTreeSet::new());
    for seed in 0..3_000 {
        let octets = attack(&bench, &mut Chance::new(seed));
        match bench.check(&octets) {
            Ok(None) => believed += 1,
            Ok(Some(why)) => drop(reasons.insert(why.to_string())),
            Err(broken) => panic!("seed {seed}: {broken}: {:?}", Attack::read(&octets)),
        }
    }
    // Attacks that are all refused at the door would show little.
    assert!(believed > 300, "{believed} were believed, as honest answers are");
    for reason in [
        "token",
        "header",
        "typ",
        "alg",
        "key",
        "signature",
        "payload",
        "iss",
        "aud",
        "sub",
        "time",
        "binding",
        "action",
        "custom_claims",
        "reserved_claim",
    ] {
        assert!(reasons.contains(reason), "no attack came to {reason}");
    }
}

#[test]
fn any_octets_are_an_attack() {
    let bench = Bench::new();
    for length in 0..200u8 {
        let octets: Vec<u8> =
            (0..length).map(|n| n.wrapping_mul(31).wrapping_add(length)).collect();
        assert!(bench.check(&octets).is_ok_and(|refusal| refusal.is_some()));
        let (target, attack) = Attack::read(&octets);
        assert_eq!(Attack::read(&attack.write(target)), (target, attack));
    }
}
