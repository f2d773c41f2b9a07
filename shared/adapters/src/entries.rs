//! The `deliveries` table as operators look at it: entries without their events, and the
//! compare-and-set that makes a dead letter pending again. Attributes: see [`crate::ledger`].
//!
//! A list of one subscription is a Query of the index `bySubscription`; any other is a Scan, which
//! reads, and is billed for, the whole table. Neither carries an event over the network; only who
//! explains an event asks for one. The table
//! narrows a list where it can; which entries are meant is the filter's own decision.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use domain::event::Event;
use domain::id::{DeliveryId, EventId, SubscriptionId};
use domain::ledger::due_bucket;
use domain::ledger::entry::{Entry, Filter, Standing};
use domain::redrive::{Found, Page, Position, Revival};
use domain::scope::Scope;
use domain::time::Timestamp;

use crate::item::{Fields, n, s};
use crate::lazy::Lazy;
use crate::ledger::{DEAD, HELD, PENDING, Unavailable, history, unavailable};

type Item = HashMap<String, AttributeValue>;

const INDEX: &str = "bySubscription";

/// What a list needs; the index projects it.
const LISTED: &str = "pk, #state, attempt, nextAt, reason, subscriptionId, #scope, eventId, \
                      lastOutcome, createdAt, updatedAt";

/// The ledger's entries.
pub struct Entries {
    client: Lazy<Client>,
    table: String,
}

impl Entries {
    /// The entries of this table.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, table: String) -> Self {
        Self { client: client.into(), table }
    }

    /// A page of the entries that are meant: of one subscription oldest first, else in no order.
    pub async fn page(
        &self,
        filter: &Filter,
        after: Option<&Position>,
    ) -> Result<Page, Unavailable> {
        let (items, looked_at, last) = match &filter.subscription_id {
            Some(subscription) => self.query(subscription, filter, after).await?,
            None => self.scan(filter, after).await?,
        };
        let next = match &last {
            None => None,
            // Without it, what is behind would go unseen.
            Some(key) => Some(position_of(key).ok_or(Unavailable)?),
        };
        let mut page = Page { looked_at, next, ..Page::default() };
        for item in &items {
            match entry(item) {
                Some(entry) if filter.matches(&entry) => page.entries.push(entry),
                Some(_) => {}
                None => page.unreadable.extend(Fields(item).str("pk").map(str::to_owned)),
            }
        }
        Ok(page)
    }

    async fn query(
        &self,
        subscription_id: &SubscriptionId,
        filter: &Filter,
        after: Option<&Position>,
    ) -> Result<(Vec<Item>, usize, Option<Item>), Unavailable> {
        let (since, until) = range(filter);
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(INDEX)
            .key_condition_expression(
                "subscriptionId = :subscription AND updatedAt BETWEEN :since AND :until",
            )
            .expression_attribute_values(":subscription", s(subscription_id.as_str()))
            .expression_attribute_values(":since", since)
            .expression_attribute_values(":until", until)
            .projection_expression(LISTED)
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#scope", "scope")
            .set_exclusive_start_key(after.map(|after| key_of(subscription_id, after)));
        if let Some(kind) = filter.standing {
            query = query
                .filter_expression("#state = :state")
                .expression_attribute_values(":state", s(kind.as_str()));
        }
        let output = query.send().await.map_err(|error| unavailable("list", &error))?;
        let looked_at = usize::try_from(output.scanned_count()).unwrap_or_default();
        Ok((output.items.unwrap_or_default(), looked_at, output.last_evaluated_key))
    }

    async fn scan(
        &self,
        filter: &Filter,
        after: Option<&Position>,
    ) -> Result<(Vec<Item>, usize, Option<Item>), Unavailable> {
        let (since, until) = range(filter);
        let mut narrowed = "begins_with(pk, :delivery)".to_owned();
        let mut scan = self
            .client
            .scan()
            .table_name(&self.table)
            .projection_expression(LISTED)
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#scope", "scope")
            .expression_attribute_values(":delivery", s(DeliveryId::PREFIX))
            .set_exclusive_start_key(
                after.map(|after| Item::from([("pk".to_owned(), s(&after.key))])),
            );
        if filter.since.is_some() || filter.until.is_some() {
            narrowed.push_str(" AND updatedAt BETWEEN :since AND :until");
            scan = scan
                .expression_attribute_values(":since", since)
                .expression_attribute_values(":until", until);
        }
        if let Some(kind) = filter.standing {
            narrowed.push_str(" AND #state = :state");
            scan = scan.expression_attribute_values(":state", s(kind.as_str()));
        }
        let output = scan.filter_expression(narrowed).send().await;
        let output = output.map_err(|error| unavailable("list", &error))?;
        let looked_at = usize::try_from(output.scanned_count()).unwrap_or_default();
        Ok((output.items.unwrap_or_default(), looked_at, output.last_evaluated_key))
    }

    /// The item of a delivery as it stands now, with its history and without its event.
    pub async fn find(&self, delivery_id: &DeliveryId) -> Result<Found, Unavailable> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(delivery_id.as_str()))
            .consistent_read(true)
            .projection_expression(format!("{LISTED}, history"))
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#scope", "scope")
            .send()
            .await;
        let output = get.map_err(|error| unavailable("look", &error))?;
        Ok(match output.item.as_ref().map(entry) {
            None => Found::NotThere,
            Some(None) => Found::Unreadable,
            Some(Some(entry)) => Found::Entry(Box::new(entry)),
        })
    }

    /// The event of a delivery's item; `None` when there is no item, or none that can be read.
    pub async fn event_of(&self, delivery_id: &DeliveryId) -> Result<Option<Event>, Unavailable> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(delivery_id.as_str()))
            .consistent_read(true)
            .projection_expression("event")
            .send()
            .await;
        let output = get.map_err(|error| unavailable("look", &error))?;
        let text = output.item.as_ref().and_then(|item| item.get("event")?.as_s().ok());
        Ok(text.and_then(|text| serde_json::from_str(text).ok()))
    }

    /// Makes a dead letter pending, if it still stands as it was found. `false` when it does not.
    pub async fn revive(&self, found: &Entry, revival: &Revival) -> Result<bool, Unavailable> {
        let history = serde_json::to_string(&revival.history).map_err(|_| Unavailable)?;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(found.delivery_id.as_str()))
            .update_expression(
                "SET #state = :pending, uncharged = :attempt, history = :history, \
                 nextAt = :due, dueBucket = :bucket, wokenUntil = :none, updatedAt = :now \
                 REMOVE reason, #ttl",
            )
            .condition_expression("#state = :dead AND attempt = :attempt AND updatedAt = :found")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":pending", s(PENDING))
            .expression_attribute_values(":dead", s(DEAD))
            .expression_attribute_values(":attempt", n(found.attempt))
            .expression_attribute_values(":found", n(found.updated_at.as_ms()))
            .expression_attribute_values(":history", s(&history))
            .expression_attribute_values(":due", n(revival.due_at.as_ms()))
            .expression_attribute_values(":bucket", n(due_bucket(&found.delivery_id)))
            .expression_attribute_values(":none", n(0))
            .expression_attribute_values(":now", n(revival.now.as_ms()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match update {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(refused)) => match refused.into_err() {
                UpdateItemError::ConditionalCheckFailedException(failed) => {
                    Ok(is_ours(&failed.item.unwrap_or_default(), revival, &history))
                }
                error => Err(unavailable("redrive", &error)),
            },
            Err(error) => Err(unavailable("redrive", &error)),
        }
    }
}

/// Whether an item is what this very revival has made of it: the SDK repeats a call whose answer
/// got lost.
fn is_ours(item: &Item, revival: &Revival, history: &str) -> bool {
    let fields = Fields(item);
    fields.str("state") == Some(PENDING)
        && fields.str("history") == Some(history)
        && fields.number("updatedAt") == Some(revival.now.as_ms())
        && fields.number("nextAt") == Some(revival.due_at.as_ms())
}

fn range(filter: &Filter) -> (AttributeValue, AttributeValue) {
    let since = filter.since.map_or(0, Timestamp::as_ms);
    let until = filter.until.unwrap_or(Timestamp::LAST).min(Timestamp::LAST).as_ms();
    // A range that is the wrong way round is an error of DynamoDB's; ours is an empty list.
    (n(since.min(until)), n(until))
}

fn entry(item: &Item) -> Option<Entry> {
    let fields = Fields(item);
    let next_at = || Some(Timestamp::from_ms(fields.number("nextAt")?));
    let standing = match fields.str("state")? {
        PENDING => Standing::Pending { next_at: next_at()? },
        HELD => Standing::Held { since: next_at()? },
        DEAD => Standing::Dead { reason: fields.str("reason")?.to_owned() },
        _ => return None,
    };
    Some(Entry {
        delivery_id: DeliveryId::try_from(fields.str("pk")?.to_owned()).ok()?,
        scope: Scope::try_from(fields.str("scope")?.to_owned()).ok()?,
        subscription_id: SubscriptionId::parse(fields.str("subscriptionId")?).ok()?,
        event_id: EventId::parse(fields.str("eventId")?).ok()?,
        attempt: fields.number("attempt")?,
        last_outcome: fields.str("lastOutcome").unwrap_or_default().to_owned(),
        standing,
        history: history(item),
        created_at: Timestamp::from_ms(fields.number("createdAt")?),
        updated_at: Timestamp::from_ms(fields.number("updatedAt")?),
    })
}

/// What `DynamoDB` begins the next page of a subscription behind: the keys of table and index.
fn key_of(subscription_id: &SubscriptionId, position: &Position) -> Item {
    let updated_at = position.updated_at.map_or(0, Timestamp::as_ms);
    Item::from([
        ("pk".to_owned(), s(&position.key)),
        ("subscriptionId".to_owned(), s(subscription_id.as_str())),
        ("updatedAt".to_owned(), n(updated_at)),
    ])
}

fn position_of(key: &Item) -> Option<Position> {
    let fields = Fields(key);
    Some(Position {
        key: fields.str("pk")?.to_owned(),
        updated_at: fields.number("updatedAt").map(Timestamp::from_ms),
    })
}
