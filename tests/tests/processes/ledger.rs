//! The ledger as it lies in its table: what it holds, and its times moved into the past.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;
use testkit::checker::{Dead, Pair};

const TABLE: &str = "deliveries";

/// What is between these is taken for a time in epoch milliseconds: 2017 to 2286.
const TIMES_MS: std::ops::Range<u64> = 1_500_000_000_000..10_000_000_000_000;

/// Calls at once.
const CONCURRENCY: usize = 8;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// Deliveries that are not done.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) dead: Vec<Dead>,
    pub(crate) pending: Vec<Pair>,
    /// The latest time at which something is due, in epoch milliseconds.
    pub(crate) last_due_ms: Option<u64>,
}

impl Contents {
    pub(crate) async fn read(client: &Client) -> Self {
        let mut contents = Self::default();
        for item in scan(client, TABLE).await {
            contents.last_due_ms = contents.last_due_ms.max(time(item.get("nextAt")));
            // Other items keep the books of a subscription and promise nothing to anybody.
            let Some(event) = text(&item, "event") else { continue };
            let event: Value = serde_json::from_str(event).expect("an event");
            let pair = Pair {
                event: event["id"].as_str().expect("an ID").to_owned(),
                subscription: text(&item, "subscriptionId").expect("a subscription").to_owned(),
            };
            // What is not dead is owed, by whatever name it waits.
            if text(&item, "state") == Some("dead") {
                let reason = text(&item, "reason").unwrap_or_default().to_owned();
                contents.dead.push(Dead { pair, reason });
            } else {
                contents.pending.push(pair);
            }
        }
        contents
    }
}

/// Moves every time of every item `by_ms` into the past, whatever the attribute's name, and also
/// inside attributes that hold a JSON object. The event is a fact and stays.
pub(crate) async fn move_times(client: &Client, by_ms: u64) {
    let items = scan(client, TABLE).await;
    stream::iter(items)
        .for_each_concurrent(CONCURRENCY, |item| move_item(client, item, by_ms))
        .await;
}

/// The last request of a process that is dead may still be on its way, and change an item that
/// we have read: then the item is read again.
async fn move_item(client: &Client, mut item: Item, by_ms: u64) {
    loop {
        let moved = moved(&item, by_ms);
        if moved.is_empty() {
            return;
        }
        let key = item["pk"].clone();
        let mut update = client.update_item().table_name(TABLE).key("pk", key.clone());
        let (mut set, mut unchanged) = (Vec::new(), Vec::new());
        for (index, (name, value)) in moved.into_iter().enumerate() {
            set.push(format!("#{index} = :to{index}"));
            unchanged.push(format!("#{index} = :from{index}"));
            update = update
                .expression_attribute_values(format!(":from{index}"), item[&name].clone())
                .expression_attribute_values(format!(":to{index}"), value)
                .expression_attribute_names(format!("#{index}"), name);
        }
        let update = update
            .update_expression(format!("SET {}", set.join(", ")))
            .condition_expression(unchanged.join(" AND "));
        let Err(error) = update.send().await else { return };
        let is_changed = error
            .as_service_error()
            .is_some_and(UpdateItemError::is_conditional_check_failed_exception);
        assert!(is_changed, "{error:?}");
        let get = client.get_item().table_name(TABLE).key("pk", key).consistent_read(true);
        match get.send().await.expect("the ledger is read").item {
            Some(read_again) => item = read_again,
            None => return,
        }
    }
}

/// The attributes of an item that hold times, with what they become.
fn moved(item: &Item, by_ms: u64) -> Vec<(String, AttributeValue)> {
    let moved = item.iter().filter_map(|(name, value)| {
        let value = match value {
            AttributeValue::N(_) => {
                AttributeValue::N(time(Some(value))?.saturating_sub(by_ms).to_string())
            }
            AttributeValue::S(text) if name != "event" && text.starts_with('{') => {
                let mut json: Value = serde_json::from_str(text).ok()?;
                move_json(&mut json, by_ms);
                let json = json.to_string();
                (json != *text).then_some(AttributeValue::S(json))?
            }
            _ => return None,
        };
        Some((name.clone(), value))
    });
    moved.collect()
}

fn move_json(json: &mut Value, by_ms: u64) {
    match json {
        Value::Number(number) => {
            if let Some(ms) = number.as_u64().filter(|ms| TIMES_MS.contains(ms)) {
                *json = ms.saturating_sub(by_ms).into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| move_json(value, by_ms)),
        Value::Object(members) => members.values_mut().for_each(|value| move_json(value, by_ms)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// A number that is a time, in epoch milliseconds.
pub(crate) fn time(value: Option<&AttributeValue>) -> Option<u64> {
    value?.as_n().ok()?.parse().ok().filter(|ms| TIMES_MS.contains(ms))
}

pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// Everything in a table.
pub(crate) async fn scan(client: &Client, table: &str) -> Vec<Item> {
    let pages = client.scan().table_name(table).consistent_read(true).into_paginator().items();
    let items: Result<Vec<_>, _> = pages.send().collect().await;
    items.expect("a table is read")
}

#[test]
fn times_move_and_facts_stay() {
    let n = |number: u64| AttributeValue::N(number.to_string());
    let s = |text: &str| AttributeValue::S(text.to_owned());
    let item = Item::from([
        ("pk".to_owned(), s("dlv_1")),
        ("nextAt".to_owned(), n(1_795_428_030_000)),
        ("attempt".to_owned(), n(2)),
        ("wokenUntil".to_owned(), n(0)),
        ("ttl".to_owned(), n(1_795_428_030)),
        ("leaseToken".to_owned(), s("1795428030000")),
        ("event".to_owned(), s(r#"{"acceptedAt":1795428000000}"#)),
        ("breaker".to_owned(), s(r#"{"open":{"opened":3,"until":1795428060000}}"#)),
    ]);
    let moved: HashMap<_, _> = moved(&item, 30_000).into_iter().collect();
    let expected = [
        ("nextAt".to_owned(), n(1_795_428_000_000)),
        ("breaker".to_owned(), s(r#"{"open":{"opened":3,"until":1795428030000}}"#)),
    ];
    assert_eq!(moved, expected.into());
}
