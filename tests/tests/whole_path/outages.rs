//! Outages of ours: honest answers, nothing lost, nothing charged to a target.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use local::aws::{Fault, Service};
use local::functions::Name;
use local::samples;
use serde_json::{Value, json};
use testkit::receiver::Receiver;

use crate::support::{Log, Stack, arrived, batch, events_message, user_updated};

#[tokio::test]
async fn sqs_down_is_a_503_and_the_same_ids_are_accepted_afterwards() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    stack.local.aws().faults().set(Fault::Down(Service::Sqs));
    let answer = stack.post_json("/v1/events", &user_updated("e1")).await;
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.body["notStored"], json!([{"id": "e1"}]));
    assert_eq!(answer.body["stored"], json!([]));

    stack.local.aws().faults().clear_all();
    let answer = stack.post_json("/v1/events", &user_updated("e1")).await;
    assert_eq!(answer.status, 202);
    arrived(&mut news, "e1").await;
    stack.stop().await;
}

#[tokio::test]
async fn f02_only_what_sqs_confirmed_is_said_to_be_stored() {
    let stack = Stack::start().await;
    stack.local.aws().faults().set(Fault::BatchEntriesRefused(vec![1]));
    // Three scopes make three messages.
    let event = |id: &str, client: &str| json!({"id": id, "type": "newDevice", "clientId": client});
    let events = json!([event("a", "c1"), event("b", "c2"), event("c", "c3"), event("d", "c2")]);
    let answer = stack.post_json("/v1/events", &events).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body["stored"], json!([{"id": "a"}, {"id": "c"}]));
    assert_eq!(answer.body["notStored"], json!([{"id": "b"}, {"id": "d"}]));
    stack.stop().await;
}

#[tokio::test]
async fn dynamodb_down_at_delivery_returns_the_message_and_charges_nothing() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    stack.local.aws().faults().set(Fault::Down(Service::DynamoDb));
    let failed = stack.invoke(Name::Delivery, batch("events", &[events_message("e1")])).await;
    assert!(failed.is_err(), "the poller is told that nothing could be worked");
    assert!(news.try_recv().is_err(), "nothing was posted");

    stack.local.aws().faults().clear_all();
    let answer = stack.invoke(Name::Delivery, batch("events", &[events_message("e1")])).await;
    assert_eq!(answer.expect("an answer"), json!({"batchItemFailures": []}));
    assert_eq!(arrived(&mut news, "e1").await.attempt, "1", "no attempt was charged");
    assert!(stack.ledger().await.is_empty());
    stack.stop().await;
}

#[tokio::test]
async fn a_wake_up_that_got_lost_is_found_by_the_sweeper() {
    let stack = Stack::start().await;
    let flaky = Receiver::start().await;
    flaky.script_statuses("/hook", [500, 200]);
    let endpoint = flaky.url("/hook");
    stack.put_row(samples::row(samples::PROPERTY, "flaky", "user_data_change", &endpoint)).await;
    assert_eq!(stack.post_json("/v1/events", &user_updated("e1")).await.status, 202);
    let item = stack.pending_after_attempt(1).await;
    let swept = stack.invoke(Name::Sweeper, json!({})).await.expect("an answer");
    assert_eq!(swept["due"], 0, "the wake-up is under way");

    stack.turn_the_clock(item["pk"].as_s().expect("an ID")).await;
    let swept = stack.invoke(Name::Sweeper, json!({})).await.expect("an answer");
    assert_eq!((&swept["due"], &swept["woken"]), (&json!(1), &json!(1)), "{swept}");
    assert_eq!(swept["isComplete"], true);
    // The queue, its poller and the delivery function do the rest.
    assert_eq!(flaky.wait_for(2).await[1].header("webhook-attempt"), Some("2"));
    stack.ledger_is_empty().await;
    stack.stop().await;
}

#[tokio::test]
async fn a_target_that_answers_410_is_a_dead_letter_and_its_subscription_is_disabled() {
    let log = Log::record();
    let stack = Stack::start().await;
    let gone = Receiver::start().await;
    gone.script_statuses("/hook", [410]);
    let endpoint = gone.url("/hook");
    stack.put_row(samples::row(samples::PROPERTY, "gone", "user_data_change", &endpoint)).await;
    let mut news = stack.local.target().news();
    for event in ["e1", "e2"] {
        assert_eq!(stack.post_json("/v1/events", &user_updated(event)).await.status, 202);
        arrived(&mut news, event).await;
        stack.dead_letter("http_410").await;
    }
    assert_eq!(gone.requests().len(), 1, "it gets nothing more");
    let text = log.text();
    let mut lines = text.lines().filter(|line| line.contains("a subscription is disabled"));
    let line = lines.next().expect("not in silence");
    assert!(line.contains("gone"), "{line}");
    assert_eq!(lines.next(), None, "once");
    stack.stop().await;
}

#[tokio::test]
async fn a_sweep_without_its_table_fails_and_says_so() {
    let stack = Stack::start().await;
    stack.local.aws().faults().set(Fault::Down(Service::DynamoDb));
    let failed = stack.invoke(Name::Sweeper, json!({})).await;
    let said = failed.map_err(|error| error.to_string()).expect_err("a failure");
    assert!(said.contains("the deliveries table could not be read or written"), "{said}");
    stack.stop().await;
}

#[tokio::test]
async fn dynamodb_down_at_a_login_is_a_challenge_that_says_why() {
    let stack = Stack::start().await;
    stack.local.aws().faults().set(Fault::Down(Service::DynamoDb));
    let login: Value = serde_json::from_str(samples::LOGINS[0].body).expect("a sample");
    let answer = stack.post_json("/v1/enrich/login", &login).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["action"], "challenge");
    assert_eq!(answer.body["degraded"], true);
    assert_eq!(answer.body["reasons"], json!(["subscriptions_unavailable"]));
    stack.stop().await;
}

#[tokio::test]
async fn without_a_signing_key_a_login_is_a_challenge_and_a_delivery_comes_back() {
    let stack = Stack::start().await;
    stack.local.aws().faults().set(Fault::Down(Service::SecretsManager));
    let login: Value = serde_json::from_str(samples::LOGINS[0].body).expect("a sample");
    let answer = stack.post_json("/v1/enrich/login", &login).await;
    assert_eq!(answer.body["action"], "challenge");
    assert_eq!(answer.body["reasons"], json!(["signing_key_unavailable"]));
    assert!(stack.invoke(Name::Delivery, batch("events", &[events_message("e1")])).await.is_err());
    assert!(stack.ledger().await.is_empty(), "no attempt was charged");
    assert_eq!(stack.get("/.well-known/jwks.json").await.status, 503);
    stack.stop().await;
}

#[tokio::test]
async fn an_enrich_row_with_a_typo_does_not_let_logins_through() {
    let stack = Stack::start().await;
    let mut row = samples::row("CLIENT#careful", "typo", "Enrich", "https://t.example/");
    row.insert("description".to_owned(), AttributeValue::S("means well".to_owned()));
    stack.put_row(row).await;
    let login = json!({"clientId": "careful", "sub": "u1"});
    let answer = stack.post_json("/v1/enrich/login", &login).await;
    assert_eq!(answer.body["action"], "challenge");
    assert_eq!(answer.body["reasons"], json!(["subscription_unreadable"]));
    stack.stop().await;
}

#[tokio::test]
async fn a_row_that_does_not_parse_is_skipped_and_its_neighbours_are_served() {
    let log = Log::record();
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    for (id, missing) in
        [("no-endpoint", "endpoint"), ("no-category", "category"), ("not-enabled", "enabled")]
    {
        let mut row = samples::row(samples::PROPERTY, id, "user_data_change", "https://t.example/");
        row.remove(missing);
        row.insert("description".to_owned(), AttributeValue::S("canary-4711".to_owned()));
        stack.put_row(row).await;
    }
    let mut binary =
        samples::row(samples::PROPERTY, "binary", "user_data_change", "https://t.example/");
    binary.insert("encryptionJwk".to_owned(), AttributeValue::B(Blob::new("key")));
    stack.put_row(binary).await;
    assert_eq!(stack.post_json("/v1/events", &user_updated("e1")).await.status, 202);
    assert_eq!(arrived(&mut news, "e1").await.path, "/hooks/users");
    // Ours alone: other crates' lines are not let through by a deployed function.
    let log = log.text();
    let ours = |line: &&str| line.contains(" adapters::") || line.contains(" delivery:");
    let log: Vec<&str> = log.lines().filter(ours).collect();
    let log = log.join("\n");
    for (id, attribute) in [
        ("no-endpoint", "attribute endpoint: expected a string"),
        ("no-category", "attribute category: expected"),
        ("not-enabled", "attribute enabled: expected a boolean"),
        ("binary", "attribute encryptionJwk: expected a map: a public JWK"),
    ] {
        let line = log.lines().find(|line| line.contains(&format!("SUBSCRIPTION#{id}")));
        assert!(line.is_some_and(|line| line.contains(attribute)), "{id}: {log}");
    }
    assert!(!log.contains("canary-4711"), "no value of a row is logged");
    stack.stop().await;
}

#[tokio::test]
async fn a54_an_unreadable_record_is_set_aside_with_its_reason_and_its_neighbour_is_delivered() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    let sqs = &stack.local.clients().sqs;
    let queue_url = stack.local.aws().account().queue_url("events");
    sqs.send_message().queue_url(queue_url).message_body("no message").send().await.expect("sent");
    assert_eq!(stack.post_json("/v1/events", &user_updated("e1")).await.status, 202);
    arrived(&mut news, "e1").await;

    let aside = loop {
        if let Some(message) = stack.receive("events-dead-letter").await {
            break message;
        }
    };
    assert_eq!(aside.body(), Some("no message"));
    let reason = aside.message_attributes().and_then(|all| all.get("reason"));
    assert_eq!(reason.and_then(|reason| reason.string_value()), Some("not_a_message"));
    stack.stop().await;
}
