//! Claims of before, when a target is down: over real HTTP, with the real tables and queues.
//!
//! A slow machine may find the table too slow, and then there are no claims, which is as it should
//! be. So whoever expects some asks until there are; whoever expects none has seen some before.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::time::Timestamp;
use local::aws::{Fault, Service};
use local::functions::Name;
use serde_json::{Value, json};
use testkit::receiver::Reply;

use crate::login_target::{CLIENT, LoginTarget, SUBSCRIPTION};
use crate::support::{PATIENCE, Stack, arrived, batch};

const USER: &str = "ada";
const HOUR_MS: u64 = 60 * 60 * 1_000;

/// A stack with a target whose claims are remembered for an hour.
struct Story {
    stack: Stack,
    target: LoginTarget,
}

impl Story {
    async fn start() -> Self {
        let stack = Stack::start().await;
        let target = LoginTarget::start(&stack).await;
        let story = Self { stack, target };
        story.subscribe(&[]).await;
        story
    }

    async fn subscribe(&self, attributes: &[(&str, AttributeValue)]) {
        let age_s = AttributeValue::N("3600".to_owned());
        let wish = AttributeValue::M([("maxAgeSeconds".to_owned(), age_s)].into());
        let mut all = vec![("lastKnownGood", wish)];
        all.extend_from_slice(attributes);
        self.stack.put_row(self.target.row(&all)).await;
    }

    async fn login(&self) -> Value {
        let login = json!({"clientId": CLIENT, "sub": USER});
        self.stack.post_json("/v1/enrich/login", &login).await.body
    }

    async fn items(&self) -> Vec<HashMap<String, AttributeValue>> {
        let scan = self.stack.local.clients().dynamodb.scan().table_name("known-good").send().await;
        scan.expect("the table is read").items.unwrap_or_default()
    }

    async fn item(&self, sort_key: &str) -> Option<HashMap<String, AttributeValue>> {
        let items = self.items().await.into_iter();
        items.filter(|item| item["sk"].as_s().is_ok_and(|key| key == sort_key)).last()
    }

    /// The moment of what is remembered.
    async fn remembered_at(&self) -> Option<Timestamp> {
        let item = self.item(&format!("GOOD#{CLIENT}#{SUBSCRIPTION}")).await?;
        Some(Timestamp::from_ms(item["at"].as_n().ok()?.parse().ok()?))
    }

    /// The target lets the user in with these claims, and then is down. Until they are remembered.
    async fn allowed(&self, claims: &Value) {
        let before = self.remembered_at().await;
        self.target.decides([self.target.says("allow", claims), Reply::status(404)]);
        let decision = self.login().await;
        assert_eq!((&decision["action"], &decision["custom_claims"]), (&json!("allow"), claims));
        assert_eq!(decision["targets"][0]["freshness"], "fresh");
        let remembered = async { while self.remembered_at().await <= before {} };
        tokio::time::timeout(PATIENCE, remembered).await.expect("it is remembered");
    }

    /// The decision of a login for which what is remembered counts.
    async fn recalled(&self) -> Value {
        let recalled = async {
            loop {
                let decision = self.login().await;
                if decision["targets"][0]["outcome"] == "last_known_good:status" {
                    return decision;
                }
                assert_eq!(decision["custom_claims"], json!({}));
            }
        };
        tokio::time::timeout(PATIENCE, recalled).await.expect("the table is read in time")
    }

    /// A login passes by the policy, and has no claims.
    async fn passes_without_claims(&self) {
        let decision = self.login().await;
        assert_eq!(decision["action"], "allow");
        assert_eq!(decision["custom_claims"], json!({}));
        assert_eq!(decision["reasons"], json!(["status"]));
    }
}

#[tokio::test]
async fn when_the_target_is_down_a_user_has_the_claims_of_before_dated() {
    let story = Story::start().await;
    let claims = json!({"tier": "gold", "groups": ["a", "b"]});
    story.allowed(&claims).await;
    let at = story.remembered_at().await.expect("remembered").to_rfc3339();
    let decision = story.recalled().await;
    assert_eq!((&decision["action"], &decision["degraded"]), (&json!("allow"), &json!(true)));
    assert_eq!(decision["custom_claims"], claims);
    assert_eq!(decision["reasons"], json!(["last_known_good:status"]));
    let target = &decision["targets"][0];
    assert_eq!((&target["freshness"], &target["asOf"]), (&json!("cached"), &json!(at)));
    assert_eq!(target["policy"], "onUnavailable.status");
    let keys: Vec<_> = story.items().await.iter().map(|item| item["pk"].clone()).collect();
    assert_eq!(keys, [AttributeValue::S(format!("USER#{USER}"))]);
    story.stack.stop().await;
}

#[tokio::test]
async fn after_a_block_or_a_challenge_there_are_no_claims_until_the_next_allow() {
    let story = Story::start().await;
    for action in ["block", "challenge"] {
        story.allowed(&json!({"tier": "gold"})).await;
        story.recalled().await;
        story.target.decides([story.target.says(action, &json!({})), Reply::status(404)]);
        assert_eq!(story.login().await["action"], action);
        assert!(story.item(&format!("REFUSED#{CLIENT}")).await.is_some(), "before the answer");
        story.passes_without_claims().await;
    }
    story.stack.stop().await;
}

#[tokio::test]
async fn when_a_user_s_access_has_ended_there_are_no_claims() {
    let story = Story::start().await;
    let mut news = story.stack.local.target().news();
    for (id, kind) in [("e1", "userRevokedPropertyAccess"), ("e2", "userDeleted")] {
        story.allowed(&json!({"tier": "gold"})).await;
        story.recalled().await;
        let event =
            json!({"id": id, "type": kind, "propertyId": "demo-property", "sub": USER, "data": {}});
        assert_eq!(story.stack.post_json("/v1/events", &event).await.status, 202);
        arrived(&mut news, id).await;
        assert!(story.item("REVOKED").await.is_some(), "before anybody was told");
        story.passes_without_claims().await;
    }
    story.stack.stop().await;
}

#[tokio::test]
async fn claims_that_are_too_old_or_of_another_system_are_not_used() {
    let story = Story::start().await;
    story.allowed(&json!({"tier": "gold"})).await;
    story.recalled().await;
    let at = story.remembered_at().await.expect("remembered");
    let update = story.stack.local.clients().dynamodb.update_item().table_name("known-good");
    update
        .key("pk", AttributeValue::S(format!("USER#{USER}")))
        .key("sk", AttributeValue::S(format!("GOOD#{CLIENT}#{SUBSCRIPTION}")))
        .update_expression("SET #at = :at")
        .expression_attribute_names("#at", "at")
        .expression_attribute_values(":at", AttributeValue::N((at.as_ms() - HOUR_MS).to_string()))
        .send()
        .await
        .expect("the table is written");
    story.passes_without_claims().await;

    story.allowed(&json!({"tier": "gold"})).await;
    story.recalled().await;
    let moved = AttributeValue::S(story.target.receiver.url("/elsewhere"));
    story.target.receiver.script("/elsewhere", [Reply::status(404)]);
    story.subscribe(&[("endpoint", moved)]).await;
    story.passes_without_claims().await;
    story.stack.stop().await;
}

#[tokio::test]
async fn where_the_policy_is_a_challenge_it_is_one() {
    let story = Story::start().await;
    story.allowed(&json!({"tier": "gold"})).await;
    story.recalled().await;
    story.subscribe(&[("onUnavailable", AttributeValue::S("challenge".to_owned()))]).await;
    let decision = story.login().await;
    assert_eq!(
        (&decision["action"], &decision["custom_claims"]),
        (&json!("challenge"), &json!({}))
    );
    assert_eq!(decision["targets"][0]["outcome"], "status");
    story.stack.stop().await;
}

#[tokio::test]
async fn f03_what_cannot_be_marked_is_not_delivered_yet() {
    let story = Story::start().await;
    let mut news = story.stack.local.target().news();
    let operation = "PutItem".to_owned();
    let fault = Fault::OperationDown { service: Service::DynamoDb, operation };
    story.stack.local.aws().faults().set(fault);
    let event = json!({
        "id": "e1", "type": "userDeleted", "source": "next_identity", "occurredAt": 1,
        "acceptedAt": 2, "scope": local::samples::PROPERTY, "propertyId": "demo-property",
        "sub": USER, "data": {},
    });
    let message = [json!({"EventsV1": {"events": [event]}}).to_string()];
    let failed = story.stack.invoke(Name::Delivery, batch("events", &message)).await;
    assert!(failed.is_err(), "the poller is told that it comes back");
    assert!(news.try_recv().is_err(), "nobody was told");
    story.stack.local.aws().faults().clear_all();
    let answer = story.stack.invoke(Name::Delivery, batch("events", &message)).await;
    assert_eq!(answer.expect("an answer"), json!({"batchItemFailures": []}));
    assert_eq!(arrived(&mut news, "e1").await.attempt, "1", "no attempt was charged");
    assert!(story.item("REVOKED").await.is_some());
    story.stack.stop().await;
}
