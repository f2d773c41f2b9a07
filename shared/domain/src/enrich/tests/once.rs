//! Logins that are asked about again: one question to the target, one decision.

use futures_util::future::join;
use serde_json::{Value, json};

use super::super::*;
use super::world::{BUDGET_MS, Says, World, answer};
use super::{outcomes, pair};
use crate::limits::{ENRICH_KEEP_GRACE_MS, ENRICH_REPEAT_MS, ENRICH_TAKE_MS};

const BUDGET: u64 = BUDGET_MS as u64;

fn world(plays: impl IntoIterator<Item = (u64, Says)>) -> World {
    let world = World::new();
    world.subscribe("t", &json!({"onUnavailable": "allow"}));
    world.script("t", plays);
    world
}

fn body() -> Value {
    json!({"clientId": "c1", "sub": "u1", "requestId": "r1", "data": {"ip": "192.0.2.1"}})
}

async fn ask(world: &World) -> Value {
    world.asked(&body(), None).await.unwrap_or_else(|refusal| unreachable!("{refusal:?}"))
}

async fn ask_after(world: &World, ms: u64) -> Value {
    world.wait_ms(ms).await;
    ask(world).await
}

/// The decision without the mark of a repetition, where it has one.
fn content(decision: &Value) -> Value {
    let mut content = decision.clone();
    content.as_object_mut().expect("an object").remove("repeated");
    content
}

#[test]
fn asked_twice_at_once_the_target_is_asked_once_and_both_get_the_same() {
    let world = world([(300, Says::Answer("allow", json!({"tier": "gold"})))]);
    let both = join(ask(&world), ask_after(&world, 100));
    let (first, second) = world.play(both);
    assert_eq!(world.arrived().len(), 1);
    assert_eq!(first["custom_claims"], json!({"tier": "gold"}));
    assert_eq!((first.get("repeated"), &second["repeated"]), (None, &json!(true)));
    assert_eq!(content(&second), first, "with the same ID, and all else");
}

#[test]
fn a_decision_is_answered_again_for_a_while_and_then_made_anew() {
    let world = world([(5, answer("block")), (5, answer("challenge"))]);
    let first = world.play(ask(&world));
    world.advance_ms(ENRICH_REPEAT_MS - 1);
    let again = world.play(ask(&world));
    assert_eq!((content(&again), &again["repeated"]), (first.clone(), &json!(true)));
    world.advance_ms(1);
    let anew = world.play(ask(&world));
    assert_eq!((&anew["action"], anew.get("repeated")), (&json!("challenge"), None));
    assert_ne!(anew["decisionId"], first["decisionId"]);
    assert_eq!(world.arrived().len(), 2);
}

#[test]
fn a_caller_that_names_nothing_and_a_client_that_nobody_asks_about_pay_nothing() {
    let world = world([(5, answer("allow"))]);
    world.decide();
    world.decide();
    assert_eq!((world.arrived().len(), world.takes()), (2, 0));
    let mut elsewhere = body();
    elsewhere["clientId"] = json!("c2");
    world.unsubscribe_all();
    let decision = world.play(world.asked(&elsewhere, None)).expect("decided");
    assert_eq!((&decision["reasons"], world.takes()), (&json!(["no_subscription"]), 0));
}

#[test]
fn another_login_under_the_same_id_is_refused_while_it_is_decided_and_afterwards() {
    let world = world([(300, answer("allow"))]);
    let mut other = body();
    other["data"]["ip"] = json!("192.0.2.2");
    let meanwhile = async {
        world.wait_ms(100).await;
        world.asked(&other, None).await
    };
    let (first, second) = world.play(join(ask(&world), meanwhile));
    assert_eq!(first["action"], "allow");
    assert_eq!(second, Err(Refusal::AnotherLogin));
    assert_eq!(world.play(world.asked(&other, None)), Err(Refusal::AnotherLogin));
    assert_eq!(world.arrived().len(), 1);
    world.advance_ms(ENRICH_REPEAT_MS);
    assert!(world.play(world.asked(&other, None)).is_ok(), "free again");
}

#[test]
fn when_the_owner_has_crashed_one_of_those_who_wait_takes_its_place() {
    let world = world([(0, Says::Nothing), (100, answer("challenge"))]);
    world.owners_crash(true);
    let waiters = async {
        world.wait_ms(BUDGET + 10).await;
        world.owners_crash(false);
    };
    let both = join(ask_after(&world, 1_000), ask_after(&world, 1_200));
    let (_, (waiters, ())) = world.play(join(ask(&world), join(both, waiters)));
    let (second, third) = waiters;
    assert_eq!(outcomes(&second), [pair("t", "challenge")]);
    assert_eq!(content(&second), content(&third));
    let asked_at: Vec<u64> = world.arrived().iter().map(|asked| asked.at_ms).collect();
    assert_eq!(asked_at, [0, BUDGET + ENRICH_KEEP_GRACE_MS], "after the owner's turn, and once");
    assert!(second["elapsedMs"].as_u64() <= Some(BUDGET), "within its own deadline");
}

/// Asks, and is displaced while the target is asked.
fn displaced(decision: Option<&Decision>) -> Value {
    let world = world([(300, answer("allow"))]);
    let displaced = async {
        world.wait_ms(100).await;
        world.displace_owners(decision);
    };
    let (said, ()) = world.play(join(ask(&world), displaced));
    said
}

#[test]
fn an_owner_whose_turn_another_has_taken_gives_no_second_answer() {
    let other = Decision::without_subscriptions("another".to_owned(), 1);
    let said = displaced(Some(&other));
    assert_eq!((&said["decisionId"], &said["repeated"]), (&json!("another"), &json!(true)));
    let said = displaced(None);
    assert_eq!(said["action"], "challenge");
    assert_eq!(said["reasons"], json!(["request_undecided"]));
}

#[test]
fn a_request_that_was_taken_without_our_hearing_of_it_is_decided_for_whoever_asks_again() {
    let world = world([(300, answer("allow"))]);
    world.lose_replies(true);
    let heard_again = async {
        world.wait_ms(100).await;
        world.lose_replies(false);
    };
    let (first, ()) = world.play(join(ask(&world), heard_again));
    let again = world.play(ask(&world));
    assert_eq!((content(&again), &again["repeated"]), (first, &json!(true)));
    assert_eq!(world.arrived().len(), 1);
}

#[test]
fn at_its_own_deadline_whoever_waits_in_vain_comes_to_a_challenge() {
    let world = world([(0, Says::Nothing)]);
    world.owners_crash(true);
    let mut hurried = body();
    hurried["deadline"] = json!(world.now().plus_ms(600).as_ms());
    let both = join(ask(&world), async {
        world.wait_ms(100).await;
        world.asked(&hurried, None).await.unwrap_or_else(|refusal| unreachable!("{refusal:?}"))
    });
    let (owner, waiter) = world.play(both);
    assert_eq!(owner["action"], "allow", "by the policy");
    assert_eq!((&waiter["action"], &waiter["degraded"]), (&json!("challenge"), &json!(true)));
    assert_eq!(waiter["reasons"], json!(["request_undecided"]));
    assert_eq!(waiter["elapsedMs"], 500 + ENRICH_KEEP_GRACE_MS);
    assert_eq!(world.arrived().len(), 1, "it never asks beside the owner");
}

#[test]
fn a_twin_that_came_at_the_same_moment_still_hears_a_decision_made_at_the_deadline() {
    let world = world([(0, Says::Nothing)]);
    world.slow_table(5);
    let (first, second) = world.play(join(ask(&world), ask(&world)));
    assert_eq!(first["reasons"], json!(["timeout"]));
    assert_eq!(content(&second), content(&first));
    assert_eq!(world.arrived().len(), 1);
}

#[test]
fn f03_a_table_that_is_down_or_slow_delays_a_login_a_little_and_decides_nothing() {
    let world = world([(20, answer("allow"))]);
    world.table_is_down(true);
    let decision = world.play(ask(&world));
    assert_eq!((&decision["action"], &decision["elapsedMs"]), (&json!("allow"), &json!(20)));
    world.table_is_down(false);
    world.slow_table(60_000);
    let started_at = world.now();
    let decision = world.play(ask(&world));
    assert_eq!(decision["action"], "allow");
    let waited_ms = ENRICH_TAKE_MS + 20 + ENRICH_KEEP_GRACE_MS;
    assert_eq!(world.now().since_ms(started_at), waited_ms, "it may have heard, and is told");
    assert_eq!(world.arrived().len(), 2);
}

#[test]
fn a_login_without_time_does_not_ask_whose_it_is() {
    let world = world([(20, answer("allow"))]);
    let mut late = body();
    late["deadline"] = json!(world.now().as_ms());
    let decision = world.play(world.asked(&late, None)).expect("decided");
    assert_eq!((&decision["reasons"], world.takes()), (&json!(["timeout"]), 0));
}

#[test]
fn whoever_has_waited_does_not_decide_beside_the_table() {
    let world = world([(0, Says::Nothing)]);
    world.owners_crash(true);
    let trouble = async {
        world.wait_ms(BUDGET).await;
        world.table_is_down(true);
    };
    let (_, (waiter, ())) = world.play(join(ask(&world), join(ask_after(&world, 1_000), trouble)));
    assert_eq!(waiter["reasons"], json!(["request_undecided"]));
    assert_eq!(world.arrived().len(), 1);
}

#[test]
fn a_decision_reads_back_as_itself() {
    let world = world([(5, Says::Status(502)), (5, answer("nonsense"))]);
    world.subscribe("gives", &json!({}));
    let claims = json!({"tier": "gold", "n": [1, true, "x"], "flag": false});
    world.script("gives", [(5, Says::Answer("challenge", claims))]);
    for _ in 0..2 {
        let decision = world.decide();
        let read: Decision = serde_json::from_str(&decision.to_string()).expect("readable");
        assert_eq!(serde_json::to_value(read).expect("JSON"), decision);
    }
}
