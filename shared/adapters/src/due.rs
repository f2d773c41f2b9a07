//! The index `due` of the `deliveries` table, as the sweeper reads it, and what it does to the items
//! that it finds there: mark, release, give up.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::breaker::BreakerKey;
use domain::id::{DeliveryId, SubscriptionId};
use domain::ledger::{BREAKER_BUCKET, Reason, State, due_bucket, expires_at_s, held_bucket};
use domain::limits::SWEEP_PAGE_ITEMS;
use domain::sweep::{DueItem, Page, Position};
use domain::time::Timestamp;

use crate::aws::sentence;
use crate::item::{Fields, held, n, s};
use crate::lazy::Lazy;
use crate::ledger::{DEAD, HELD, PENDING, Unavailable, unavailable};

type Item = HashMap<String, AttributeValue>;

const INDEX: &str = "due";

/// Deliveries by the time at which they are due.
pub struct DueIndex {
    client: Lazy<Client>,
    table: String,
}

impl DueIndex {
    /// The index of this table.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, table: String) -> Self {
        Self { client: client.into(), table }
    }

    /// A page of a bucket: due at `now`, with no wake-up under way then, oldest first.
    pub async fn page(
        &self,
        bucket: u64,
        now: Timestamp,
        after: Option<&Position>,
    ) -> Result<Page, Unavailable> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("dueBucket = :bucket AND nextAt <= :now")
            // So put, it also finds those whose `wokenUntil` is missing, or no number.
            .filter_expression("NOT wokenUntil >= :now")
            .expression_attribute_values(":bucket", n(bucket))
            .expression_attribute_values(":now", n(now.as_ms()))
            .set_exclusive_start_key(after.map(|position| key_of(bucket, position)))
            .limit(SWEEP_PAGE_ITEMS)
            .send()
            .await;
        let output = query.map_err(|error| {
            tracing::error!(bucket, error = sentence(&error), "the index `due` cannot be read");
            Unavailable
        })?;
        let items = output.items.unwrap_or_default();
        let next = match &output.last_evaluated_key {
            None => None,
            // Without it, what is behind would go unseen.
            Some(key) => Some(position_of(key).ok_or(Unavailable)?),
        };
        Ok(page_of(&items, next))
    }

    /// The breakers whose time has come at `now`, earliest first, at most this many. A key that
    /// cannot be read is passed over and logged.
    pub async fn breakers(
        &self,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<BreakerKey>, Unavailable> {
        let entries = self.entries(BREAKER_BUCKET, now, most).await?;
        let keys = entries.iter().filter_map(|entry| {
            let key = Fields(entry).str("pk").and_then(BreakerKey::parse);
            if key.is_none() {
                tracing::error!("the key of a breaker cannot be read");
            }
            key
        });
        Ok(keys.collect())
    }

    /// The held deliveries of a subscription, those held longest first, at most this many.
    pub async fn held(&self, key: &BreakerKey, most: usize) -> Result<Page, Unavailable> {
        // One more, to know whether there are more.
        let mut entries = self.entries(held_bucket(key), Timestamp::LAST, most + 1).await?;
        let is_end = entries.len() <= most;
        entries.truncate(most);
        let next = entries.last().filter(|_| !is_end).and_then(position_of);
        Ok(page_of(&entries, next))
    }

    /// The first entries of a partition up to a moment.
    async fn entries(
        &self,
        bucket: u64,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<Item>, Unavailable> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression("dueBucket = :bucket AND nextAt <= :until")
            .expression_attribute_values(":bucket", n(bucket))
            .expression_attribute_values(":until", n(until.as_ms()))
            .limit(i32::try_from(most.min(1_000)).unwrap_or(i32::MAX))
            .into_paginator()
            .items()
            .send();
        let mut entries = Vec::new();
        while entries.len() < most
            && let Some(entry) = pages.next().await
        {
            entries.push(entry.map_err(|error| {
                tracing::error!(bucket, error = sentence(&error), "the index `due` cannot be read");
                Unavailable
            })?);
        }
        Ok(entries)
    }

    /// Makes a held delivery a pending one that is due `now`, if it still stands as it was found.
    pub async fn release(
        &self,
        item: &DueItem,
        now: Timestamp,
        woken_until: Timestamp,
    ) -> Result<bool, Unavailable> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(item.delivery_id.as_str()))
            .update_expression(
                "SET #state = :pending, nextAt = :now, dueBucket = :bucket, wokenUntil = :until",
            )
            .condition_expression("#state = :held AND attempt = :attempt AND nextAt = :since")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":pending", s(PENDING))
            .expression_attribute_values(":held", s(HELD))
            .expression_attribute_values(":attempt", n(item.attempt))
            .expression_attribute_values(":since", n(item.next_at.as_ms()))
            .expression_attribute_values(":now", n(now.as_ms()))
            .expression_attribute_values(":bucket", n(due_bucket(&item.delivery_id)))
            .expression_attribute_values(":until", n(woken_until.as_ms()))
            .send()
            .await;
        held(update, UpdateItemError::is_conditional_check_failed_exception).map_err(|error| {
            tracing::error!(error = sentence(&error), "a held delivery cannot be released");
            Unavailable
        })
    }

    /// Makes an item that cannot be read a dead letter, kept for redrive like any other.
    pub async fn give_up(
        &self,
        delivery_id: &DeliveryId,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let state = State::Dead { reason: Reason::Unreadable };
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(delivery_id.as_str()))
            .update_expression(
                "SET #state = :dead, reason = :reason, updatedAt = :now, #ttl = :ttl \
                 REMOVE dueBucket, nextAt, wokenUntil, leaseUntil, leaseToken",
            )
            .condition_expression("attribute_exists(dueBucket)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":dead", s(DEAD))
            .expression_attribute_values(":reason", s(Reason::Unreadable.to_string()))
            .expression_attribute_values(":now", n(now.as_ms()))
            .expression_attribute_values(":ttl", n(expires_at_s(&state, now).unwrap_or_default()))
            .send()
            .await;
        // Where the condition did not hold, it has moved on.
        let _is_there = held(update, UpdateItemError::is_conditional_check_failed_exception)
            .map_err(|error| unavailable("give up", &error))?;
        Ok(())
    }

    /// Notes that a wake-up of the item is under way, if the item still stands as it was found.
    pub async fn mark(&self, item: &DueItem, woken_until: Timestamp) -> Result<bool, Unavailable> {
        let found = item.woken_until.map_or(0, Timestamp::as_ms);
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(item.delivery_id.as_str()))
            .update_expression("SET wokenUntil = :until")
            .condition_expression(
                "#state = :pending AND attempt = :attempt AND wokenUntil = :found",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":pending", s(PENDING))
            .expression_attribute_values(":attempt", n(item.attempt))
            .expression_attribute_values(":found", n(found))
            .expression_attribute_values(":until", n(woken_until.as_ms()))
            .send()
            .await;
        held(update, UpdateItemError::is_conditional_check_failed_exception).map_err(|error| {
            tracing::error!(error = sentence(&error), "a due item cannot be marked");
            Unavailable
        })
    }
}

/// Entries of the index. Those that cannot be read are told by their keys, and logged.
fn page_of(entries: &[Item], next: Option<Position>) -> Page {
    let mut page = Page { next, ..Page::default() };
    for entry in entries {
        if let Some(item) = read_due_item(entry) {
            page.items.push(item);
            continue;
        }
        let fields = Fields(entry);
        let key = fields.str("pk");
        tracing::error!(delivery_id = key, "an entry of the index `due` cannot be read");
        let delivery_id = key.and_then(|key| DeliveryId::try_from(key.to_owned()).ok());
        page.unreadable.extend(delivery_id);
    }
    page
}

fn read_due_item(item: &Item) -> Option<DueItem> {
    let fields = Fields(item);
    let woken_until_ms: u64 = fields.number("wokenUntil")?;
    Some(DueItem {
        delivery_id: DeliveryId::try_from(fields.str("pk")?.to_owned()).ok()?,
        subscription_id: SubscriptionId::parse(fields.str("subscriptionId")?).ok()?,
        attempt: fields.number("attempt")?,
        next_at: Timestamp::from_ms(fields.number("nextAt")?),
        woken_until: (woken_until_ms > 0).then(|| Timestamp::from_ms(woken_until_ms)),
    })
}

/// A place in the index as `DynamoDB` wants it: the keys of the table and of the index.
fn key_of(bucket: u64, position: &Position) -> Item {
    Item::from([
        ("pk".to_owned(), s(position.delivery_id.as_str())),
        ("dueBucket".to_owned(), n(bucket)),
        ("nextAt".to_owned(), n(position.next_at.as_ms())),
    ])
}

fn position_of(key: &Item) -> Option<Position> {
    let fields = Fields(key);
    Some(Position {
        delivery_id: DeliveryId::try_from(fields.str("pk")?.to_owned()).ok()?,
        next_at: Timestamp::from_ms(fields.number("nextAt")?),
    })
}
