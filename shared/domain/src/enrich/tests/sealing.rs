//! Questions that are encrypted to their targets, or not put at all.

use serde_json::{Value, json};

use super::super::*;
use super::world::sealing::jwk;
use super::world::{BUDGET_MS, T0, World, answer};
use super::{outcomes, pair};

const URI: &str = "https://keys.example.com/";

/// A target that would allow, and whose policy lets every login pass.
fn world(encryption: &Value) -> World {
    let world = World::new();
    let mut row = json!({"onUnavailable": "allow"});
    let members = encryption.as_object().expect("an object").clone();
    row.as_object_mut().expect("an object").extend(members);
    world.subscribe("t", &row);
    world.script("t", [(10, answer("allow"))]);
    world
}

#[test]
fn a_question_is_encrypted_where_the_row_or_the_key_set_has_a_key() {
    let pinned = world(&json!({ "encryptionJwk": jwk() }));
    let fetched = world(&json!({ "encryptionJwksUri": URI }));
    fetched.serve_keys(20, &[jwk()]);
    for (world, elapsed_ms) in [(pinned, 10), (fetched, 30)] {
        let decision = world.decide();
        assert_eq!(outcomes(&decision), [pair("t", "allow")]);
        assert_eq!(decision["elapsedMs"], elapsed_ms, "the key set is part of the time");
        let arrived = world.arrived();
        assert_eq!(arrived.len(), 1);
        assert!(arrived[0].is_sealed);
        assert_eq!(arrived[0].deadline, Deadline::at(T0.plus_ms(BUDGET_MS.into())));
    }
    let clear = world(&json!({}));
    assert_eq!(clear.decide()["action"], "allow");
    assert!(!clear.arrived()[0].is_sealed);
}

#[test]
fn a71_without_a_key_that_can_be_used_nobody_is_asked_and_the_login_is_challenged() {
    let mut signing = jwk();
    signing["use"] = "sig".into();
    let mut refused = jwk();
    refused["kid"] = "refused".into();
    for (encryption, keys) in [
        (json!({ "encryptionJwksUri": URI }), vec![]),
        (json!({ "encryptionJwksUri": URI }), vec![signing]),
        (json!({ "encryptionJwksUri": URI }), vec![refused.clone()]),
        (json!({ "encryptionJwk": refused }), vec![]),
        (json!({ "encryptionJwksUri": "http://keys.example.com/" }), vec![jwk()]),
        (json!({ "encryptionJwksUri": "https://127.0.0.1/" }), vec![jwk()]),
    ] {
        let world = world(&encryption);
        world.serve_keys(0, &keys);
        let decision = world.decide();
        assert_eq!(decision["action"], "challenge", "whatever the policy says");
        assert_eq!(decision["reasons"], json!(["encryption_key_unusable"]));
        assert_eq!(outcomes(&decision), [pair("t", "encryption_key_unusable")]);
        assert_eq!(decision["targets"][0]["source"], "fallback");
        let why = "challenge: t was not asked, since the key to encrypt to cannot be used: a \
                   challenge";
        assert_eq!(decision["explanation"], why);
        assert_eq!(world.arrived(), []);
    }
}

#[test]
fn i9_a_key_set_that_hangs_or_comes_too_late_is_a_challenge_and_no_allow() {
    let hanging = world(&json!({ "encryptionJwksUri": URI }));
    let late = world(&json!({ "encryptionJwksUri": URI }));
    late.serve_keys(u64::from(BUDGET_MS) + 1, &[jwk()]);
    for world in [hanging, late] {
        let decision = world.decide();
        assert_eq!(decision["action"], "challenge", "whatever the policy says");
        assert_eq!(decision["reasons"], json!(["encryption_key_unavailable"]));
        assert_eq!(decision["elapsedMs"], BUDGET_MS);
        assert_eq!(world.arrived(), []);
    }
}

#[test]
fn a_key_set_that_cannot_be_had_teaches_the_breaker_nothing() {
    let world = world(&json!({ "encryptionJwksUri": URI }));
    for _ in 0..20 {
        assert_eq!(world.decide()["reasons"], json!(["encryption_key_unavailable"]));
    }
    world.serve_keys(0, &[jwk()]);
    assert_eq!(world.decide()["action"], "allow");
}

#[test]
fn an_unreadable_row_asks_nobody_and_lets_nobody_through() {
    let mut private = jwk();
    private["d"] = private["x"].clone();
    let world = world(&json!({ "encryptionJwk": private }));
    let decision = world.decide();
    assert_eq!(decision["action"], "challenge");
    assert_eq!(decision["reasons"], json!(["subscription_unreadable"]));
    assert_eq!(world.arrived(), []);
}
