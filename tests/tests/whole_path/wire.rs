//! Two releases at once: what an earlier one has written is read, and what this one writes an
//! earlier one reads. The samples of each release stand in `tests/wire/<version>`; its README says
//! what a folder promises.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use adapters::entries::Entries;
use adapters::ledger::{Item, pending_item, to_item};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::Queue;
use domain::event_type::{EventTypeNames, Source};
use domain::id::DeliveryId;
use domain::ingest::{self, Request};
use domain::message::QueueMessage;
use local::functions::Name;
use local::samples;
use serde_json::{Value, json};
use testkit::receiver::Receiver;
use testkit::world::World;

use crate::support::{PATIENCE, Stack, batch, user_updated};

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

/// How 0.1.0 reads a message of `events`: what it cannot do without, and what it takes beside that.
/// It refuses what it does not know in the message, and passes it by in an event.
fn is_read_by_0_1_0(body: &str) -> bool {
    let message: Value = serde_json::from_str(body).expect("JSON");
    let content = message["EventsV1"].as_object().expect("events");
    let known = |name: &String| ["events", "cursor", "until"].contains(&name.as_str());
    let is_text = |event: &Value, name: &str| event[name].is_string();
    let is_event = |event: &Value| {
        ["id", "type", "source", "scope"].iter().all(|name| is_text(event, name))
            && event["occurredAt"].is_u64()
            && event["acceptedAt"].is_u64()
            && event["data"].is_object()
    };
    let events = content["events"].as_array().expect("an array");
    content.keys().all(known) && !events.is_empty() && events.iter().all(is_event)
}

/// What an item has, by name and type.
fn shape(item: &Item) -> std::collections::BTreeMap<String, &'static str> {
    let kind = |value: &AttributeValue| match value {
        AttributeValue::S(_) => "S",
        AttributeValue::N(_) => "N",
        _ => "other",
    };
    item.iter().map(|(name, value)| (name.clone(), kind(value))).collect()
}

/// What came after 0.1.0 (a trace) is a member more.
#[tokio::test]
async fn what_comes_with_this_release_every_release_passes_by() {
    let (stack, target) = stack_with_target().await;
    target.script_statuses("/hook", [500]);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let posted = json!([user_updated("new-1"), user_updated("new-2")]).to_string();
    let request = Request {
        content_type: Some("application/json"),
        content_encoding: None,
        body: Some(posted.as_bytes()),
        trace: trace.parse().ok(),
    };
    let (world, names) = (World::new(1), EventTypeNames::default());
    ingest::run(request, Source::NextIdentity, &names, &world).await;
    let body = world.messages(Queue::Events).remove(0).body;
    assert!(body.contains(trace) && is_read_by_0_1_0(&body), "{body}");

    let answer = stack.invoke(Name::Delivery, batch("events", &[body])).await;
    assert_eq!(answer.expect("an answer"), json!({"batchItemFailures": []}));
    let written = stack.ledger().await;
    assert_eq!(written.len(), 2);
    for release in releases() {
        let sample = shape(&item(&release, "pending.json"));
        for item in &written {
            let has = shape(item);
            for (name, kind) in &sample {
                assert_eq!(has.get(name), Some(kind), "{release:?} reads {name}");
            }
        }
    }
    stack.stop().await;
}

#[tokio::test]
async fn what_this_release_writes_of_the_same_is_the_same() {
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
