//! The index `due` of the `deliveries` table, as the sweeper reads and marks it.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::{DeliveryId, SubscriptionId};
use domain::limits::SWEEP_PAGE_ITEMS;
use domain::sweep::{DueItem, Page, Position};
use domain::time::Timestamp;

use crate::aws::sentence;
use crate::item::{Fields, held, n, s};
use crate::ledger::{PENDING, Unavailable};

type Item = HashMap<String, AttributeValue>;

const INDEX: &str = "due";

/// Deliveries by the time at which they are due.
pub struct DueIndex {
    client: Client,
    table: String,
}

impl DueIndex {
    /// The index of this table.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// A page of a bucket: due at `now`, with no wake-up under way then, oldest first. An entry
    /// that cannot be read is passed over and logged; it stays where it is.
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
            .filter_expression("wokenUntil < :now")
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
        let read = items.iter().filter_map(|item| {
            let due = due_item(item);
            if due.is_none() {
                let fields = Fields(item);
                let delivery_id = fields.str("pk");
                tracing::error!(delivery_id, "an entry of the index `due` cannot be read");
            }
            due
        });
        let next = match &output.last_evaluated_key {
            None => None,
            // Without it, what is behind would go unseen.
            Some(key) => Some(position_of(key).ok_or(Unavailable)?),
        };
        Ok(Page { items: read.collect(), next })
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

fn due_item(item: &Item) -> Option<DueItem> {
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
