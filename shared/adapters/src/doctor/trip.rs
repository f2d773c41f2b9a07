//! A round trip's own rows: written, looked at, and deleted.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::breaker::BreakerKey;
use domain::doctor::Unseen;
use domain::doctor::round_trip::{Item, Traces, Trip};
use domain::subscription::Subscription;

use super::unseen::unseen;
use crate::item::{Fields, from_json, s};

/// The two tables that a trip leaves traces in.
pub struct TripTables {
    client: Client,
    subscriptions: String,
    deliveries: String,
}

type Row = HashMap<String, AttributeValue>;

impl TripTables {
    /// Of these names.
    #[must_use]
    pub fn new(config: &SdkConfig, subscriptions: String, deliveries: String) -> Self {
        Self { client: Client::new(config), subscriptions, deliveries }
    }

    /// Writes the subscription.
    pub async fn begin(&self, trip: &Trip) -> Result<(), Unseen> {
        let row = trip.row().into_iter().map(|(name, value)| (name, from_json(&value))).collect();
        let put = self.client.put_item().table_name(&self.subscriptions).set_item(Some(row));
        let put = put.condition_expression("attribute_not_exists(pk)").send().await;
        let on = table(&self.subscriptions);
        put.map(drop).map_err(|error| unseen(&error, "dynamodb:PutItem", &on))
    }

    /// What the tables say of the trip.
    pub async fn look(&self, trip: &Trip) -> Result<Traces, Unseen> {
        // One after the other: a failure is in the ledger before its row is marked, so who sees the
        // mark first and no item afterwards knows that there was no failure.
        let row = self.get(&self.subscriptions, row_key(trip)).await?.unwrap_or_default();
        let item = self.get(&self.deliveries, item_key(trip.delivery_id().as_str())).await?;
        let item = item.as_ref().map(|item| {
            let fields = Fields(item);
            Item {
                state: fields.str("state").unwrap_or_default().to_owned(),
                reason: fields.str("reason").map(str::to_owned),
                last_outcome: fields.str("lastOutcome").unwrap_or_default().to_owned(),
            }
        });
        Ok(trip.traces(Fields(&row).str("verifiedEndpoint"), item))
    }

    /// Deletes all that the trip has left: the subscription first, so that nothing new comes of it.
    /// Says what could not be deleted, and why.
    pub async fn end(&self, trip: &Trip) -> Vec<(&'static str, Unseen)> {
        let breaker = BreakerKey::new(&trip.scope, &trip.subscription_id).to_string();
        let row = self.delete(&self.subscriptions, row_key(trip)).await;
        let (item, breaker) = tokio::join!(
            self.delete(&self.deliveries, item_key(trip.delivery_id().as_str())),
            self.delete(&self.deliveries, item_key(&breaker)),
        );
        let left = [("the subscription", row), ("the delivery", item), ("the breaker", breaker)];
        left.into_iter().filter_map(|(what, deleted)| Some((what, deleted.err()?))).collect()
    }

    async fn get(&self, name: &str, key: Row) -> Result<Option<Row>, Unseen> {
        let get = self.client.get_item().table_name(name).set_key(Some(key));
        let got = get.consistent_read(true).send().await;
        let got = got.map_err(|error| unseen(&error, "dynamodb:GetItem", &table(name)))?;
        Ok(got.item)
    }

    async fn delete(&self, name: &str, key: Row) -> Result<(), Unseen> {
        let delete = self.client.delete_item().table_name(name).set_key(Some(key)).send().await;
        delete.map(drop).map_err(|error| unseen(&error, "dynamodb:DeleteItem", &table(name)))
    }
}

fn table(name: &str) -> String {
    format!("table/{name}")
}

fn row_key(trip: &Trip) -> Row {
    let sort_key = Subscription::sort_key_of(&trip.subscription_id);
    Row::from([("pk".to_owned(), s(trip.scope.key())), ("sk".to_owned(), s(sort_key))])
}

fn item_key(pk: &str) -> Row {
    Row::from([("pk".to_owned(), s(pk))])
}
