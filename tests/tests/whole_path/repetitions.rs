//! Events that are posted again, over real HTTP and the real table.
//!
//! SQS is switched off where nothing may be sent: whatever tries is then answered 503.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use local::aws::{Fault, Service};
use serde_json::{Value, json};

use crate::support::{Stack, arrived, user_updated};

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

    /// The only item of the table.
    async fn ingested(&self) -> HashMap<String, AttributeValue> {
        let scan = self.local.clients().dynamodb.scan().table_name("ingested").send().await;
        let mut items = scan.expect("the table is read").items.unwrap_or_default();
        assert_eq!(items.len(), 1);
        items.remove(0)
    }
}

#[tokio::test]
async fn a33_a_repetition_is_accepted_and_another_body_is_a_409() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    let first = stack.post_json("/v1/events", &user_updated("e1")).await;
    arrived(&mut news, "e1").await;
    let item = stack.ingested().await;
    assert_eq!(item["pk"], AttributeValue::S("PROPERTY#demo-property#e1".to_owned()));
    assert_eq!(item["state"], AttributeValue::S("sent".to_owned()));

    stack.sqs_is_down();
    let again = stack.post_json("/v1/events", &user_updated("e1")).await;
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!((&again.body, &first.body), (&first.body, &json!({"accepted": [{"id": "e1"}]})));

    let answer = stack.post_json("/v1/events", &json!([user_updated("e2"), changed("e1")])).await;
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
    assert_eq!(stack.status_of(&user_updated("e1")).await, 503);
    assert_eq!(stack.ingested().await["state"], AttributeValue::S("pending".to_owned()));
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
    assert_eq!(stack.status_of(&user_updated("e1")).await, 202);
    arrived(&mut news, "e1").await;
    let update = stack.local.clients().dynamodb.update_item().table_name("ingested");
    update
        .key("pk", stack.ingested().await["pk"].clone())
        .update_expression("SET #ttl = :now")
        .expression_attribute_names("#ttl", "ttl")
        .expression_attribute_values(
            ":now",
            AttributeValue::N(adapters::clock::now().as_s().to_string()),
        )
        .send()
        .await
        .expect("the table is written");
    assert_eq!(stack.status_of(&changed("e1")).await, 202);
    arrived(&mut news, "e1").await;
    assert_eq!(stack.status_of(&user_updated("e1")).await, 409);
    stack.stop().await;
}

#[tokio::test]
async fn a84_the_same_id_of_another_client_is_another_event() {
    let stack = Stack::start().await;
    let device = |client: &str| json!({"id": "e1", "type": "newDevice", "clientId": client});
    assert_eq!(stack.status_of(&device("c1")).await, 202);
    stack.sqs_is_down();
    assert_eq!(stack.status_of(&device("c1")).await, 202);
    assert_eq!(stack.status_of(&device("c2")).await, 503, "it is to be sent");
    stack.stop().await;
}
