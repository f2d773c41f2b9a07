//! What the table `deliveries` says of one subscription, and its row in `subscriptions`.

use std::collections::{BTreeMap, HashMap};

use adapters::breakers::Breakers;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::breaker::{Breaker, BreakerKey, Phase, Ports as _};
use domain::id::SubscriptionId;
use domain::scope::Scope;

use crate::Local;

type Item = HashMap<String, AttributeValue>;

/// The tables, as far as they are about the subscription.
pub(super) struct Table {
    dynamodb: aws_sdk_dynamodb::Client,
    breakers: Breakers,
    key: BreakerKey,
    deliveries: String,
    subscriptions: String,
}

/// What was seen in `deliveries` at a moment.
#[derive(Default)]
pub(super) struct Sight {
    /// Where the breaker stood.
    pub(super) phase: Phase,
    /// Attempts charged to each delivery that is not done.
    pub(super) attempts: BTreeMap<String, u32>,
    /// How many of them were held.
    pub(super) held: usize,
}

impl Table {
    pub(super) fn new(local: &Local, scope: &Scope, subscription_id: &SubscriptionId) -> Self {
        let dynamodb = local.clients().dynamodb.clone();
        let name = |id: &str| local.stack().table(id).map_or(String::new(), |it| it.name.clone());
        let deliveries = name("DeliveriesTable");
        Self {
            breakers: Breakers::new(dynamodb.clone(), deliveries.clone()),
            key: BreakerKey::new(scope, subscription_id),
            dynamodb,
            deliveries,
            subscriptions: name("SubscriptionsTable"),
        }
    }

    /// Writes the subscription's row.
    pub(super) async fn subscribe(&self, row: Item) -> Result<(), String> {
        let put = self.dynamodb.put_item().table_name(&self.subscriptions);
        let put = put.set_item(Some(row)).send().await;
        put.map(drop).map_err(|error| DisplayErrorContext(error).to_string())
    }

    /// Removes the subscription's row.
    pub(super) async fn unsubscribe(&self) -> Result<(), String> {
        let delete = self.dynamodb.delete_item().table_name(&self.subscriptions);
        let sort_key = format!("SUBSCRIPTION#{}", self.key.subscription_id);
        let delete = delete
            .key("pk", AttributeValue::S(self.key.scope.key()))
            .key("sk", AttributeValue::S(sort_key))
            .send()
            .await;
        delete.map(drop).map_err(|error| DisplayErrorContext(error).to_string())
    }

    /// Looks at the breaker and at the deliveries.
    pub(super) async fn look(&self) -> Result<Sight, String> {
        let breaker = self.breakers.of(&self.key).await;
        let Breaker { phase, .. } = breaker.map_err(|error| error.to_string())?;
        let scan = self
            .dynamodb
            .scan()
            .table_name(&self.deliveries)
            .consistent_read(true)
            .filter_expression("subscriptionId = :id")
            .expression_attribute_values(
                ":id",
                AttributeValue::S(self.key.subscription_id.to_string()),
            )
            .send()
            .await;
        let items = scan.map_err(|error| DisplayErrorContext(error).to_string())?.items;
        let mut sight = Sight { phase, ..Sight::default() };
        for item in items.unwrap_or_default() {
            let text = |name: &str| item.get(name).and_then(|it| it.as_s().ok()).cloned();
            let attempt = item.get("attempt").and_then(|it| it.as_n().ok()?.parse().ok());
            let (Some(delivery_id), Some(attempt)) = (text("pk"), attempt) else { continue };
            sight.held += usize::from(text("state").as_deref() == Some("held"));
            sight.attempts.insert(delivery_id, attempt);
        }
        Ok(sight)
    }
}
