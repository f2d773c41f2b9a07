//! The rows of the subscriptions table, as people write them.

use std::collections::BTreeMap;

use domain::event_type::EventTypeNames;
use domain::scope::Scope;
use domain::subscription::{Subscription, Subscriptions};
use serde_json::{Map, Value, json};

const SORT_KEY_PREFIX: &str = "SUBSCRIPTION#";

#[derive(Default)]
pub(super) struct SubscriptionRows(BTreeMap<(String, String), Map<String, Value>>);

impl SubscriptionRows {
    pub(super) fn put(&mut self, scope: &Scope, id: &str, row: Value) {
        let Value::Object(mut row) = row else { unreachable!("a row is an object") };
        let sort_key = format!("{SORT_KEY_PREFIX}{id}");
        row.insert("sk".to_owned(), Value::String(sort_key.clone()));
        self.0.insert((scope.key(), sort_key), row);
    }

    pub(super) fn delete(&mut self, scope: &Scope, id: &str) {
        self.0.remove(&(scope.key(), format!("{SORT_KEY_PREFIX}{id}")));
    }

    pub(super) fn is_disabled(&self, scope: &Scope, id: &str) -> bool {
        let row = self.0.get(&(scope.key(), format!("{SORT_KEY_PREFIX}{id}")));
        row.is_some_and(|row| row.get("enabled") == Some(&json!(false)))
    }

    /// Disables a row that still has the subscription's endpoint.
    pub(super) fn disable(&mut self, subscription: &Subscription) -> bool {
        let row = self.0.get_mut(&(subscription.scope.key(), subscription.sort_key()));
        let row = row.filter(|row| row.get("endpoint") == Some(&json!(subscription.endpoint)));
        row.is_some_and(|row| row.insert("enabled".to_owned(), json!(false)).is_some())
    }

    /// As the domain reads them, afresh at every call.
    pub(super) fn of(&self, scope: &Scope) -> Subscriptions {
        let key = scope.key();
        let rows = self.0.iter().filter(|((partition, _), _)| *partition == key);
        let rows = rows.map(|(_, row)| row.clone());
        Subscriptions::read(scope, rows, &EventTypeNames::default())
    }
}

/// An enabled subscription to user data changes, with these attributes put in their place.
pub(super) fn plain_row(endpoint: &str, attributes: &Value) -> Value {
    let mut row = json!({"category": "user_data_change", "endpoint": endpoint, "enabled": true});
    for (name, value) in attributes.as_object().into_iter().flatten() {
        row[name] = value.clone();
    }
    row
}
