//! The round trip of `workflows doctor` over real HTTP, with the deployed functions: what a healthy one
//! leaves behind, and what comes of somebody else's subscription that leads to the built-in target.

use std::collections::HashMap;

use adapters::item::from_json;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::doctor::round_trip::Trip;
use domain::event_type::EventTypeNames;
use domain::jose::Algorithm;
use local::samples;

use crate::support::{Log, PATIENCE, Stack, user_updated};

type Item = HashMap<String, AttributeValue>;

fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn target(stack: &Stack) -> String {
    format!("{}/v1/doctor", stack.local.api_url())
}

async fn row(stack: &Stack, scope: &str, id: &str) -> Item {
    let get = stack.local.clients().dynamodb.get_item().table_name("subscriptions");
    let get = get.key("pk", s(scope)).key("sk", s(format!("SUBSCRIPTION#{id}")));
    get.consistent_read(true).send().await.expect("a row is read").item.expect("a row")
}

/// The lines of the log that name this.
fn lines(log: &Log, name: &str) -> Vec<String> {
    log.text().lines().filter(|line| line.contains(name)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_healthy_round_trip_makes_no_dead_letter_disables_nothing_and_alarms_nobody() {
    let log = Log::record();
    let stack = Stack::start().await;
    for (dice, algorithm) in [(1, Algorithm::EdDsa), (2, Algorithm::Es256)] {
        let trip = Trip::new([dice; 10], target(&stack), algorithm).expect("a name");
        let scope = trip.scope.key();
        let written = trip.row();
        stack.put_row(written.iter().map(|(name, value)| (name.clone(), from_json(value)))).await;
        let event = trip.event(&EventTypeNames::default());
        assert_eq!(stack.post_json("/v1/events", &event).await.status, 202);
        let marked = async {
            loop {
                let row = row(&stack, &scope, trip.subscription_id.as_str()).await;
                if row.contains_key("verifiedEndpoint") {
                    return row;
                }
            }
        };
        let row = tokio::time::timeout(PATIENCE, marked).await.expect("the endpoint echoes");
        assert_eq!(row["verifiedEndpoint"], s(target(&stack)));
        let mut names: Vec<&str> = row.keys().map(String::as_str).collect();
        names.retain(|name| !written.contains_key(*name));
        names.sort_unstable();
        assert_eq!(names, ["verifiedAt", "verifiedEndpoint"]);
        assert_eq!(row["enabled"], AttributeValue::Bool(true));
        // A failure would have been written before the mark; and there is no breaker either.
        let scan = stack.local.clients().dynamodb.scan().table_name("deliveries").send().await;
        assert_eq!(scan.expect("the ledger is read").items.unwrap_or_default(), []);
        let told = async {
            loop {
                let told = lines(log, trip.subscription_id.as_str());
                if told.iter().any(|line| line.contains("an attempt was made")) {
                    return told;
                }
                tokio::task::yield_now().await;
            }
        };
        let told = tokio::time::timeout(PATIENCE, told).await.expect("delivery logs the attempt");
        assert!(told.iter().any(|line| line.contains("an endpoint is verified")));
        assert!(told.iter().any(|line| line.contains("http_202")));
        for line in told {
            assert!(!line.contains(" WARN ") && !line.contains(" ERROR "), "{line}");
        }
    }
    stack.stop().await;
}

#[tokio::test]
async fn somebody_else_s_subscription_to_the_built_in_target_is_not_verified_and_gets_nothing() {
    let log = Log::record();
    let stack = Stack::start().await;
    let mut asked = samples::row(samples::PROPERTY, "astray", "user_data_change", &target(&stack));
    asked.insert("verification".to_owned(), s("required"));
    stack.put_row(asked).await;
    assert_eq!(stack.post_json("/v1/events", &user_updated("e1")).await.status, 202);
    let item = stack.pending_after_attempt(1).await;
    assert_eq!(item["lastOutcome"], s("http_400"));
    let row = row(&stack, samples::PROPERTY, "astray").await;
    assert!(!row.contains_key("verifiedEndpoint"), "{:?}", row.keys());
    let is_it = |line: &&String| line.contains("has not shown that it wants notifications");
    let wait = async { while lines(log, "astray").iter().find(is_it).is_none() {} };
    tokio::time::timeout(PATIENCE, wait).await.expect("it was sent a challenge, and no event");
    assert!(lines(log, "the built-in target").iter().any(|line| line.contains("no_round_trip")));

    // Nobody asks this one, and its event is not taken for delivered.
    let mut unasked =
        samples::row(samples::PROPERTY, "astray", "user_data_change", &target(&stack));
    unasked.insert("verification".to_owned(), s("none"));
    stack.put_row(unasked).await;
    assert_eq!(stack.post_json("/v1/events", &user_updated("e2")).await.status, 202);
    let wait = async { while stack.ledger().await.len() < 2 {} };
    tokio::time::timeout(PATIENCE, wait).await.expect("it is in the ledger");
    assert!(stack.ledger().await.iter().all(|item| item["lastOutcome"] == s("http_400")));
    stack.stop().await;
}
