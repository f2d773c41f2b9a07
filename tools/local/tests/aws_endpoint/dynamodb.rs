//! Tables: that they are there as declared, and that errors keep their types on the way through.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValuesOnConditionCheckFailure as OnFailure, TimeToLiveStatus,
};

use crate::World;

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

#[tokio::test]
async fn an_item_is_found_by_its_key_and_through_the_index() {
    let world = World::new().await;
    let put = world.dynamodb.put_item().table_name("deliveries");
    let put = put.item("pk", text("d1")).item("state", text("pending"));
    let put = put.item("event", text("{}")).item("dueBucket", number(3));
    put.item("nextAt", number(1_000)).send().await.expect("it is stored");

    let found = world.dynamodb.get_item().table_name("deliveries");
    let found = found.key("pk", text("d1")).send().await.expect("it is read").item;
    assert_eq!(found.expect("it is there")["event"], text("{}"));

    let due = world.dynamodb.query().table_name("deliveries").index_name("due");
    let due = due.key_condition_expression("dueBucket = :bucket AND nextAt <= :now");
    let due = due.expression_attribute_values(":bucket", number(3));
    let due = due.expression_attribute_values(":now", number(1_000));
    let due = due.send().await.expect("the index is read");
    assert_eq!(due.items()[0]["state"], text("pending"));
    assert!(!due.items()[0].contains_key("event"));
    world.stop().await;
}

#[tokio::test]
async fn a_failed_condition_is_typed() {
    let world = World::new().await;
    let put = || {
        let put = world.dynamodb.put_item().table_name("deliveries").item("pk", text("d1"));
        put.condition_expression("attribute_not_exists(pk)").send()
    };
    put().await.expect("it is not there yet");
    let error = put().await.expect_err("it is there").into_service_error();
    assert!(error.is_conditional_check_failed_exception());

    let update = world.dynamodb.update_item().table_name("deliveries").key("pk", text("d1"));
    let update = update.update_expression("SET nextAt = :at").condition_expression("nextAt = :at");
    let update = update.expression_attribute_values(":at", number(1));
    let update = update.return_values_on_condition_check_failure(OnFailure::AllOld);
    match update.send().await.expect_err("it has none").into_service_error() {
        UpdateItemError::ConditionalCheckFailedException(failure) => {
            assert_eq!(failure.item().expect("the item is told")["pk"], text("d1"));
        }
        other => panic!("{other}"),
    }
    let missing = world.dynamodb.get_item().table_name("missing").key("pk", text("x"));
    let error = missing.send().await.expect_err("there is no such table");
    assert!(error.into_service_error().is_resource_not_found_exception());
    world.stop().await;
}

#[tokio::test]
async fn time_to_live_is_as_declared() {
    let world = World::new().await;
    let answer = world.dynamodb.describe_time_to_live().table_name("deliveries").send().await;
    let ttl = answer.expect("it is described").time_to_live_description;
    let ttl = ttl.expect("it has one");
    assert_eq!(ttl.attribute_name(), Some("ttl"));
    assert_eq!(ttl.time_to_live_status(), Some(&TimeToLiveStatus::Enabled));
    world.stop().await;
}
