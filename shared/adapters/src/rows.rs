//! Rows of the table `subscriptions`, subscriptions' and sources', as operators' commands read and write them: whole, and written
//! only if they are still as they were seen.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::apply::StoredRow;
use domain::defined::RowKey;
use domain::delivery::OurFault;
use domain::id::CaptureApplicationId;
use domain::scope::Scope;
use domain::subscription::attributes::MANAGED_BY;
use domain::subscription::{Change, SubscriptionKey};

use crate::aws::sentence;
use crate::item::{from_json, held, s, to_json};

/// The table.
pub struct Rows {
    client: Client,
    table: String,
}

/// A row as it was seen. Nothing in it can be looked at, and it has no `Debug`.
pub struct Seen(Item);

type Item = HashMap<String, AttributeValue>;

/// Where a list goes on.
pub struct Position(Item);

/// A part of a list.
pub struct RowPage {
    /// Rows of subscriptions.
    pub rows: Vec<StoredRow<Seen>>,
    /// Rows of sources: in a part of all rows alone, since a scope has none.
    pub sources: Vec<StoredRow<Seen, CaptureApplicationId>>,
    /// Where it goes on; `None` at its end.
    pub next: Option<Position>,
}

impl Rows {
    /// Of this table.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self { client: Client::new(config), table }
    }

    /// A row, if it is there.
    pub async fn find<K: RowKey>(&self, key: &K) -> Result<Option<StoredRow<Seen, K>>, OurFault> {
        let read = self.client.get_item().table_name(&self.table).set_key(Some(item_key(key)));
        let read = read.consistent_read(true).send().await.map_err(|error| unreadable(&error))?;
        Ok(read.item.map(|item| stored(key.clone(), item)))
    }

    /// A part of the rows of a scope, or of all.
    pub async fn page(
        &self,
        scope: Option<&Scope>,
        after: Option<Position>,
    ) -> Result<RowPage, OurFault> {
        let after = after.map(|Position(item)| item);
        let (items, next) = if let Some(scope) = scope {
            let query = self.client.query().table_name(&self.table);
            let page = query
                .key_condition_expression("pk = :scope")
                .expression_attribute_values(":scope", s(scope.key()))
                .consistent_read(true)
                .set_exclusive_start_key(after)
                .send()
                .await
                .map_err(|error| unreadable(&error))?;
            (page.items, page.last_evaluated_key)
        } else {
            let scan = self.client.scan().table_name(&self.table).consistent_read(true);
            let page = scan.set_exclusive_start_key(after).send().await;
            let page = page.map_err(|error| unreadable(&error))?;
            (page.items, page.last_evaluated_key)
        };
        let mut page = RowPage { rows: Vec::new(), sources: Vec::new(), next: next.map(Position) };
        for item in items.unwrap_or_default() {
            if let Some(key) = key_of::<SubscriptionKey>(&item) {
                page.rows.push(stored(key, item));
            } else if let Some(key) = key_of::<CaptureApplicationId>(&item) {
                page.sources.push(stored(key, item));
            }
        }
        Ok(page)
    }

    /// Makes changes in a row, if it still is as it was seen, or still is not there; `false` when
    /// not. What the service writes into it meanwhile does not count.
    pub async fn write<K: RowKey>(
        &self,
        key: &K,
        seen: Option<&Seen>,
        changes: &[Change],
    ) -> Result<bool, OurFault> {
        let mut condition = Expression::default();
        let condition_text = condition.unchanged::<K>(seen);
        let (mut sets, mut removals) = (Vec::new(), Vec::new());
        for Change { attribute, after, .. } in changes {
            let name = condition.name(attribute);
            match after {
                Some(value) => sets.push(format!("{name} = {}", condition.value(from_json(value)))),
                None => removals.push(name),
            }
        }
        let clauses = [("SET ", sets), ("REMOVE ", removals)];
        let clauses = clauses.into_iter().filter(|(_, parts)| !parts.is_empty());
        let update: Vec<String> =
            clauses.map(|(verb, parts)| format!("{verb}{}", parts.join(", "))).collect();
        let write = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item_key(key)))
            .update_expression(update.join(" "))
            .condition_expression(condition_text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values).filter(|all| !all.is_empty()))
            .send()
            .await;
        held(write, UpdateItemError::is_conditional_check_failed_exception)
            .map_err(|error| unwritable(&error))
    }

    /// Deletes a row, if it still is as it was seen; `false` when not.
    pub async fn delete<K: RowKey>(&self, row: &StoredRow<Seen, K>) -> Result<bool, OurFault> {
        let mut condition = Expression::default();
        let condition_text = condition.unchanged::<K>(Some(&row.seen));
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(item_key(&row.key)))
            .condition_expression(condition_text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values).filter(|all| !all.is_empty()))
            .send()
            .await;
        held(delete, DeleteItemError::is_conditional_check_failed_exception)
            .map_err(|error| unwritable(&error))
    }
}

/// Names and values of an expression, each under a placeholder: many of our names are reserved words.
#[derive(Default)]
struct Expression {
    names: HashMap<String, String>,
    values: Item,
}

impl Expression {
    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#{name}");
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// That a row's owner has changed nothing since it was seen, or that there still is none.
    fn unchanged<K: RowKey>(&mut self, seen: Option<&Seen>) -> String {
        let pk = self.name("pk");
        let Some(Seen(item)) = seen else { return format!("attribute_not_exists({pk})") };
        let names = K::owned().chain([MANAGED_BY]);
        let clauses = names.map(|name| {
            let placeholder = self.name(name);
            match item.get(name) {
                None => format!("attribute_not_exists({placeholder})"),
                Some(value) => format!("{placeholder} = {}", self.value(value.clone())),
            }
        });
        let clauses: Vec<String> = clauses.collect();
        format!("attribute_exists({pk}) AND {}", clauses.join(" AND "))
    }
}

fn stored<K>(key: K, item: Item) -> StoredRow<Seen, K> {
    StoredRow { key, attributes: to_json(item.clone()), seen: Seen(item) }
}

/// Whose row it is; `None` when it is of another kind.
fn key_of<K: RowKey>(item: &Item) -> Option<K> {
    let text = |name: &str| item.get(name)?.as_s().ok();
    K::of_row(text("pk")?, text("sk")?)
}

fn item_key(key: &impl RowKey) -> Item {
    let (pk, sk) = key.to_row();
    HashMap::from([("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))])
}

fn unreadable<E: std::error::Error + 'static>(error: &E) -> OurFault {
    tracing::error!(error = sentence(error), "the subscriptions table could not be read");
    OurFault::Subscriptions
}

fn unwritable<E, R>(error: &SdkError<E, R>) -> OurFault
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    tracing::error!(error = sentence(error), "the subscriptions table could not be written");
    OurFault::Subscriptions
}
