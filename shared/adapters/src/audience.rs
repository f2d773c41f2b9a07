//! Whether anybody listens: one attribute of one row of the `subscriptions` table.
//!
//! Not the whole row: whether it can be honoured is the delivery function's matter, which knows
//! the deployment's names for event types.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::id::SubscriptionId;
use domain::redrive::Audience;
use domain::scope::Scope;
use domain::subscription::Subscription;

use crate::item::s;
use crate::lazy::Lazy;
use crate::subscriptions::{Unreadable, unreadable};

/// Looks at single rows, afresh every time.
pub struct Audiences {
    client: Lazy<Client>,
    table: String,
}

impl Audiences {
    /// The rows of this table.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, table: String) -> Self {
        Self { client: client.into(), table }
    }

    /// How a subscription stands now.
    pub async fn of(
        &self,
        scope: &Scope,
        subscription_id: &SubscriptionId,
    ) -> Result<Audience, Unreadable> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(scope.key()))
            .key("sk", s(Subscription::sort_key_of(subscription_id)))
            .projection_expression("pk, enabled")
            .send()
            .await;
        let output = get.map_err(|error| unreadable(scope, &error))?;
        Ok(match output.item.as_ref().map(|row| row.get("enabled")) {
            None => Audience::Deleted,
            Some(Some(AttributeValue::Bool(true))) => Audience::Listening,
            Some(Some(AttributeValue::Bool(false))) => Audience::Disabled,
            Some(_) => Audience::Unreadable,
        })
    }
}
