//! Whole decisions against targets that answer by script: deadlines, the race, policies.

mod breaker;
mod endpoint;
mod last_known_good;
mod once;
mod properties;
mod retry;
mod sealing;
mod world;

use serde_json::json;
use world::{BUDGET_MS, Says, T0, World, answer};

use super::*;

/// Outcomes by subscription, in the order of their priorities.
fn outcomes(decision: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let targets = decision["targets"].as_array().expect("a list");
    targets
        .iter()
        .map(|target| (text(&target["subscriptionId"]), text(&target["outcome"])))
        .collect()
}

fn pair(id: &str, outcome: &str) -> (String, String) {
    (id.to_owned(), outcome.to_owned())
}

#[test]
fn a80_a_deadline_in_the_past_is_the_policy_at_once_and_the_year_9999_is_the_budget() {
    let world = World::new();
    world.subscribe("risk", &json!({"onUnavailable": {"timeout": "block"}}));
    world.script("risk", [(10, answer("allow"))]);
    for past in [T0.minus_ms(60_000), T0, Timestamp::from_ms(0)] {
        let decision = world.decide_with(Some(past), None);
        assert_eq!((&decision["action"], &decision["elapsedMs"]), (&json!("block"), &json!(0)));
        assert_eq!(decision["reasons"], json!(["timeout"]));
        assert_eq!(decision["targets"][0]["asked"], 0);
    }
    assert_eq!(world.arrived(), [], "nobody was asked");

    for far in [Timestamp::LAST, Timestamp::from_ms(u64::MAX)] {
        let started_at = world.now();
        assert_eq!(world.decide_with(Some(far), None)["action"], "allow");
        let asked = world.arrived().pop().expect("asked");
        assert_eq!(asked.deadline, Deadline::at(started_at.plus_ms(BUDGET_MS.into())));
    }
}

#[test]
fn the_deadline_is_the_earliest_of_caller_subscription_and_lambda() {
    let world = World::new();
    world.subscribe("own", &json!({"timeoutMs": 700}));
    world.script("own", [(0, answer("allow"))]);
    for (caller, lambda, allowed_ms) in [
        (None, None, 700),
        (Some(600), None, 600),
        (Some(600), Some(650), 550),
        (None, Some(9_000), 700),
    ] {
        let at = |ms: Option<u64>| ms.map(|ms| T0.plus_ms(ms));
        assert_eq!(world.decide_with(at(caller), at(lambda))["action"], "allow");
        let asked = world.arrived().pop().expect("asked");
        assert_eq!(asked.deadline, Deadline::at(T0.plus_ms(allowed_ms)), "{caller:?} {lambda:?}");
    }
}

#[test]
fn what_is_complete_after_the_deadline_was_not_said_whatever_it_was() {
    let world = World::new();
    world.subscribe("late", &json!({"onUnavailable": {"timeout": "challenge"}}));
    for says in ["allow", "block", "nonsense"] {
        world.script("late", [(u64::from(BUDGET_MS), Says::Late(says))]);
        let decision = world.decide();
        assert_eq!(decision["action"], "challenge", "{says}");
        assert_eq!(outcomes(&decision), [pair("late", "timeout")], "{says}");
        assert_eq!(decision["custom_claims"], json!({}));
    }
}

#[test]
fn the_look_up_of_subscriptions_counts() {
    let world = World::new();
    world.subscribe("quick", &json!({"timeoutMs": 200}));
    world.script("quick", [(0, answer("allow"))]);
    world.slow_look_up(200);
    assert_eq!(world.decide()["reasons"], json!(["timeout"]));
    assert_eq!(world.arrived(), [], "no time was left to ask");
    world.slow_look_up(u64::from(BUDGET_MS) + 1);
    let decision = world.decide();
    assert_eq!(decision["reasons"], json!(["subscriptions_unavailable"]));
    assert_eq!((&decision["action"], &decision["elapsedMs"]), (&json!("challenge"), &json!(1_500)));
}

#[test]
fn a_block_is_final_and_the_others_are_abandoned() {
    let world = World::new();
    for id in ["slow", "fast", "middle"] {
        world.subscribe(id, &json!({}));
    }
    world.script("slow", [(900, answer("allow"))]);
    world.script("middle", [(20, answer("challenge"))]);
    world.script("fast", [(50, answer("block"))]);
    let decision = world.decide();
    assert_eq!((&decision["action"], &decision["elapsedMs"]), (&json!("block"), &json!(50)));
    assert_eq!(decision["degraded"], false);
    let heard = [pair("fast", "block"), pair("middle", "challenge"), pair("slow", "abandoned")];
    assert_eq!(outcomes(&decision), heard);
    let slow = &decision["targets"][2];
    assert_eq!((&slow["asked"], &slow["elapsedMs"]), (&json!(1), &json!(50)));
    assert_eq!((slow.get("action"), slow.get("source")), (None, None), "it does not count");
    assert_eq!(decision["explanation"], "block: the target of fast answered block");
}

#[test]
fn a_spoilt_answer_and_a_policy_that_blocks_end_the_race_too() {
    let world = World::new();
    world.subscribe("slow", &json!({}));
    world.script("slow", [(900, answer("allow"))]);
    world.subscribe("bad", &json!({"onUnavailable": "block"}));
    for (says, outcome) in
        [(Says::Spoilt, "response_invalid:signature"), (Says::Status(404), "status")]
    {
        world.script("bad", [(5, says)]);
        let decision = world.decide();
        assert_eq!((&decision["action"], &decision["elapsedMs"]), (&json!("block"), &json!(5)));
        assert_eq!(outcomes(&decision), [pair("bad", outcome), pair("slow", "abandoned")]);
    }
}

#[test]
fn a_challenge_waits_for_a_block_that_may_come() {
    let world = World::new();
    for id in ["first", "last"] {
        world.subscribe(id, &json!({}));
    }
    world.script("first", [(5, answer("challenge"))]);
    world.script("last", [(800, answer("block"))]);
    let decision = world.decide();
    assert_eq!((&decision["action"], &decision["elapsedMs"]), (&json!("block"), &json!(800)));
}

#[test]
fn a_slow_target_costs_nobody_else_s_time() {
    let world = World::new();
    world.subscribe("hangs", &json!({"timeoutMs": 400, "onUnavailable": "allow"}));
    world.subscribe("steady", &json!({}));
    world.script("hangs", [(0, Says::Nothing)]);
    world.script("steady", [(1_400, answer("challenge"))]);
    let decision = world.decide();
    assert_eq!((&decision["action"], &decision["elapsedMs"]), (&json!("challenge"), &json!(1_400)));
    assert_eq!(outcomes(&decision), [pair("hangs", "timeout"), pair("steady", "challenge")]);
    assert_eq!(decision["targets"][0]["elapsedMs"], 400);
    let at_once: Vec<_> = world.arrived().iter().map(|asked| asked.at_ms).collect();
    assert_eq!(at_once, [0, 0]);
}

#[test]
fn each_reason_has_its_policy_and_each_policy_is_heeded() {
    let reasons = [
        ("timeout", Says::Nothing),
        ("connection", Says::NoWay),
        ("connection", Says::Broken),
        ("status", Says::Status(503)),
        ("status", Says::Status(204)),
        ("key_set", answer("allow")),
    ];
    for (reason, says) in reasons {
        for action in ["allow", "block", "challenge"] {
            let others = if action == "block" { "allow" } else { "block" };
            let mut policy = json!({
                "timeout": others, "connection": others, "status": others,
                "breaker_open": others, "key_set": others,
            });
            policy[reason] = json!(action);
            let world = World::new();
            let patch = json!({"onUnavailable": policy});
            match reason {
                "key_set" => world.subscribe_without_keys("t", &patch),
                _ => world.subscribe("t", &patch),
            }
            world.script("t", [(1, says.clone())]);
            let decision = world.decide();
            assert_eq!(decision["action"], action, "{reason}");
            assert_eq!(decision["degraded"], true);
            assert_eq!(decision["reasons"], json!([reason]));
            let target = &decision["targets"][0];
            assert_eq!(target["action"], action);
            assert_eq!(target["source"], "policy");
            assert_eq!(target["policy"], format!("onUnavailable.{reason}"));
        }
    }
}

#[test]
fn i9_an_answer_that_does_not_verify_is_a_block_under_every_policy() {
    let world = World::new();
    world.subscribe("t", &json!({"onUnavailable": "allow"}));
    world.script("t", [(1, Says::Spoilt)]);
    let decision = world.decide();
    assert_eq!(decision["action"], "block");
    assert_eq!(decision["targets"][0]["source"], "verification");
    assert_eq!(
        decision["explanation"],
        "block: the answer of t's target does not verify (signature), which is a block"
    );
}

#[test]
fn a_degraded_allow_carries_no_claims_and_says_so() {
    let world = World::new();
    world.subscribe("gives", &json!({}));
    world.subscribe("hangs", &json!({"timeoutMs": 300, "onUnavailable": "allow"}));
    world.script("gives", [(1, Says::Answer("allow", json!({"tier": "gold"})))]);
    world.script("hangs", [(0, Says::Nothing)]);
    let decision = world.decide();
    assert_eq!((&decision["action"], &decision["degraded"]), (&json!("allow"), &json!(true)));
    assert_eq!(decision["custom_claims"], json!({}));
    assert_eq!(decision["reasons"], json!(["timeout", "claims_withheld"]));
}

#[test]
fn without_a_signing_key_nobody_is_asked_and_it_is_a_challenge() {
    let world = World::new();
    world.subscribe("t", &json!({"onUnavailable": "allow"}));
    world.lose_signing_key();
    let decision = world.decide();
    assert_eq!(decision["action"], "challenge");
    assert_eq!(decision["targets"][0]["source"], "fallback");
    assert_eq!(world.arrived(), []);
}

#[test]
fn the_receipt_says_who_said_what_when_and_why_it_counts() {
    let world = World::new();
    world.subscribe("risk", &json!({"priority": 2}));
    world.subscribe("tiers", &json!({"priority": 1, "onUnavailable": {"status": "challenge"}}));
    world.script("risk", [(30, answer("allow"))]);
    world.script("tiers", [(20, Says::Status(502))]);
    let mut decision = world.decide();
    let id = decision["decisionId"].take();
    assert_eq!(id.as_str().map(str::len), Some(36));
    let receipt = json!({
        "action": "challenge",
        "custom_claims": {},
        "decisionId": null,
        "degraded": true,
        "reasons": ["status"],
        "explanation": "challenge: the target of tiers answered with the status 502, for which its \
                        onUnavailable.status says challenge",
        "targets": [
            {
                "subscriptionId": "tiers", "outcome": "status", "action": "challenge",
                "source": "policy", "policy": "onUnavailable.status", "httpStatus": 502,
                "asked": 1, "elapsedMs": 20,
            },
            {
                "subscriptionId": "risk", "outcome": "allow", "action": "allow",
                "source": "target", "freshness": "fresh", "asked": 1, "elapsedMs": 30,
            },
        ],
        "elapsedMs": 30,
    });
    assert_eq!(decision, receipt);
}
