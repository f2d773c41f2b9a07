//! Many targets of one login.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use testkit::raw_receiver::{Act, RawReceiver};

use super::{Logins, outcomes, text};

#[tokio::test]
async fn a_block_does_not_wait_for_a_target_that_hangs() {
    let logins = Logins::start().await;
    let slow = RawReceiver::start([Act::StaySilent]).await;
    let fast = RawReceiver::start([logins.say("block")]).await;
    // Five seconds, of which none must pass.
    let patient = [("timeoutMs", AttributeValue::N("5000".to_owned()))];
    logins.subscribe("slow", &slow.url("/"), &patient).await;
    logins.subscribe("fast", &fast.url("/"), &patient).await;
    let decision = logins.decide().await;
    assert_eq!(decision["action"], "block");
    assert_eq!(outcomes(&decision), [("fast", "block"), ("slow", "abandoned")]);
    assert_eq!(decision["explanation"], "block: the target of fast answered block");
    let elapsed_ms = decision["elapsedMs"].as_u64().expect("a number");
    assert!(elapsed_ms < 2_500, "{elapsed_ms} ms");
    logins.stop().await;
}

#[tokio::test]
async fn a_target_that_hangs_costs_its_own_time_and_the_others_are_heard() {
    let logins = Logins::start().await;
    let slow = RawReceiver::start([Act::StaySilent]).await;
    let fast = RawReceiver::start([logins.say("challenge")]).await;
    let hurried =
        [("timeoutMs", AttributeValue::N("300".to_owned())), ("onUnavailable", text("allow"))];
    logins.subscribe("slow", &slow.url("/"), &hurried).await;
    logins.subscribe("fast", &fast.url("/"), &[]).await;
    let decision = logins.decide().await;
    assert_eq!(decision["action"], "challenge");
    assert_eq!(outcomes(&decision), [("fast", "challenge"), ("slow", "timeout")]);
    let elapsed_ms = decision["targets"][1]["elapsedMs"].as_u64().expect("a number");
    assert!(elapsed_ms < 1_400, "{elapsed_ms} ms of the others' time");
    assert_eq!(decision["targets"][1]["policy"], "onUnavailable.timeout");
    logins.stop().await;
}

#[tokio::test]
async fn a_deadline_of_the_caller_s_in_the_past_asks_nobody() {
    let logins = Logins::start().await;
    let target = RawReceiver::start([logins.say("allow")]).await;
    logins.subscribe("t", &target.url("/"), &[("onUnavailable", text("block"))]).await;
    let login = json!({"clientId": "c", "sub": "u1", "deadline": 1});
    let invoked = logins.local.functions().invoke(local::functions::Name::Enrich, login).await;
    let decision = invoked.expect("a decision");
    // The policy, or our own challenge when the table took longer than the look-up's grace.
    assert_ne!(decision["action"], "allow");
    assert_eq!((&decision["degraded"], &decision["custom_claims"]), (&json!(true), &json!({})));
    assert!(target.heard().is_empty());
    logins.stop().await;
}
