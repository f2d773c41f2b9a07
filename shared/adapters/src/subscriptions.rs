//! The `subscriptions` table: one Query a scope, remembered for at most 30 seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::Trouble;
use domain::event_type::EventTypeNames;
use domain::limits::SUBSCRIPTIONS_STALENESS_MAX_MS;
use domain::scope::Scope;
use domain::subscription::{Subscription, Subscriptions};
use domain::time::Timestamp;

use crate::aws::sentence;
use crate::clock;
use crate::item::{held, n, s, to_json};
use crate::lazy::Lazy;

/// Scopes remembered at once. Beyond it the cache starts anew: memory stays bounded.
const SCOPES_MAX: usize = 1_000;

/// The table could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the subscriptions table could not be read")]
pub struct Unreadable;

/// Reads subscriptions by scope. Two that ask for the same scope at once share one Query.
pub struct SubscriptionTable {
    client: Lazy<Client>,
    table: String,
    names: EventTypeNames,
    staleness_max_ms: u64,
    scopes: Mutex<HashMap<Scope, Slot>>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Read>>>;

#[derive(Clone)]
struct Read {
    at: Timestamp,
    subscriptions: Arc<Subscriptions>,
}

impl SubscriptionTable {
    /// A reader of this table. `staleness_max_ms` is how old what it answers may be, at most 30 s.
    #[must_use]
    pub fn new(
        client: impl Into<Lazy<Client>>,
        table: String,
        names: EventTypeNames,
        staleness_max_ms: u64,
    ) -> Self {
        let staleness_max_ms = staleness_max_ms.min(SUBSCRIPTIONS_STALENESS_MAX_MS);
        Self { client: client.into(), table, names, staleness_max_ms, scopes: Mutex::default() }
    }

    /// The subscriptions of a scope.
    ///
    /// When the table cannot be read, what was remembered longer than the bound is not used: a
    /// subscription that was switched off must not be served.
    pub async fn of(&self, scope: &Scope) -> Result<Arc<Subscriptions>, Unreadable> {
        let slot = self.slot(scope);
        let mut read = slot.lock().await;
        let now = clock::now();
        if let Some(fresh) = read.as_ref().filter(|read| self.is_fresh(read, now)) {
            return Ok(Arc::clone(&fresh.subscriptions));
        }
        let rows = self.rows(scope).await?;
        let subscriptions = Arc::new(Subscriptions::read(scope, rows, &self.names));
        for row in &subscriptions.unreadable {
            tracing::warn!(
                scope = scope.key(), row = row.sort_key, problem = %row.problem,
                "a subscription row cannot be read and is skipped"
            );
        }
        // Age counts from before the Query was sent: that is what the answer is a picture of.
        *read = Some(Read { at: now, subscriptions: Arc::clone(&subscriptions) });
        Ok(subscriptions)
    }

    /// Sets `enabled` to false, with when and why beside it, if the row still has this endpoint.
    /// `false` when the table could not be written.
    pub async fn disable(&self, subscription: &Subscription, reason: &str) -> bool {
        let update = self
            .update(subscription)
            .update_expression("SET enabled = :no, disabledAt = :now, disabledReason = :reason")
            .condition_expression("endpoint = :endpoint")
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .expression_attribute_values(":now", n(clock::now().as_ms()))
            .expression_attribute_values(":reason", s(reason))
            .send()
            .await;
        // Nothing remembered may speak for the row as it was.
        *self.slot(&subscription.scope).lock().await = None;
        held(update, UpdateItemError::is_conditional_check_failed_exception)
            .inspect_err(|error| {
                tracing::error!(error = sentence(error), "a subscription could not be disabled");
            })
            .unwrap_or(false)
    }

    /// Writes or removes `troubledAt`, if the row still has this endpoint. What could not be written
    /// is logged, and that is all.
    pub async fn note_trouble(&self, subscription: &Subscription, trouble: Trouble) {
        let update = self.update(subscription);
        let update = match trouble {
            Trouble::Begins => update
                .update_expression("SET troubledAt = :now")
                .condition_expression("endpoint = :endpoint")
                .expression_attribute_values(":now", n(clock::now().as_ms())),
            Trouble::Ends => update
                .update_expression("REMOVE troubledAt")
                .condition_expression("endpoint = :endpoint AND attribute_exists(troubledAt)"),
        };
        let update = update.send().await;
        *self.slot(&subscription.scope).lock().await = None;
        let noted = held(update, UpdateItemError::is_conditional_check_failed_exception);
        if let Err(error) = noted {
            tracing::warn!(error = sentence(&error), "a subscription's trouble was not noted");
        }
    }

    /// Writes `verifiedEndpoint` and `verifiedAt` into the row, if it is there. The mark names its
    /// endpoint, so it says nothing of a row that has moved; and a role that may write these two
    /// need not be able to write `endpoint`, as it would with a condition on it. What could not be
    /// written is logged, and that is all. What is remembered of the row stays: who has verified the
    /// endpoint knows, until the row is read again.
    pub async fn mark_verified(&self, subscription: &Subscription) {
        let update = self
            .update(subscription)
            .update_expression("SET verifiedEndpoint = :endpoint, verifiedAt = :now")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", n(clock::now().as_ms()))
            .send()
            .await;
        let marked = held(update, UpdateItemError::is_conditional_check_failed_exception);
        if let Err(error) = marked {
            tracing::warn!(error = sentence(&error), "a verification was not written down");
        }
    }

    /// An update of a subscription's row, with its endpoint as `:endpoint`: one that has moved is not
    /// the one in question.
    fn update(&self, subscription: &Subscription) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(subscription.scope.key()))
            .key("sk", s(subscription.sort_key()))
            .expression_attribute_values(":endpoint", s(&subscription.endpoint))
    }

    fn is_fresh(&self, read: &Read, now: Timestamp) -> bool {
        // A clock that jumped back makes everything stale.
        now >= read.at && now.since_ms(read.at) < self.staleness_max_ms
    }

    fn slot(&self, scope: &Scope) -> Slot {
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        if scopes.len() >= SCOPES_MAX && !scopes.contains_key(scope) {
            scopes.clear();
        }
        Arc::clone(scopes.entry(scope.clone()).or_default())
    }

    /// The rows of a scope as they stand now, read or not.
    pub async fn rows(
        &self,
        scope: &Scope,
    ) -> Result<Vec<serde_json::Map<String, serde_json::Value>>, Unreadable> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :scope")
            .expression_attribute_values(":scope", s(scope.key()))
            .into_paginator()
            .items()
            .send();
        let mut rows = Vec::new();
        while let Some(row) = pages.next().await {
            let row = row.map_err(|error| unreadable(scope, &error))?;
            rows.push(to_json(row));
        }
        Ok(rows)
    }
}

pub(crate) fn unreadable(scope: &Scope, error: &(impl std::error::Error + 'static)) -> Unreadable {
    tracing::error!(
        scope = scope.key(),
        error = sentence(error),
        "the subscriptions table could not be read"
    );
    Unreadable
}
