//! Claims of before: when they count, when never, and what they cost.

use futures_util::future::join;
use serde_json::{Value, json};

use super::super::*;
use super::world::{BUDGET_MS, Says, World, answer};
use super::{outcomes, pair};
use crate::breaker::Tempo;
use crate::limits::{BREAKER_FAILURES_MAX, ENRICH_KEEP_GRACE_MS, ENRICH_RECALL_MS, ENRICH_TEMPO};

const BUDGET: u64 = BUDGET_MS as u64;
const MAX_AGE_MS: u64 = 3_600_000;

fn wish() -> Value {
    json!({"onUnavailable": "allow", "lastKnownGood": {"maxAgeSeconds": 3_600}})
}

/// A world with a target that has let the user in with a claim, and by now does something else.
fn world(says: Says) -> World {
    let world = World::new();
    world.remember_good(true);
    world.subscribe("t", &wish());
    allow(&world, "t");
    world.script("t", [(5, says)]);
    world
}

fn allow(world: &World, id: &str) {
    world.script(id, [(5, Says::Answer("allow", json!({"tier": id})))]);
    assert_eq!(world.decide()["custom_claims"], json!({"tier": id}));
    world.advance_ms(1_000);
}

fn has_claims(world: &World) -> bool {
    world.decide()["custom_claims"] != json!({})
}

#[test]
fn for_every_way_of_not_answering_the_claims_of_before_count_and_are_dated() {
    for (says, why, elapsed_ms) in [
        (Says::Nothing, "timeout", BUDGET),
        (Says::Late("block"), "timeout", BUDGET),
        (Says::NoWay, "connection", 5),
        (Says::Status(503), "status", 5),
    ] {
        let world = world(says.clone());
        if matches!(says, Says::Late(_)) {
            world.script("t", [(BUDGET, says.clone())]);
        }
        let decision = world.decide();
        assert_eq!(decision["action"], "allow", "{says:?}");
        assert_eq!(decision["custom_claims"], json!({"tier": "t"}));
        assert_eq!(
            (&decision["degraded"], &decision["elapsedMs"]),
            (&json!(true), &json!(elapsed_ms))
        );
        let outcome = format!("last_known_good:{why}");
        assert_eq!(decision["reasons"], json!([outcome]));
        let target = &decision["targets"][0];
        assert_eq!(target["outcome"], outcome);
        assert_eq!(
            (&target["freshness"], &target["asOf"]),
            (&json!("cached"), &json!(super::world::T0.to_rfc3339()))
        );
        assert_eq!(target["policy"], format!("onUnavailable.{why}"));
    }
}

#[test]
fn while_the_breaker_is_open_they_count_at_once() {
    let world = world(Says::Status(500));
    for _ in 0..BREAKER_FAILURES_MAX {
        assert!(has_claims(&world));
    }
    let decision = world.decide();
    assert_eq!(outcomes(&decision), [pair("t", "last_known_good:breaker_open")]);
    assert_eq!((&decision["elapsedMs"], has_claims(&world)), (&json!(0), true));
}

#[test]
fn they_count_only_where_the_policy_lets_the_login_pass() {
    let world = world(Says::Nothing);
    world.unsubscribe_all();
    let policy = json!({"timeout": "challenge", "status": "allow"});
    world.subscribe(
        "t",
        &json!({"onUnavailable": policy, "lastKnownGood": {"maxAgeSeconds": 3_600}}),
    );
    let decision = world.decide();
    assert_eq!(
        (&decision["action"], &decision["custom_claims"]),
        (&json!("challenge"), &json!({}))
    );
    assert_eq!((outcomes(&decision), world.reads()), (vec![pair("t", "timeout")], 0));
    world.script("t", [(BUDGET - 10, Says::Status(500))]);
    assert!(has_claims(&world), "read when it has failed");
}

#[test]
fn without_the_wish_or_the_table_nothing_is_kept_or_used() {
    let world = world(Says::Status(500));
    assert!(has_claims(&world));
    world.unsubscribe_all();
    world.subscribe("t", &json!({"onUnavailable": "allow"}));
    assert!(!has_claims(&world), "no wish");

    let world = self::world(Says::Status(500));
    world.remember_good(false);
    assert_eq!(world.decide()["reasons"], json!(["status"]), "no table");
    allow(&world, "t");
    world.remember_good(true);
    world.advance_ms(MAX_AGE_MS - 1_500);
    world.script("t", [(5, Says::Status(500))]);
    assert!(!has_claims(&world), "the allow in between was not kept, and the one before is old");
}

#[test]
fn never_after_a_block_a_challenge_or_a_spoilt_answer() {
    for refusal in [answer("block"), answer("challenge"), Says::Spoilt, answer("nonsense")] {
        let world = world(refusal.clone());
        world.decide();
        world.script("t", [(5, Says::Status(404))]);
        assert!(!has_claims(&world), "{refusal:?}");
        allow(&world, "t");
        world.script("t", [(5, Says::Status(404))]);
        assert!(has_claims(&world), "allowed since: {refusal:?}");
    }
}

#[test]
fn never_after_another_target_s_refusal_though_it_has_no_wish_of_its_own() {
    let world = world(Says::Status(404));
    world.subscribe("other", &json!({}));
    world.script("other", [(5, answer("challenge"))]);
    let decision = world.decide();
    assert_eq!(decision["action"], "challenge");
    assert_eq!(decision["custom_claims"], json!({}), "a challenge is a refusal");
    world.script("other", [(5, answer("allow"))]);
    world.advance_ms(1_000);
    let decision = world.decide();
    assert_eq!((&decision["action"], &decision["custom_claims"]), (&json!("allow"), &json!({})));
}

#[test]
fn never_after_the_end_of_the_user_s_access() {
    let world = world(Says::Status(404));
    world.revoke_user("u2", world.now());
    assert!(has_claims(&world), "somebody else's");
    world.revoke_user("u1", world.now());
    assert!(!has_claims(&world));
}

#[test]
fn never_older_than_the_subscription_wants() {
    let world = world(Says::Status(404));
    world.advance_ms(MAX_AGE_MS - 1_010);
    assert!(has_claims(&world));
    world.advance_ms(20);
    assert!(!has_claims(&world));
}

#[test]
fn never_of_the_system_that_was_there_before() {
    let world = world(Says::Status(404));
    world.unsubscribe_all();
    let mut moved = wish();
    moved["endpoint"] = json!("https://t.example.com/elsewhere");
    world.subscribe("t", &moved);
    assert!(!has_claims(&world));
}

#[test]
fn a_save_that_lands_late_does_not_outlive_what_came_meanwhile() {
    type Meanwhile = fn(&World);
    let meanwhile: [(Meanwhile, bool); 3] = [
        (|_| {}, true),
        (|world| world.revoke_user("u1", world.now()), false),
        (
            |world| {
                world.script("t", [(5, answer("block"))]);
                world.decide();
            },
            false,
        ),
    ];
    for (happens, counts) in meanwhile {
        let world = World::new();
        world.remember_good(true);
        world.subscribe("t", &wish());
        world.delay_saves();
        allow(&world, "t");
        happens(&world);
        world.land();
        world.script("t", [(5, Says::Status(404))]);
        assert_eq!(has_claims(&world), counts);
    }
}

#[test]
fn never_of_a_login_that_began_before_a_refusal_was_heard() {
    let world = World::new();
    world.remember_good(true);
    world.subscribe("t", &wish());
    let gives = Says::Answer("allow", json!({"tier": "t"}));
    world.script("t", [(1_000, answer("block")), (100, gives.clone()), (5, Says::Status(404))]);
    let quick = async {
        world.wait_ms(500).await;
        world.login(None, None).await
    };
    let (slow, quick) = world.play(join(world.login(None, None), quick));
    assert_eq!((&slow["action"], &quick["action"]), (&json!("block"), &json!("allow")));
    assert!(!has_claims(&world));
    world.script("t", [(100, gives), (5, Says::Status(404))]);
    world.decide();
    assert!(has_claims(&world));
}

#[test]
fn a_degraded_allow_has_claims_only_when_every_silent_target_has_some() {
    let world = world(Says::Status(404));
    world.subscribe("u", &wish());
    world.script("u", [(5, Says::Status(404))]);
    let decision = world.decide();
    assert_eq!(decision["custom_claims"], json!({}));
    assert_eq!(decision["reasons"], json!(["last_known_good:status", "status", "claims_withheld"]));
    world.script("u", [(5, answer("allow"))]);
    assert_eq!(world.decide()["custom_claims"], json!({"tier": "t"}), "the other answers");
    world.script("u", [(5, Says::Status(404))]);
    world.advance_ms(1);
    assert_eq!(world.decide()["custom_claims"], json!({"tier": "t"}), "or has answered");
}

#[test]
fn a_healthy_login_reads_nothing_and_waits_for_nothing() {
    let world = world(Says::Answer("allow", json!({"tier": "new"})));
    world.slow_table(60_000);
    let decision = world.decide();
    assert_eq!((&decision["elapsedMs"], world.reads()), (&json!(5), 0));
    let started_at = world.now();
    world.script("t", [(BUDGET - ENRICH_RECALL_MS + 100, answer("allow"))]);
    assert_eq!(world.decide()["degraded"], false, "a late answer counts, the reading is dropped");
    assert_eq!(world.now().since_ms(started_at), BUDGET - ENRICH_RECALL_MS + 100);
}

#[test]
fn f03_a_table_that_is_slow_or_down_costs_the_claims_and_no_more_than_its_time() {
    for says in [Says::Nothing, Says::Status(404)] {
        let world = world(says.clone());
        world.slow_table(60_000);
        let decision = world.decide();
        assert_eq!(
            (&decision["action"], &decision["custom_claims"]),
            (&json!("allow"), &json!({}))
        );
        let most = if matches!(says, Says::Nothing) { BUDGET } else { 5 + ENRICH_RECALL_MS };
        assert_eq!(decision["elapsedMs"], most, "{says:?}");
        world.slow_table(0);
        world.table_is_down(true);
        assert!(!has_claims(&world));
        world.table_is_down(false);
        assert!(has_claims(&world));
    }
}

#[test]
fn a_refusal_is_marked_before_the_answer_within_the_deadline_and_a_grace() {
    let world = world(answer("block"));
    world.slow_table(100);
    let started_at = world.now();
    world.decide();
    assert_eq!(world.now().since_ms(started_at), 105);
    world.slow_table(60_000);
    let started_at = world.now();
    assert_eq!(world.decide()["action"], "block");
    assert_eq!(world.now().since_ms(started_at), BUDGET);
    world.script("t", [(BUDGET - 1, answer("block"))]);
    let started_at = world.now();
    world.decide();
    assert_eq!(world.now().since_ms(started_at), BUDGET - 1 + ENRICH_KEEP_GRACE_MS);
}

#[test]
fn a_target_that_is_back_is_asked_and_what_it_says_is_remembered_anew() {
    let world = world(Says::Status(500));
    for _ in 0..BREAKER_FAILURES_MAX {
        world.decide();
    }
    let Tempo { open_ms, .. } = ENRICH_TEMPO;
    world.advance_ms(open_ms);
    allow(&world, "t");
    world.script("t", [(5, Says::Answer("allow", json!({"tier": "platinum"})))]);
    assert_eq!(world.decide()["targets"][0]["freshness"], "fresh");
    world.advance_ms(1);
    world.script("t", [(5, Says::Status(404))]);
    assert_eq!(world.decide()["custom_claims"], json!({"tier": "platinum"}));
}
