//! The `deliveries` table: deliveries that are not done. Every write is a compare-and-set.
//!
//! Attributes: `pk` (delivery ID), `state` (`pending`, `held` or `dead`), `attempt`, `uncharged`,
//! `nextAt`, `leaseUntil`, `leaseToken`, `wokenUntil`, `dueBucket`, `subscriptionId`, `scope`,
//! `eventId`, `event` (JSON text), `lastOutcome`, `reason`, `history` (JSON text), `createdAt`,
//! `updatedAt` (epoch milliseconds), `ttl` (epoch seconds). A pending item lies in the index `due`
//! under its time and one of 16 buckets, a held one in its subscription's own bucket, under the
//! time since when it is held, a dead one nowhere.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use domain::delivery::Recorded;
use domain::id::{DeliveryId, SubscriptionId};
use domain::ledger::{
    Claim, Death, Lease, LedgerItem, Settlement, State, due_bucket, expires_at_s, held_bucket,
};
use domain::limits::DUE_TOLERANCE_MS;
use domain::message::Wakeup;
use domain::sweep::woken_until;
use domain::time::Timestamp;

use crate::aws::sentence;
use crate::clock;
use crate::item::{Fields, held, n, s};
use crate::lazy::Lazy;

/// An item as `DynamoDB` has it.
pub type Item = HashMap<String, AttributeValue>;

pub(crate) const PENDING: &str = "pending";
pub(crate) const HELD: &str = "held";
pub(crate) const DEAD: &str = "dead";

/// The table could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deliveries table could not be read or written")]
pub struct Unavailable;

/// The ledger in `DynamoDB`.
pub struct Ledger {
    client: Lazy<Client>,
    table: String,
}

impl Ledger {
    /// The ledger in this table.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, table: String) -> Self {
        Self { client: client.into(), table }
    }

    /// Writes a new item, unless there is one of this delivery.
    pub async fn record(&self, item: &LedgerItem) -> Result<Recorded, Unavailable> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(item)?))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match held(put, PutItemError::is_conditional_check_failed_exception) {
            Ok(true) => Ok(Recorded::New),
            Ok(false) => Ok(Recorded::AlreadyThere),
            Err(error) => Err(unavailable("record", &error)),
        }
    }

    /// Claims the item of a wake-up.
    pub async fn claim(
        &self,
        wakeup: &Wakeup,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim, Unavailable> {
        let due = now.plus_ms(DUE_TOLERANCE_MS);
        // The SDK repeats a call whose answer got lost. By its token a claim knows its own lease.
        let token = u64::from_ne_bytes(clock::dice()).to_string();
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(wakeup.delivery_id.as_str()))
            .update_expression("SET leaseUntil = :until, leaseToken = :token")
            .condition_expression(
                "#state = :pending AND attempt = :attempt AND nextAt <= :due \
                 AND (attribute_not_exists(leaseUntil) OR leaseUntil < :now)",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":pending", s(PENDING))
            .expression_attribute_values(":attempt", n(wakeup.attempt))
            .expression_attribute_values(":due", n(due.as_ms()))
            .expression_attribute_values(":now", n(now.as_ms()))
            .expression_attribute_values(":until", n(until.as_ms()))
            .expression_attribute_values(":token", s(&token))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match update {
            Ok(output) => Ok(claimed(&output.attributes.unwrap_or_default(), wakeup, until)),
            Err(SdkError::ServiceError(refused)) => match refused.into_err() {
                UpdateItemError::ConditionalCheckFailedException(failed) => {
                    let item = failed.item.unwrap_or_default();
                    if Fields(&item).str("leaseToken") == Some(&token) {
                        return Ok(claimed(&item, wakeup, until));
                    }
                    Ok(refused_claim(&item, wakeup, due))
                }
                error => Err(unavailable("claim", &error)),
            },
            Err(error) => Err(unavailable("claim", &error)),
        }
    }

    /// Leaves a claimed item as told, if the lease is still ours.
    pub async fn settle(
        &self,
        lease: &Lease,
        settlement: &Settlement,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        match settlement {
            Settlement::Delivered => self.remove(lease).await,
            Settlement::Kept { attempt, last_outcome, state } => {
                self.keep(lease, *attempt, last_outcome, state, now).await
            }
        }
    }

    const OURS: &str = "attempt = :claimed AND leaseUntil = :until";

    async fn remove(&self, lease: &Lease) -> Result<(), Unavailable> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .key("pk", s(lease.delivery_id.as_str()))
            .condition_expression(Self::OURS)
            .expression_attribute_values(":claimed", n(lease.attempt))
            .expression_attribute_values(":until", n(lease.until.as_ms()))
            .send()
            .await;
        // Where the condition did not hold, someone else answers for the item.
        let _is_ours = held(delete, DeleteItemError::is_conditional_check_failed_exception)
            .map_err(|error| unavailable("settle", &error))?;
        Ok(())
    }

    async fn keep(
        &self,
        lease: &Lease,
        attempt: u32,
        last_outcome: &str,
        state: &State,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let changed = "SET #state = :state, attempt = :attempt, lastOutcome = :outcome, \
                       updatedAt = :now";
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(lease.delivery_id.as_str()))
            .condition_expression(Self::OURS)
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":claimed", n(lease.attempt))
            .expression_attribute_values(":until", n(lease.until.as_ms()))
            .expression_attribute_values(":attempt", n(attempt))
            .expression_attribute_values(":outcome", s(last_outcome))
            .expression_attribute_values(":now", n(now.as_ms()));
        let update = match state {
            State::Pending { next_at } => update
                .update_expression(format!(
                    "{changed}, nextAt = :next, wokenUntil = :woken REMOVE leaseUntil, leaseToken"
                ))
                .expression_attribute_values(":state", s(PENDING))
                .expression_attribute_values(":next", n(next_at.as_ms()))
                .expression_attribute_values(":woken", woken(*next_at, now)),
            State::Held { by, since } => update
                .update_expression(format!(
                    "{changed}, nextAt = :since, wokenUntil = :none, dueBucket = :bucket \
                     REMOVE leaseUntil, leaseToken"
                ))
                .expression_attribute_values(":state", s(HELD))
                .expression_attribute_values(":since", n(since.as_ms()))
                .expression_attribute_values(":none", n(0))
                .expression_attribute_values(":bucket", n(held_bucket(by))),
            State::Dead { reason } => update
                .update_expression(format!(
                    "{changed}, reason = :reason, #ttl = :ttl REMOVE leaseUntil, leaseToken, \
                     nextAt, wokenUntil, dueBucket"
                ))
                .expression_attribute_names("#ttl", "ttl")
                .expression_attribute_values(":state", s(DEAD))
                .expression_attribute_values(":reason", s(reason.to_string()))
                .expression_attribute_values(
                    ":ttl",
                    n(expires_at_s(state, now).unwrap_or_default()),
                ),
        };
        let update = update.send().await;
        let _is_ours = held(update, UpdateItemError::is_conditional_check_failed_exception)
            .map_err(|error| unavailable("settle", &error))?;
        Ok(())
    }
}

pub(crate) fn unavailable(
    operation: &'static str,
    error: &(impl std::error::Error + 'static),
) -> Unavailable {
    tracing::error!(
        operation,
        error = sentence(error),
        "the deliveries table could not be read or written"
    );
    Unavailable
}

/// `wokenUntil` of an item written at this moment; 0 when no wake-up is under way.
fn woken(next_at: Timestamp, written_at: Timestamp) -> AttributeValue {
    n(woken_until(next_at, written_at).map_or(0, Timestamp::as_ms))
}

/// A delivery as the attributes of its item. Its history is not among them: whoever redrives a
/// delivery writes that.
pub fn to_item(item: &LedgerItem) -> Result<Item, Unavailable> {
    let event = serde_json::to_string(&item.event).map_err(|_| Unavailable)?;
    let mut attributes = Item::from([
        ("pk".to_owned(), s(item.delivery_id.as_str())),
        ("subscriptionId".to_owned(), s(item.subscription_id.as_str())),
        ("scope".to_owned(), s(item.event.scope.key())),
        ("event".to_owned(), s(event)),
        ("eventId".to_owned(), s(item.event.id.as_str())),
        ("attempt".to_owned(), n(item.attempt)),
        ("uncharged".to_owned(), n(item.uncharged)),
        ("lastOutcome".to_owned(), s(&item.last_outcome)),
        ("createdAt".to_owned(), n(item.created_at.as_ms())),
        ("updatedAt".to_owned(), n(item.updated_at.as_ms())),
    ]);
    match &item.state {
        State::Pending { next_at } => {
            attributes.insert("state".to_owned(), s(PENDING));
            attributes.insert("nextAt".to_owned(), n(next_at.as_ms()));
            attributes.insert("dueBucket".to_owned(), n(due_bucket(&item.delivery_id)));
            attributes.insert("wokenUntil".to_owned(), woken(*next_at, item.updated_at));
        }
        State::Held { by, since } => {
            attributes.insert("state".to_owned(), s(HELD));
            attributes.insert("nextAt".to_owned(), n(since.as_ms()));
            attributes.insert("dueBucket".to_owned(), n(held_bucket(by)));
            attributes.insert("wokenUntil".to_owned(), n(0));
        }
        State::Dead { reason } => {
            attributes.insert("state".to_owned(), s(DEAD));
            attributes.insert("reason".to_owned(), s(reason.to_string()));
        }
    }
    if let Some(ttl) = expires_at_s(&item.state, item.updated_at) {
        attributes.insert("ttl".to_owned(), n(ttl));
    }
    Ok(attributes)
}

fn claimed(item: &Item, wakeup: &Wakeup, until: Timestamp) -> Claim {
    let lease = Lease { delivery_id: wakeup.delivery_id.clone(), attempt: wakeup.attempt, until };
    if let Some(item) = pending_item(item) {
        Claim::Claimed(Box::new(item), lease)
    } else {
        tracing::error!(
            delivery_id = %wakeup.delivery_id,
            "a ledger item cannot be read and becomes a dead letter"
        );
        Claim::Unreadable(lease)
    }
}

/// How it was given up before; a text that cannot be read costs the history, not the delivery.
pub(crate) fn history(item: &Item) -> Vec<Death> {
    let fields = Fields(item);
    fields.str("history").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Reads the item of a pending delivery; `None` when that cannot be done.
#[must_use]
pub fn pending_item(item: &Item) -> Option<LedgerItem> {
    let fields = Fields(item);
    Some(LedgerItem {
        delivery_id: DeliveryId::try_from(fields.str("pk")?.to_owned()).ok()?,
        subscription_id: SubscriptionId::parse(fields.str("subscriptionId")?).ok()?,
        event: serde_json::from_str(fields.str("event")?).ok()?,
        attempt: fields.number("attempt")?,
        // Not yet written by the first release.
        uncharged: fields.number("uncharged").unwrap_or_default(),
        last_outcome: fields.str("lastOutcome").unwrap_or_default().to_owned(),
        state: State::Pending { next_at: Timestamp::from_ms(fields.number("nextAt")?) },
        history: history(item),
        created_at: Timestamp::from_ms(fields.number("createdAt")?),
        updated_at: Timestamp::from_ms(fields.number("updatedAt")?),
    })
}

/// Why a claim was refused, read from the item that refused it.
fn refused_claim(item: &Item, wakeup: &Wakeup, due: Timestamp) -> Claim {
    let fields = Fields(item);
    let read = || {
        let is_ours =
            fields.str("state")? == PENDING && fields.number("attempt") == Some(wakeup.attempt);
        let next_at = Timestamp::from_ms(fields.number("nextAt")?);
        let subscription_id = SubscriptionId::parse(fields.str("subscriptionId")?).ok()?;
        (is_ours && next_at > due).then_some(Claim::NotDue { next_at, subscription_id })
    };
    read().unwrap_or(Claim::Taken)
}
