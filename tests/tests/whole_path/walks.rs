//! The two walks of ARCHITECTURE.md, step by step.

use local::aws::{Fault, Service};
use local::samples;
use serde_json::{Value, json};

use testkit::receiver::Receiver;

use crate::support::{Stack, arrived, user_updated};

#[tokio::test]
async fn the_walk_of_one_event() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();

    // 1. A source posts an event; 202 means that SQS has confirmed it.
    let event: Value = serde_json::from_str(samples::EVENTS[9].body).expect("a sample");
    assert_eq!(event["type"], "account/v1/userUpdated");
    let answer = stack.post_json("/v1/events", &event).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.body, json!({"accepted": [{"id": "sample-userUpdated"}]}));

    // 2. to 5. The message is read, the subscription found, the notification signed and posted; the
    // target verifies it through the published key set.
    let received = arrived(&mut news, "sample-userUpdated").await;
    assert_eq!(received.path, "/hooks/users");
    assert_eq!(received.event_type.as_deref(), Some("account/v1/userUpdated"));
    assert_eq!(received.attempt, "1");
    assert!(received.delivery_id.starts_with("dlv_"), "{}", received.delivery_id);
    let payload = received.payload.expect("verified");
    let said = &payload["events"]["account/v1/userUpdated"];
    assert_eq!(payload["aud"], json!([format!("{}/hooks/users", stack.local.target_url())]));
    assert_eq!(payload["toe"], 1_795_428_000);
    assert_eq!(said["sub"], event["sub"]);
    assert_eq!(said["dataSourceInfo"], event["data"]["dataSourceInfo"]);
    let mut members: Vec<_> = payload.as_object().expect("an object").keys().collect();
    members.sort();
    assert_eq!(members, ["aud", "events", "iat", "iss", "jti", "toe"], "no exp, no top-level sub");

    // A delivery that succeeds at once never touches the ledger.
    assert!(stack.ledger().await.is_empty());

    // A second target answers 500 twice, and then 200.
    let flaky = Receiver::start().await;
    flaky.script_statuses("/hook", [500, 500, 200]);
    let endpoint = flaky.url("/hook");
    stack.put_row(samples::row(samples::PROPERTY, "flaky", "user_data_change", &endpoint)).await;
    assert_eq!(stack.post_json("/v1/events", &user_updated("e2")).await.status, 202);
    arrived(&mut news, "e2").await;

    // 6. The failure is in the ledger, with the event and the time of the next attempt.
    let item = stack.pending_after_attempt(1).await;
    assert_eq!(item["subscriptionId"].as_s().map(String::as_str), Ok("flaky"));
    assert_eq!(item["lastOutcome"].as_s().map(String::as_str), Ok("http_500"));
    let delivery_id = item["pk"].as_s().expect("an ID").clone();

    // 7. A wake-up before its time does nothing; in its time it claims the item and tries again.
    stack.wake(&delivery_id, 1).await;
    assert_eq!(flaky.requests().len(), 1, "not due");
    stack.turn_the_clock(&delivery_id).await;
    stack.wake(&delivery_id, 1).await;
    stack.pending_after_attempt(2).await;
    stack.turn_the_clock(&delivery_id).await;
    stack.wake(&delivery_id, 1).await;
    assert_eq!(flaky.requests().len(), 2, "a stale twin goes away");
    stack.wake(&delivery_id, 2).await;
    assert!(stack.ledger().await.is_empty(), "delivered: the item is gone");

    let requests = flaky.requests();
    let header = |name: &str| -> Vec<String> {
        requests.iter().map(|request| request.header(name).unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(header("webhook-attempt"), ["1", "2", "3"]);
    assert_eq!(header("webhook-id"), [&*delivery_id, &*delivery_id, &*delivery_id]);
    assert!(news.try_recv().is_err(), "the neighbour got the event once");
    stack.stop().await;
}

#[tokio::test]
async fn the_walk_of_one_login() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    for sample in &samples::LOGINS {
        // 1. A login journey asks.
        let login: Value = serde_json::from_str(sample.body).expect("a sample");
        let answer = stack.post_json("/v1/enrich/login", &login).await;

        // 2. to 5. Nobody has the request yet; the target got the signed login event and answered with
        // a signed JWT.
        let request_id = login["requestId"].as_str().expect("an ID");
        let asked = arrived(&mut news, request_id).await;
        assert_eq!(asked.event_type.as_deref(), Some("account/v1/login"));

        // 6. The strictest proven answer is the decision, and it says who said what.
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body["action"], sample.name);
        assert_eq!(answer.body["degraded"], false);
        assert_eq!(answer.body["targets"][0]["subscriptionId"], "logins");
        assert_eq!(answer.body["targets"][0]["outcome"], sample.name);
        let claims = match sample.name {
            "allow" => json!({"tier": "gold", "beta": true}),
            _ => json!({}),
        };
        assert_eq!(answer.body["custom_claims"], claims);
    }
    stack.stop().await;
}

#[tokio::test]
async fn a_login_is_decided_while_sqs_is_down_because_nothing_is_enqueued() {
    let stack = Stack::start().await;
    stack.local.aws().faults().set(Fault::Down(Service::Sqs));
    let login: Value = serde_json::from_str(samples::LOGINS[0].body).expect("a sample");
    let answer = stack.post_json("/v1/enrich/login", &login).await;
    assert_eq!(answer.body["action"], "allow");
    stack.stop().await;
}

#[tokio::test]
async fn every_event_type_is_delivered_and_verified_from_one_request() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    let events: Vec<Value> = samples::EVENTS
        .iter()
        .map(|sample| serde_json::from_str(sample.body).expect("a sample"))
        .collect();
    let answer = stack.post_json("/v1/events", &json!(events)).await;
    assert_eq!(answer.status, 202);
    let mut missing: Vec<String> =
        samples::EVENTS.iter().map(|sample| format!("account/v1/{}", sample.name)).collect();
    while !missing.is_empty() {
        let received = tokio::time::timeout(crate::support::PATIENCE, news.recv()).await;
        let received = received.expect("all arrive").expect("the target lives");
        assert_eq!(received.refused, None);
        missing.retain(|name| Some(name) != received.event_type.as_ref());
    }
    stack.stop().await;
}
