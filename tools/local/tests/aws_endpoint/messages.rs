//! Sending, receiving, returning and redriving messages.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::operation::receive_message::builders::ReceiveMessageFluentBuilder;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName as System, SendMessageBatchRequestEntry,
};
use tokio::time::timeout;

use crate::World;

const MIB: usize = 1_048_576;

fn entry(id: &str, body: impl Into<String>) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder()
        .id(id)
        .message_body(body)
        .build()
        .expect("an entry has an ID and a body")
}

fn attribute(kind: &str, value: &str) -> MessageAttributeValue {
    let attribute = MessageAttributeValue::builder().data_type(kind).string_value(value);
    attribute.build().expect("an attribute has a type")
}

impl World {
    async fn send(&self, body: &str) -> String {
        let sent = self.sqs.send_message().queue_url(&self.events_url);
        let sent = sent.message_body(body).send().await.expect("it is sent");
        sent.message_id.expect("a message has an ID")
    }

    fn receiving(&self, queue_url: &str) -> ReceiveMessageFluentBuilder {
        self.sqs
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(10)
            .message_system_attribute_names(System::All)
            .message_attribute_names("All")
    }

    async fn receive(&self, queue_url: &str) -> Vec<Message> {
        received(self.receiving(queue_url)).await
    }
}

async fn received(ask: ReceiveMessageFluentBuilder) -> Vec<Message> {
    let answer = ask.send().await.expect("a receive is answered");
    answer.messages.unwrap_or_default()
}

fn system<'a>(message: &'a Message, name: &System) -> Option<&'a str> {
    message.attributes.as_ref()?.get(name).map(String::as_str)
}

#[tokio::test]
async fn a_delay_beyond_900_seconds_is_refused() {
    let world = World::new().await;
    for delay_s in [901, -1] {
        let sent = world.sqs.send_message().queue_url(&world.events_url);
        let sent = sent.message_body("x").delay_seconds(delay_s).send().await;
        let error = sent.expect_err("it is out of range").into_service_error();
        assert_eq!(error.code(), Some("InvalidParameterValue"));
    }
    let sent = world.sqs.send_message().queue_url(&world.events_url);
    sent.message_body("x").delay_seconds(900).send().await.expect("900 is in range");
    assert!(world.receive(&world.events_url).await.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_message_has_at_most_one_mebibyte_with_its_attributes() {
    let world = World::new().await;
    world.send(&"x".repeat(MIB)).await;

    let size_of_attribute = "nameStringvalue".len();
    for (spare, is_taken) in [(size_of_attribute, true), (size_of_attribute - 1, false)] {
        let sent = world
            .sqs
            .send_message()
            .queue_url(&world.events_url)
            .message_body("x".repeat(MIB - spare))
            .message_attributes("name", attribute("String", "value"))
            .send()
            .await;
        match sent {
            Ok(_) => assert!(is_taken),
            Err(error) => {
                assert!(!is_taken);
                assert_eq!(error.code(), Some("InvalidParameterValue"));
            }
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn a_batch_that_breaks_a_limit_is_refused_whole() {
    let world = World::new().await;
    let send = async |entries: Vec<SendMessageBatchRequestEntry>| {
        let batch = world.sqs.send_message_batch().queue_url(&world.events_url);
        let sent = batch.set_entries(Some(entries)).send().await;
        sent.expect_err("the batch breaks a limit").into_service_error()
    };
    let many = (0..11).map(|id| entry(&id.to_string(), "x")).collect();
    assert!(send(many).await.is_too_many_entries_in_batch_request());
    assert!(send(vec![]).await.is_empty_batch_request());
    let twins = vec![entry("a", "x"), entry("a", "y")];
    assert!(send(twins).await.is_batch_entry_ids_not_distinct());
    assert!(send(vec![entry("a b", "x")]).await.is_invalid_batch_entry_id());
    let large = vec![entry("a", "x".repeat(MIB / 2)), entry("b", "x".repeat(MIB / 2 + 1))];
    assert!(send(large).await.is_batch_request_too_long());
    assert!(world.receive(&world.events_url).await.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_bad_entry_fails_alone() {
    let world = World::new().await;
    let delayed = SendMessageBatchRequestEntry::builder().id("late").message_body("x");
    let delayed = delayed.delay_seconds(901).build().expect("an entry has an ID and a body");
    let sent = world
        .sqs
        .send_message_batch()
        .queue_url(&world.events_url)
        .entries(entry("good", "x"))
        .entries(entry("nul", "\0"))
        .entries(delayed)
        .send()
        .await
        .expect("the batch is answered");
    assert_eq!(sent.successful().len(), 1);
    assert_eq!(sent.successful()[0].id(), "good");
    let failed: Vec<_> =
        sent.failed().iter().map(|it| (it.id(), it.code(), it.sender_fault())).collect();
    let expected =
        [("nul", "InvalidMessageContents", true), ("late", "InvalidParameterValue", true)];
    assert_eq!(failed, expected);
    world.stop().await;
}

#[tokio::test]
async fn characters_that_xml_does_not_know_are_refused() {
    let world = World::new().await;
    for body in ["a\0", "\u{1}", "\u{b}", "\u{fffe}", "\u{ffff}"] {
        let sent = world.sqs.send_message().queue_url(&world.events_url);
        let error = sent.message_body(body).send().await.expect_err("it is not allowed");
        assert!(error.into_service_error().is_invalid_message_contents(), "{body:?}");
    }
    world.send("\t\r\n ~\u{7f}\u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}").await;
    world.stop().await;
}

#[tokio::test]
async fn visibility_can_be_zero_when_received_and_when_changed() {
    let world = World::new().await;
    let id = world.send("x").await;
    let first = received(world.receiving(&world.events_url).visibility_timeout(0)).await;
    let second = world.receive(&world.events_url).await;
    assert_eq!(first[0].message_id(), Some(id.as_str()));
    assert_eq!(second[0].message_id(), Some(id.as_str()));
    assert_eq!(system(&second[0], &System::ApproximateReceiveCount), Some("2"));
    assert!(world.receive(&world.events_url).await.is_empty());

    let handle = second[0].receipt_handle().expect("a received message has a handle");
    let change = world.sqs.change_message_visibility().queue_url(&world.events_url);
    let change = change.receipt_handle(handle).visibility_timeout(0);
    change.send().await.expect("it is returned");
    // Twice received, as often as the policy allows: this receive moves it.
    assert!(world.receive(&world.events_url).await.is_empty());
    assert_eq!(world.receive(&world.dead_letters_url).await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn attributes_come_back_and_a_group_is_taken() {
    let world = World::new().await;
    let attributes = HashMap::from([
        ("text".to_owned(), attribute("String", "value")),
        ("number".to_owned(), attribute("Number.int", "7")),
    ]);
    world
        .sqs
        .send_message()
        .queue_url(&world.events_url)
        .message_body("x")
        .message_group_id("PROPERTY#p1")
        .set_message_attributes(Some(attributes.clone()))
        .send()
        .await
        .expect("a standard queue takes a group");
    let messages = world.receive(&world.events_url).await;
    assert_eq!(messages[0].message_attributes, Some(attributes));

    let bytes = MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new("x"));
    let sent = world.sqs.send_message().queue_url(&world.events_url).message_body("x");
    let sent = sent.message_attributes("bytes", bytes.build().expect("it has a type")).send().await;
    let error = sent.expect_err("bytes would be lost").into_service_error();
    assert!(error.is_unsupported_operation());

    let sent = world.sqs.send_message().queue_url(&world.events_url);
    let sent = sent.message_body("x").message_group_id("a b").send().await;
    assert_eq!(sent.expect_err("it has a space").code(), Some("InvalidParameterValue"));
    world.stop().await;
}

#[tokio::test]
async fn only_what_is_asked_for_comes_back() {
    let world = World::new().await;
    world.send("x").await;
    let plain = world.sqs.receive_message().queue_url(&world.events_url);
    let messages = received(plain).await;
    assert_eq!(messages[0].attributes, None);
    assert_eq!(messages[0].message_attributes, None);
    world.stop().await;
}

#[tokio::test]
async fn a_message_received_too_often_is_redriven_as_it_is() {
    let world = World::new().await;
    let reason = HashMap::from([("reason".to_owned(), attribute("String", "because"))]);
    let sent = world.sqs.send_message().queue_url(&world.events_url).message_body("x");
    let sent = sent.set_message_attributes(Some(reason.clone())).send().await;
    let id = sent.expect("it is sent").message_id;
    for count in ["1", "2"] {
        let seen = received(world.receiving(&world.events_url).visibility_timeout(0)).await;
        assert_eq!(system(&seen[0], &System::ApproximateReceiveCount), Some(count));
    }
    assert!(world.receive(&world.events_url).await.is_empty());
    let dead = world.receive(&world.dead_letters_url).await;
    assert_eq!(dead[0].message_id, id);
    assert_eq!(dead[0].body(), Some("x"));
    assert_eq!(dead[0].message_attributes, Some(reason));

    let arn = world.endpoint.account().queue_arn("events-dead-letter");
    let back = world.sqs.start_message_move_task().source_arn(arn).send().await;
    let error = back.expect_err("winterbaume moves nothing").into_service_error();
    assert!(error.is_unsupported_operation());
    world.stop().await;
}

#[tokio::test]
async fn a_hidden_message_comes_back_when_its_time_is_over() {
    let world = World::new().await;
    let id = world.send("x").await;
    let first = received(world.receiving(&world.events_url).visibility_timeout(1)).await;
    assert_eq!(first.len(), 1);
    assert!(world.receive(&world.events_url).await.is_empty());
    let second = received(world.receiving(&world.events_url).wait_time_seconds(20)).await;
    assert_eq!(second[0].message_id(), Some(id.as_str()));
    world.stop().await;
}

#[tokio::test]
async fn a_bad_handle_in_a_batch_fails_alone() {
    let world = World::new().await;
    world.send("x").await;
    let messages = world.receive(&world.events_url).await;
    let handle = messages[0].receipt_handle().expect("a received message has a handle");
    let entry = |id: &str, handle: &str| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle);
        entry.build().expect("an entry has an ID and a handle")
    };
    let batch = world.sqs.delete_message_batch().queue_url(&world.events_url);
    let batch = batch.entries(entry("bad", "nonsense")).entries(entry("good", handle));
    let deleted = batch.send().await.expect("the batch is answered");
    assert_eq!(deleted.successful()[0].id(), "good");
    let failed = &deleted.failed()[0];
    assert_eq!(
        (failed.id(), failed.code(), failed.sender_fault()),
        ("bad", "ReceiptHandleIsInvalid", true)
    );

    let again = entry("a", handle);
    let missing = world.endpoint.account().queue_url("missing");
    let batch = world.sqs.delete_message_batch().queue_url(missing).entries(again);
    let error = batch.send().await.expect_err("there is no such queue").into_service_error();
    assert!(error.is_queue_does_not_exist());
    world.stop().await;
}

#[tokio::test]
async fn handles_are_checked_and_gone_messages_are_not_an_error() {
    let world = World::new().await;
    world.send("x").await;
    let messages = world.receive(&world.events_url).await;
    let handle = messages[0].receipt_handle().expect("a received message has a handle");
    let delete = |handle: &str| {
        let delete = world.sqs.delete_message().queue_url(&world.events_url);
        delete.receipt_handle(handle).send()
    };
    for _ in 0..2 {
        delete(handle).await.expect("it is deleted, or was");
    }
    let error = delete("nonsense").await.expect_err("it is no handle").into_service_error();
    assert!(error.is_receipt_handle_is_invalid());
    world.stop().await;
}

#[tokio::test]
async fn a_waiting_receive_wakes_for_a_new_and_for_a_delayed_message() {
    let world = World::new().await;
    // Far less than the 20 seconds that it is ready to wait.
    let soon = Duration::from_secs(5);
    let waiting = || received(world.receiving(&world.events_url).wait_time_seconds(20));
    let both = async { tokio::join!(waiting(), world.send("x")) };
    let (messages, _) = timeout(soon, both).await.expect("it wakes for a new message");
    assert_eq!(messages.len(), 1);

    let sent = world.sqs.send_message().queue_url(&world.events_url);
    sent.message_body("later").delay_seconds(1).send().await.expect("it is sent");
    let messages = timeout(soon, waiting()).await.expect("it wakes for a delayed message");
    assert_eq!(messages[0].body(), Some("later"));
    world.stop().await;
}

#[tokio::test]
async fn numbers_of_a_receive_are_checked() {
    let world = World::new().await;
    let ask = || world.sqs.receive_message().queue_url(&world.events_url);
    for ask in [
        ask().max_number_of_messages(11),
        ask().max_number_of_messages(0),
        ask().wait_time_seconds(21),
        ask().visibility_timeout(43_201),
    ] {
        let error = ask.send().await.expect_err("it is out of range");
        assert_eq!(error.code(), Some("InvalidParameterValue"));
    }
    world.stop().await;
}
