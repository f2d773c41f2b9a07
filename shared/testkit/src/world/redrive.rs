//! The ports of operators' work on the ledger, on the world.

use domain::delivery::OurFault;
use domain::id::{DeliveryId, SubscriptionId};
use domain::ledger::entry::{Entry, Filter, Standing};
use domain::ledger::{LedgerItem, State as Stands};
use domain::redrive::{Audience, Found, Page, Ports, Position, Revival};
use domain::scope::Scope;
use domain::time::Timestamp;
use serde_json::Value;

use super::faults::Call;
use super::ports::Failed;
use super::{State, World};

/// Items that a page looks at: few, so that small lists have several.
const PAGE_ITEMS: usize = 3;

impl Ports for World {
    fn now(&self) -> Timestamp {
        World::now(self)
    }

    async fn page(&self, filter: &Filter, after: Option<&Position>) -> Result<Page, OurFault> {
        let page = self.call(Call::List, |state| page(state, filter, after)).await;
        page.map_err(|Failed| OurFault::Ledger)
    }

    async fn find(&self, delivery_id: &DeliveryId) -> Result<Found, OurFault> {
        let find = |state: &mut State| {
            let items = state.ledger.items();
            let item = items.iter().find(|item| item.delivery_id == *delivery_id);
            item.map_or(Found::NotThere, |item| Found::Entry(Box::new(entry(item))))
        };
        self.call(Call::Look, find).await.map_err(|Failed| OurFault::Ledger)
    }

    async fn audience(
        &self,
        scope: &Scope,
        subscription_id: &SubscriptionId,
    ) -> Result<Audience, OurFault> {
        let hear = |state: &mut State| match state.subscriptions.enabled(scope, subscription_id) {
            None => Audience::Deleted,
            Some(Value::Bool(true)) => Audience::Listening,
            Some(Value::Bool(false)) => Audience::Disabled,
            Some(_) => Audience::Unreadable,
        };
        self.call(Call::Subscriptions, hear).await.map_err(|Failed| OurFault::Subscriptions)
    }

    async fn revive(&self, found: &Entry, revival: &Revival) -> Result<bool, OurFault> {
        let revive = |state: &mut State| state.ledger.revive(found, revival, state.now);
        self.call(Call::Revive, revive).await.map_err(|Failed| OurFault::Ledger)
    }
}

fn page(state: &State, filter: &Filter, after: Option<&Position>) -> Page {
    let mut items = state.ledger.items();
    if let Some(subscription) = &filter.subscription_id {
        items.retain(|item| item.subscription_id == *subscription);
        items.sort_by_key(|item| position(item, filter));
    }
    let behind = after.map(|after| (after.updated_at, after.key.clone()));
    items.retain(|item| behind.is_none() || Some(position(item, filter)) > behind);
    let is_last = items.len() <= PAGE_ITEMS;
    items.truncate(PAGE_ITEMS);
    let next = items.last().filter(|_| !is_last).map(|item| {
        let (updated_at, key) = position(item, filter);
        Position { key, updated_at }
    });
    let mut entries: Vec<Entry> = items.iter().map(entry).collect();
    entries.retain(|entry| filter.matches(entry));
    for entry in &mut entries {
        entry.history.clear();
    }
    Page { looked_at: items.len(), entries, unreadable: Vec::new(), next }
}

/// An item's place in a list: by time in one of a subscription, else by key.
fn position(item: &LedgerItem, filter: &Filter) -> (Option<Timestamp>, String) {
    let is_by_time = filter.subscription_id.is_some();
    (is_by_time.then_some(item.updated_at), item.delivery_id.to_string())
}

fn entry(item: &LedgerItem) -> Entry {
    let standing = match &item.state {
        Stands::Pending { next_at } => Standing::Pending { next_at: *next_at },
        Stands::Held { since, .. } => Standing::Held { since: *since },
        Stands::Dead { reason } => Standing::Dead { reason: reason.to_string() },
    };
    Entry {
        delivery_id: item.delivery_id.clone(),
        scope: item.event.scope.clone(),
        subscription_id: item.subscription_id.clone(),
        event_id: item.event.id.clone(),
        attempt: item.attempt,
        last_outcome: item.last_outcome.clone(),
        standing,
        history: item.history.clone(),
        created_at: item.created_at,
        updated_at: item.updated_at,
    }
}

impl super::SubscriptionRows {
    /// What a row says about being enabled; null when it says nothing, `None` when it is not there.
    fn enabled(&self, scope: &Scope, id: &SubscriptionId) -> Option<Value> {
        self.row(scope, id.as_str()).map(|row| row.get("enabled").cloned().unwrap_or_default())
    }
}
