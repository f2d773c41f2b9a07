//! Logins whose target has yet to show that it wants to be asked.

use serde_json::{Value, json};

use super::super::*;
use super::world::{BUDGET_MS, Echo, Says, World, answer};
use crate::outcome::Outcome;

/// A world whose target `t` has to show it, and would be let pass if its policy had its way.
fn world() -> World {
    let world = World::new();
    world.subscribe("t", &json!({"verification": "required", "onUnavailable": "allow"}));
    world.script("t", [(10, answer("allow"))]);
    world
}

fn replied(status: u16) -> Outcome {
    Outcome::Replied { status, retry_after: None }
}

fn is_unverified(decision: &Value) {
    assert_eq!(decision["action"], "challenge", "{decision}");
    assert_eq!(decision["reasons"], json!(["endpoint_unverified"]));
    assert_eq!(decision["degraded"], true);
    let target = &decision["targets"][0];
    assert_eq!(target["outcome"], "endpoint_unverified");
    assert_eq!((&target["asked"], &target["source"]), (&json!(0), &json!("fallback")));
    assert_eq!(target.get("policy"), None);
}

#[test]
fn a24_an_endpoint_that_echoes_is_asked_in_the_same_login_and_not_challenged_again() {
    let world = world();
    world.echo("t", Echo::After(20));
    for login in 0..3 {
        let decision = world.decide();
        assert_eq!(decision["action"], "allow", "{decision}");
        assert_eq!(decision["elapsedMs"], if login == 0 { 30 } else { 10 });
    }
    assert_eq!((world.challenged("t"), world.arrived().len()), (1, 3));
    assert_eq!(world.marked(), ["https://t.example.com/"]);
}

#[test]
fn a24_a_login_is_never_let_pass_by_an_endpoint_that_does_not_echo_whatever_its_policy() {
    for echo in [
        Echo::Says(""),
        Echo::Says(r#"{"challenge":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"}"#),
        Echo::Fails(replied(404)),
        Echo::Fails(Outcome::ConnectionFailed),
        Echo::Fails(Outcome::AddressRefused),
        Echo::Nothing,
    ] {
        let world = world();
        world.echo("t", echo.clone());
        // Until its breaker opens, and then, and when it is probed.
        for _ in 0..8 {
            is_unverified(&world.decide());
        }
        world.advance_ms(10_000);
        is_unverified(&world.decide());
        assert_eq!(world.challenged("t"), 6, "{echo:?}: left alone after five failures");
        assert_eq!(world.arrived(), [], "{echo:?}: nothing is said about a user");
        assert_eq!(world.marked(), [""; 0]);
    }
}

#[test]
fn no_other_trouble_lets_a_login_pass_by_an_endpoint_that_is_not_verified() {
    let late = world();
    is_unverified(&late.decide_with(Some(late.now()), None));
    let keyless = world();
    keyless.lose_signing_key();
    assert_eq!(keyless.decide()["action"], "challenge");
    let refused = World::new();
    let row = json!({
        "verification": "required", "onUnavailable": "allow", "endpoint": "http://t.example.com/",
    });
    refused.subscribe("t", &row);
    let decision = refused.decide();
    assert_eq!(decision["action"], "challenge", "{decision}");
    assert_eq!(decision["reasons"], json!(["endpoint_refused"]));
    let why = decision["explanation"].as_str().expect("a sentence");
    assert!(why.contains("must begin with https:// (read as http://t.example.com)"), "{why}");
    for world in [late, keyless, refused] {
        assert_eq!((world.challenged("t"), world.arrived().len()), (0, 0));
    }
}

#[test]
fn a_verified_endpoint_s_policy_speaks_again_even_in_the_login_that_verified_it() {
    let world = world();
    world.script("t", [(0, Says::Nothing)]);
    let decision = world.decide();
    assert_eq!(decision["action"], "allow", "{decision}");
    assert_eq!(decision["reasons"], json!(["timeout"]));
    assert_eq!(decision["elapsedMs"], BUDGET_MS);
}

#[test]
fn the_handshake_is_part_of_the_login_s_time() {
    let world = world();
    world.echo("t", Echo::After(1_000));
    world.script("t", [(1_000, answer("allow"))]);
    let decision = world.decide();
    assert_eq!(decision["elapsedMs"], BUDGET_MS, "{decision}");
    assert_eq!(decision["reasons"], json!(["timeout"]));
    assert_eq!(world.decide()["reasons"], json!([]), "the next login finds it verified");
}

#[test]
fn the_first_login_of_an_endpoint_waits_a_little_for_its_row_to_be_marked_and_no_longer() {
    let world = world();
    world.slow_marks(500);
    let decision = world.decide();
    let elapsed_ms = decision["elapsedMs"].as_u64().expect("a time");
    assert_eq!(decision["action"], "allow");
    assert!((100..=110).contains(&elapsed_ms), "{elapsed_ms}");
    assert_eq!(world.marked(), [""; 0]);
    assert_eq!(world.decide()["action"], "allow");
    assert_eq!(world.challenged("t"), 1, "this environment knows");
    world.advance_ms(30_000);
    world.slow_marks(5);
    assert_eq!(world.decide()["action"], "allow");
    assert_eq!((world.challenged("t"), world.marked().len()), (2, 1), "the row did not say so");
}

#[test]
fn a_neighbour_s_block_stands_and_its_claims_do_not_outlive_an_unverified_endpoint() {
    let world = world();
    world.echo("t", Echo::Says("{}"));
    world.subscribe("n", &json!({}));
    world.script("n", [(1, Says::Answer("allow", json!({"tier": "gold"}))), (1, answer("block"))]);
    let decision = world.decide();
    assert_eq!(decision["action"], "challenge");
    assert_eq!(decision["custom_claims"], json!({}));
    assert_eq!(world.decide()["action"], "block");
}
