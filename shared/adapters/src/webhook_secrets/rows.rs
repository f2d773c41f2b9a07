//! Where sealed secrets lie: in their subscription's row.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::OurFault;
use domain::subscription::{Format, Subscription, SubscriptionKey, WebhookSecrets};
use domain::webhook_secrets::Found;

use crate::aws::sentence;
use crate::item::{from_json, held, s, to_json};

/// The rows of the table `subscriptions`.
pub struct SecretRows {
    client: Client,
    table: String,
}

impl SecretRows {
    /// Of this table.
    #[must_use]
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// What a row says of its webhooks.
    pub async fn find(&self, owner: &SubscriptionKey) -> Result<Found, OurFault> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(owner)))
            .projection_expression("webhookSecrets, #format, pk")
            // A reserved word.
            .expression_attribute_names("#format", "format")
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| {
                tracing::error!(error = sentence(&error), "a subscription could not be read");
                OurFault::Subscriptions
            })?;
        let Some(row) = read.item.map(to_json) else { return Ok(Found::Nothing) };
        let format = Format::of_attribute(row.get("format"));
        Ok(match WebhookSecrets::of_row(owner, row) {
            Ok(secrets) => Found::Row { secrets: Box::new(secrets), format },
            Err(problem) => Found::Unreadable(problem),
        })
    }

    /// Puts secrets into a row, if it is there and still has those before; `false` when not.
    pub async fn write(
        &self,
        owner: &SubscriptionKey,
        before: &WebhookSecrets,
        after: &WebhookSecrets,
    ) -> Result<bool, OurFault> {
        let condition = match before.to_attribute() {
            // As a row is read, `NULL` is absent too.
            None => {
                "attribute_exists(pk) AND (attribute_not_exists(webhookSecrets) \
                 OR attribute_type(webhookSecrets, :null))"
            }
            Some(_) => "attribute_exists(pk) AND webhookSecrets = :before",
        };
        let write = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(owner)))
            .update_expression("SET webhookSecrets = :after")
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values(before, after)))
            .send()
            .await;
        held(write, UpdateItemError::is_conditional_check_failed_exception).map_err(|error| {
            tracing::error!(error = sentence(&error), "a subscription could not be written");
            OurFault::Subscriptions
        })
    }
}

fn values(before: &WebhookSecrets, after: &WebhookSecrets) -> HashMap<String, AttributeValue> {
    let before = match before.to_attribute() {
        None => (":null".to_owned(), s("NULL")),
        Some(before) => (":before".to_owned(), from_json(&before)),
    };
    let after = after.to_attribute().map(|after| (":after".to_owned(), from_json(&after)));
    after.into_iter().chain([before]).collect()
}

fn key(owner: &SubscriptionKey) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".to_owned(), s(owner.scope.key())),
        ("sk".to_owned(), s(Subscription::sort_key_of(&owner.subscription_id))),
    ])
}
