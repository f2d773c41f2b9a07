//! Events that are posted again, over real HTTP and the real table.
//!
//! SQS is switched off where nothing may be sent: whatever tries is then answered 503. A slow
//! machine may find the table too slow, which is nothing but a reason to post again.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use local::aws::{Fault, Service};
use serde_json::{Value, json};

use crate::support::{Answer, PATIENCE, Stack, arrived, user_updated};

/// As [`user_updated`], and says something else.
fn changed(id: &str) -> Value {
    let mut event = user_updated(id);
    event["data"] = json!({"colour": "blue"});
    event
}

impl Stack {
    fn sqs_is_down(&self) {
        self.local.aws().faults().set(Fault::Down(Service::Sqs));
    }

    fn dynamodb_is_down_for(&self, operation: &str) {
        let operation = operation.to_owned();
        let service = Service::DynamoDb;
        self.local.aws().faults().set(Fault::OperationDown { service, operation });
    }

    async fn status_of(&self, event: &Value) -> u16 {
        self.post_json("/v1/events", event).await.status
    }

    /// Posts an event until it is noted in this state; the last answer.
    async fn noted(&self, event: &Value, state: &str) -> Answer {
        let state = AttributeValue::S(state.to_owned());
        let noted = async {
            loop {
                let answer = self.post_json("/v1/events", event).await;
                if self.ingested().await.is_some_and(|item| item["state"] == state) {
                    return answer;
                }
            }
        };
        tokio::time::timeout(PATIENCE, noted).await.expect("it is noted")
    }

    /// Posts while SQS is down, until something else is answered than that it is.
    async fn recognised(&self, events: &Value) -> Answer {
        self.sqs_is_down();
        let recognised = async {
            loop {
                let answer = self.post_json("/v1/events", events).await;
                if answer.status != 503 {
                    return answer;
                }
            }
        };
        tokio::time::timeout(PATIENCE, recognised).await.expect("it is recognised")
    }

    /// The only item of the table.
    async fn ingested(&self) -> Option<HashMap<String, AttributeValue>> {
        let scan = self.local.clients().dynamodb.scan().table_name("ingested").send().await;
        let mut items = scan.expect("the table is read").items.unwrap_or_default();
        assert!(items.len() <= 1);
        items.pop()
    }
}

#[tokio::test]
async fn a33_a_repetition_is_accepted_and_another_body_is_a_409() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    let first = stack.noted(&user_updated("e1"), "sent").await;
    arrived(&mut news, "e1").await;
    let key = AttributeValue::S("PROPERTY#demo-property#e1".to_owned());
    assert_eq!(stack.ingested().await.expect("an item")["pk"], key);

    let again = stack.recognised(&user_updated("e1")).await;
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(again.body, json!({"accepted": [{"id": "e1"}]}));
    assert_eq!(again.body, first.body);

    let answer = stack.recognised(&json!([user_updated("e2"), changed("e1")])).await;
    assert_eq!(answer.status, 409);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(
        answer.body,
        json!({
            "type": "urn:identity-workflows:problem:conflict",
            "title": "An ID belongs to another event",
            "status": 409,
            "detail": "Nothing was stored. Repeat an event with the body that it had, or give \
                       another event another ID.",
            "errors": [{"pointer": "/1/id", "detail": "was posted before with another body"}],
        })
    );
    stack.local.aws().faults().clear_all();
    assert_eq!(stack.status_of(&user_updated("e2")).await, 202);
    arrived(&mut news, "e2").await;
    stack.stop().await;
}

#[tokio::test]
async fn f07_an_event_whose_send_failed_is_sent_when_it_is_repeated() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    stack.sqs_is_down();
    assert_eq!(stack.noted(&user_updated("e1"), "pending").await.status, 503);
    stack.local.aws().faults().clear_all();
    assert_eq!(stack.status_of(&user_updated("e1")).await, 202);
    arrived(&mut news, "e1").await;
    stack.stop().await;
}

#[tokio::test]
async fn f03_with_dynamodb_down_events_are_accepted_and_delivered() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    stack.dynamodb_is_down_for("PutItem");
    stack.dynamodb_is_down_for("UpdateItem");
    for event in ["e1", "e2"] {
        assert_eq!(stack.status_of(&user_updated(event)).await, 202);
        arrived(&mut news, event).await;
    }
    stack.stop().await;
}

#[tokio::test]
async fn an_event_that_could_not_be_noted_as_sent_is_sent_again() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    stack.dynamodb_is_down_for("UpdateItem");
    assert_eq!(stack.status_of(&user_updated("e1")).await, 202);
    let first = arrived(&mut news, "e1").await;
    stack.local.aws().faults().clear_all();
    assert_eq!(stack.status_of(&user_updated("e1")).await, 202);
    assert_eq!(arrived(&mut news, "e1").await.delivery_id, first.delivery_id);
    stack.stop().await;
}

#[tokio::test]
async fn after_its_day_an_id_is_free_though_the_item_is_still_there() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    stack.noted(&user_updated("e1"), "sent").await;
    arrived(&mut news, "e1").await;
    assert_eq!(stack.recognised(&changed("e1")).await.status, 409);
    stack.local.aws().faults().clear_all();
    let now = AttributeValue::N(adapters::clock::now().as_s().to_string());
    let update = stack.local.clients().dynamodb.update_item().table_name("ingested");
    update
        .key("pk", stack.ingested().await.expect("an item")["pk"].clone())
        .update_expression("SET #ttl = :now")
        .expression_attribute_names("#ttl", "ttl")
        .expression_attribute_values(":now", now)
        .send()
        .await
        .expect("the table is written");
    assert_eq!(stack.status_of(&changed("e1")).await, 202);
    arrived(&mut news, "e1").await;
    stack.stop().await;
}

#[tokio::test]
async fn a84_the_same_id_of_another_client_is_another_event() {
    let stack = Stack::start().await;
    let device = |client: &str| json!({"id": "e1", "type": "newDevice", "clientId": client});
    stack.noted(&device("c1"), "sent").await;
    assert_eq!(stack.recognised(&device("c1")).await.status, 202);
    assert_eq!(stack.status_of(&device("c2")).await, 503, "it is to be sent");
    stack.stop().await;
}
