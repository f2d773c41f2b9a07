//! The rows of the subscriptions table, as people write them.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::delivery::Trouble;
use domain::event_type::EventTypeNames;
use domain::scope::Scope;
use domain::subscription::{Subscription, SubscriptionKey, Subscriptions};
use domain::time::Timestamp;
use serde_json::{Map, Value, json};

const SORT_KEY_PREFIX: &str = "SUBSCRIPTION#";

#[derive(Default)]
pub(super) struct SubscriptionRows {
    rows: BTreeMap<(String, String), Map<String, Value>>,
    /// As the domain reads them, until a row of the scope is written.
    read: BTreeMap<String, Arc<Subscriptions>>,
    /// When a delivery disabled which row.
    disabled: BTreeMap<(String, String), Timestamp>,
}

impl SubscriptionRows {
    pub(super) fn put(&mut self, scope: &Scope, id: &str, row: Value) {
        let Value::Object(mut row) = row else { unreachable!("a row is an object") };
        let sort_key = format!("{SORT_KEY_PREFIX}{id}");
        row.insert("sk".to_owned(), Value::String(sort_key.clone()));
        self.read.remove(&scope.key());
        self.rows.insert((scope.key(), sort_key), row);
    }

    pub(super) fn delete(&mut self, scope: &Scope, id: &str) {
        self.read.remove(&scope.key());
        self.rows.remove(&(scope.key(), format!("{SORT_KEY_PREFIX}{id}")));
    }

    pub(super) fn row(&self, scope: &Scope, id: &str) -> Option<&Map<String, Value>> {
        self.rows.get(&(scope.key(), format!("{SORT_KEY_PREFIX}{id}")))
    }

    /// All rows of a scope, as they are.
    pub(super) fn of_scope(&self, scope: &Scope) -> Vec<Map<String, Value>> {
        let key = scope.key();
        let rows = self.rows.iter().filter(|((partition, _), _)| *partition == key);
        rows.map(|(_, row)| row.clone()).collect()
    }

    pub(super) fn is_disabled(&self, scope: &Scope, id: &str) -> bool {
        let row = self.row(scope, id);
        row.is_some_and(|row| row.get("enabled") == Some(&json!(false)))
    }

    /// Disables a row that still has the subscription's endpoint.
    pub(super) fn disable(&mut self, subscription: &Subscription, now: Timestamp) -> bool {
        let key = (subscription.scope.key(), subscription.sort_key());
        let row = self.rows.get_mut(&key);
        let row = row.filter(|row| row.get("endpoint") == Some(&json!(subscription.endpoint)));
        let Some(row) = row else { return false };
        row.insert("enabled".to_owned(), json!(false));
        self.read.remove(&key.0);
        self.disabled.entry(key).or_insert(now);
        true
    }

    /// Marks a row that still has the subscription's endpoint, or takes the mark away.
    pub(super) fn note_trouble(&mut self, subscription: &Subscription, trouble: Trouble) {
        let key = (subscription.scope.key(), subscription.sort_key());
        let row = self.rows.get_mut(&key);
        let row = row.filter(|row| row.get("endpoint") == Some(&json!(subscription.endpoint)));
        if let Some(row) = row {
            match trouble {
                Trouble::Begins => row.insert("troubledAt".to_owned(), json!(1)),
                Trouble::Ends => row.remove("troubledAt"),
            };
            self.read.remove(&key.0);
        }
    }

    /// Says in a row that still has the subscription's endpoint that it is verified.
    pub(super) fn mark_verified(&mut self, subscription: &Subscription, now: Timestamp) {
        let key = (subscription.scope.key(), subscription.sort_key());
        let row = self.rows.get_mut(&key);
        let row = row.filter(|row| row.get("endpoint") == Some(&json!(subscription.endpoint)));
        if let Some(row) = row {
            row.insert("verifiedEndpoint".to_owned(), json!(subscription.endpoint));
            row.insert("verifiedAt".to_owned(), json!(now.as_ms()));
            self.read.remove(&key.0);
        }
    }

    /// Puts an attribute in the place of what it was, where it is that still.
    pub(super) fn exchange(
        &mut self,
        owner: &SubscriptionKey,
        name: &str,
        before: Option<&Value>,
        after: Option<Value>,
    ) -> bool {
        let key = (owner.scope.key(), format!("{SORT_KEY_PREFIX}{}", owner.subscription_id));
        let is_as_before =
            |row: &&mut Map<_, _>| row.get(name).filter(|it| !it.is_null()) == before;
        let row = self.rows.get_mut(&key).filter(is_as_before);
        let Some(row) = row else { return false };
        match after {
            Some(after) => row.insert(name.to_owned(), after),
            None => row.remove(name),
        };
        self.read.remove(&key.0);
        true
    }

    pub(super) fn disabled_at(&self, scope: &Scope, id: &str) -> Option<Timestamp> {
        self.disabled.get(&(scope.key(), format!("{SORT_KEY_PREFIX}{id}"))).copied()
    }

    /// As the domain reads them now.
    pub(super) fn of(&mut self, scope: &Scope) -> Arc<Subscriptions> {
        let Self { rows, read, .. } = self;
        let key = scope.key();
        let read_rows = || {
            let rows = rows.iter().filter(|((partition, _), _)| *partition == key);
            let rows = rows.map(|(_, row)| row.clone());
            Arc::new(Subscriptions::read(scope, rows, &EventTypeNames::default()))
        };
        Arc::clone(read.entry(key.clone()).or_insert_with(read_rows))
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
