//! Breakers in the path of logins: who is asked, and who takes the policy. Measured by questions
//! that arrive, not by time.

use futures_util::future::join;
use serde_json::json;

use super::super::*;
use super::outcomes;
use super::pair;
use super::world::{Says, World, answer};
use crate::limits::{BREAKER_FAILURES_MAX, ENRICH_RECOVERY_MS, ENRICH_TEMPO};

/// A world whose one target hangs, and by now is not asked any more.
fn open() -> World {
    let world = World::new();
    world.subscribe("t", &json!({"onUnavailable": {"breaker_open": "allow"}}));
    world.script("t", [(0, Says::Nothing)]);
    for _ in 0..BREAKER_FAILURES_MAX {
        assert_eq!(world.decide()["reasons"], json!(["timeout"]));
    }
    assert_eq!(world.arrived().len(), 5);
    world
}

/// How many of so many logins, one after the other, were asked about.
fn asked(world: &World, logins: usize) -> usize {
    world.arrived();
    for _ in 0..logins {
        world.decide();
    }
    world.arrived().len()
}

#[test]
fn f24_while_it_is_open_the_policy_answers_and_nobody_is_asked() {
    let world = open();
    for _ in 0..3 {
        let decision = world.decide();
        assert_eq!((&decision["action"], &decision["elapsedMs"]), (&json!("allow"), &json!(0)));
        assert_eq!(outcomes(&decision), [pair("t", "breaker_open")]);
        let target = &decision["targets"][0];
        assert_eq!(target["policy"], "onUnavailable.breaker_open");
        assert_eq!(target["asked"], 0);
    }
    assert_eq!(world.arrived(), []);
}

#[test]
fn half_open_one_login_probes_while_another_takes_the_policy() {
    let world = open();
    world.script("t", [(100, answer("challenge"))]);
    world.advance_ms(ENRICH_TEMPO.open_ms);
    let both = join(world.login(None, None), world.login(None, None));
    let (first, second) = world.play(both);
    assert_eq!(outcomes(&first), [pair("t", "challenge")]);
    assert_eq!(outcomes(&second), [pair("t", "breaker_open")]);
    assert_eq!(second["elapsedMs"], 0);
    assert_eq!(world.arrived().len(), 1);
    assert_eq!(outcomes(&world.decide()), [pair("t", "challenge")], "closed again");
}

#[test]
fn l7_logins_are_back_to_normal_within_five_seconds_of_a_recovery() {
    // Whenever in a brown-out the target recovers, one login every 50 ms finds it.
    for downtime_ms in (2_000..12_000).step_by(250) {
        let world = open();
        let now = world.now();
        while world.now().since_ms(now) < downtime_ms {
            world.decide();
            world.advance_ms(50);
        }
        world.script("t", [(50, answer("challenge"))]);
        let recovered_at = world.now();
        while outcomes(&world.decide()) != [pair("t", "challenge")] {
            world.advance_ms(50);
            let waited_ms = world.now().since_ms(recovered_at);
            assert!(waited_ms < ENRICH_RECOVERY_MS, "{waited_ms} ms after {downtime_ms}");
        }
    }
}

#[test]
fn a_hurried_caller_teaches_nothing() {
    let world = World::new();
    world.subscribe("t", &json!({}));
    world.script("t", [(1_400, answer("allow"))]);
    for _ in 0..20 {
        let deadline = world.now().plus_ms(700);
        assert_eq!(world.decide_with(Some(deadline), None)["reasons"], json!(["timeout"]));
    }
    assert_eq!(world.arrived().len(), 20, "half of the budget is no fair trial");
    for _ in 0..5 {
        let deadline = world.now().plus_ms(800);
        world.decide_with(Some(deadline), None);
    }
    assert_eq!(asked(&world, 3), 0, "more than half of it is");
}

#[test]
fn trouble_opens_it_and_what_only_disappoints_does_not() {
    for (says, opens) in [
        (Says::Status(500), true),
        (Says::Status(503), true),
        (Says::Status(429), true),
        (Says::NoWay, true),
        (Says::Broken, true),
        (Says::Status(404), false),
        (Says::Status(204), false),
        (Says::Spoilt, false),
        (answer("block"), false),
        (answer("nonsense"), false),
    ] {
        let world = World::new();
        world.subscribe("t", &json!({"onUnavailable": "allow"}));
        world.script("t", [(1, says.clone())]);
        let expected = if opens { 5 } else { 20 };
        assert_eq!(asked(&world, 20), expected, "{says:?}");
    }
}

#[test]
fn keys_that_cannot_be_had_are_no_fault_of_the_endpoint_s() {
    let world = World::new();
    world.subscribe_without_keys("t", &json!({}));
    world.script("t", [(1, answer("allow"))]);
    assert_eq!(asked(&world, 20), 20);
}

#[test]
fn an_abandoned_question_teaches_nothing_and_an_abandoned_probe_is_made_by_the_next_login() {
    let world = open();
    world.subscribe("guard", &json!({}));
    world.script("guard", [(10, answer("block"))]);
    world.advance_ms(ENRICH_TEMPO.open_ms);
    for _ in 0..7 {
        let decision = world.decide();
        assert_eq!(outcomes(&decision), [pair("guard", "block"), pair("t", "abandoned")]);
    }
    world.script("guard", [(10, answer("challenge"))]);
    world.script("t", [(10, answer("allow"))]);
    assert_eq!(outcomes(&world.decide()), [pair("guard", "challenge"), pair("t", "allow")]);
}

#[test]
fn each_subscription_has_its_own() {
    let world = open();
    world.subscribe("well", &json!({}));
    world.script("well", [(10, answer("challenge"))]);
    let heard = [pair("t", "breaker_open"), pair("well", "challenge")];
    assert_eq!(outcomes(&world.decide()), heard);
}

#[test]
fn a_block_by_the_policy_of_an_open_breaker_leaves_others_unasked_or_abandoned() {
    let world = World::new();
    world.subscribe("t", &json!({"onUnavailable": "block"}));
    world.script("t", [(1, Says::NoWay)]);
    asked(&world, 5);
    world.subscribe("slow", &json!({}));
    world.script("slow", [(900, answer("allow"))]);
    let decision = world.decide();
    assert_eq!((&decision["action"], &decision["elapsedMs"]), (&json!("block"), &json!(0)));
    let slow = outcomes(&decision).remove(0);
    let was_asked = !world.arrived().is_empty();
    assert_eq!(slow, pair("slow", if was_asked { "abandoned" } else { "unasked" }));
}
