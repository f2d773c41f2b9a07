//! Two releases at once: what an earlier one has written is read, and what this one writes an
//! earlier one reads. The samples of each release stand in `tests/wire/<version>`; its README says
//! what a folder promises.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use adapters::entries::Entries;
use adapters::ledger::{Item, pending_item, to_item};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::DeliveryId;
use domain::message::QueueMessage;
use local::functions::Name;
use local::samples;
use serde_json::{Value, json};
use testkit::receiver::Receiver;

use crate::support::{PATIENCE, Stack, batch};

/// The folders of all releases that have samples.
fn releases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire");
    let entries = std::fs::read_dir(root).expect("the samples");
    let folders = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    let mut folders: Vec<PathBuf> = folders.collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

fn sample(release: &Path, name: &str) -> String {
    std::fs::read_to_string(release.join(name)).expect(name).trim_end().to_owned()
}

/// An item as `aws dynamodb get-item` prints it.
fn item(release: &Path, name: &str) -> Item {
    let json: Value = serde_json::from_str(&sample(release, name)).expect("JSON");
    let attribute = |(name, value): (&String, &Value)| {
        let (kind, value) = value.as_object().expect("typed").iter().next().expect("one");
        let value = value.as_str().expect("text").to_owned();
        let value = match kind.as_str() {
            "S" => AttributeValue::S(value),
            "N" => AttributeValue::N(value),
            other => unreachable!("an attribute of type {other}"),
        };
        (name.clone(), value)
    };
    json.as_object().expect("an item").iter().map(attribute).collect()
}

/// With an attribute that no release knows.
fn from_the_future(mut item: Item) -> Item {
    item.insert("unheardOf".to_owned(), AttributeValue::S("x".to_owned()));
    let event = item.get_mut("event").and_then(|event| match event {
        AttributeValue::S(text) => Some(text),
        _ => None,
    });
    if let Some(event) = event {
        *event = event.replacen('{', r#"{"unheardOf":{"a":1},"#, 1);
    }
    item
}

async fn put(stack: &Stack, item: Item) {
    let put = stack.local.clients().dynamodb.put_item().table_name("deliveries");
    put.set_item(Some(item)).send().await.expect("an item is written");
}

/// A stack with a target that the samples' subscription leads to.
async fn stack_with_target() -> (Stack, Receiver) {
    let (stack, target) = (Stack::start().await, Receiver::start().await);
    let endpoint = target.url("/hook");
    stack.put_row(samples::row(samples::PROPERTY, "wire", "user_data_change", &endpoint)).await;
    (stack, target)
}

/// The attempts that a target was sent, as (delivery ID, attempt).
fn attempts(target: &Receiver) -> Vec<(String, String)> {
    let said = |name: &str, request: &testkit::receiver::Request| {
        request.header(name).unwrap_or_default().to_owned()
    };
    let requests = target.requests();
    requests.iter().map(|it| (said("webhook-id", it), said("webhook-attempt", it))).collect()
}

fn id_of(item: &HashMap<String, AttributeValue>) -> String {
    item["pk"].as_s().expect("text").clone()
}

#[tokio::test]
async fn messages_of_every_release_are_delivered() {
    for release in releases() {
        let (stack, target) = stack_with_target().await;
        let bodies = ["events.json", "portion.json"].map(|name| sample(&release, name));
        let answer = stack.invoke(Name::Delivery, batch("events", &bodies)).await;
        assert_eq!(answer.expect("an answer"), json!({"batchItemFailures": []}));
        assert_eq!(attempts(&target).len(), 3, "{release:?}");
        assert!(stack.receive("events-dead-letter").await.is_none());
        stack.stop().await;
    }
}

#[tokio::test]
async fn a_pending_delivery_of_every_release_goes_on() {
    for release in releases() {
        let (stack, target) = stack_with_target().await;
        let pending = item(&release, "pending.json");
        put(&stack, from_the_future(pending.clone())).await;
        let wakeup = sample(&release, "wake-up.json");
        let answer = stack.invoke(Name::Delivery, batch("retries", &[wakeup])).await;
        assert_eq!(answer.expect("an answer"), json!({"batchItemFailures": []}));
        assert_eq!(attempts(&target), [(id_of(&pending), "2".to_owned())], "{release:?}");
        assert!(stack.ledger().await.is_empty());
        stack.stop().await;
    }
}

#[tokio::test]
async fn what_a_breaker_of_every_release_holds_is_let_through() {
    for release in releases() {
        let (stack, target) = stack_with_target().await;
        let held = item(&release, "held.json");
        put(&stack, from_the_future(held.clone())).await;
        put(&stack, from_the_future(item(&release, "breaker.json"))).await;
        let swept = stack.invoke(Name::Sweeper, json!({})).await.expect("a sweep");
        assert_eq!((&swept["breakers"], &swept["released"]), (&json!(1), &json!(1)), "{swept}");
        tokio::time::timeout(PATIENCE, target.wait_for(1)).await.expect("a probe");
        assert_eq!(attempts(&target), [(id_of(&held), "2".to_owned())], "{release:?}");
        stack.ledger_is_empty().await;
        stack.stop().await;
    }
}

#[tokio::test]
async fn a_dead_letter_of_every_release_is_found() {
    for release in releases() {
        let (stack, _target) = stack_with_target().await;
        let dead = item(&release, "dead.json");
        put(&stack, from_the_future(dead.clone())).await;
        let entries = Entries::new(stack.local.clients().dynamodb.clone(), "deliveries".to_owned());
        let id = DeliveryId::try_from(id_of(&dead)).expect("an ID");
        let event = entries.event_of(&id).await.expect("the table").expect("an event");
        assert_eq!(Some(event.id.as_str()), dead["eventId"].as_s().ok().map(String::as_str));
        stack.stop().await;
    }
}

/// A delivery's ID is computed, never stored with its subscription: a release that computed another
/// would deliver what is delivered.
#[tokio::test]
async fn every_release_computes_the_same_ids() {
    for release in releases() {
        for name in ["pending.json", "held.json", "dead.json"] {
            let item = item(&release, name);
            let event: domain::event::Event =
                serde_json::from_str(item["event"].as_s().expect("text")).expect("an event");
            let subscription = domain::id::SubscriptionId::parse("wire").expect("valid");
            let id = DeliveryId::of(&event.scope, &event.id, &subscription);
            assert_eq!(id.as_str(), id_of(&item), "{release:?} {name}");
        }
    }
}

#[tokio::test]
async fn what_this_release_writes_every_release_reads() {
    for release in releases() {
        for name in ["events.json", "portion.json", "wake-up.json"] {
            let body = sample(&release, name);
            let message = QueueMessage::parse(&body).expect("readable");
            assert_eq!(message.to_body(), body, "{release:?} {name}");
        }
        let pending = item(&release, "pending.json");
        let read = pending_item(&pending).expect("readable");
        assert_eq!(to_item(&read).expect("an item"), pending, "{release:?}");
    }
}
