//! The ledger in memory, with the conditions of the real one; the contract suite compares them.

use std::collections::BTreeMap;

use domain::delivery::Recorded;
use domain::id::DeliveryId;
use domain::ledger::{Claim, Lease, LedgerItem, Settlement, State, due_bucket};
use domain::limits::DUE_TOLERANCE_MS;
use domain::message::Wakeup;
use domain::sweep::{DueItem, Page, Position, woken_until};
use domain::time::Timestamp;

#[derive(Default)]
pub(super) struct Ledger(BTreeMap<DeliveryId, Row>);

struct Row {
    item: LedgerItem,
    lease_until: Option<Timestamp>,
    woken_until: Option<Timestamp>,
    is_spoiled: bool,
}

impl Ledger {
    pub(super) fn items(&self) -> Vec<LedgerItem> {
        self.0.values().map(|row| row.item.clone()).collect()
    }

    pub(super) fn lease_until(&self, delivery: &DeliveryId) -> Option<Timestamp> {
        self.0.get(delivery)?.lease_until
    }

    pub(super) fn due(&self) -> Vec<(Timestamp, DeliveryId)> {
        let pending = self.0.values().filter_map(|row| match row.item.state {
            State::Pending { next_at } => Some((next_at, row.item.delivery_id.clone())),
            State::Dead { .. } => None,
        });
        let mut due: Vec<_> = pending.collect();
        due.sort();
        due
    }

    pub(super) fn spoil(&mut self, delivery: &DeliveryId) {
        self.0.get_mut(delivery).expect("an item to spoil").is_spoiled = true;
    }

    pub(super) fn record(&mut self, item: &LedgerItem) -> Recorded {
        if self.0.contains_key(&item.delivery_id) {
            return Recorded::AlreadyThere;
        }
        let woken_until = woken(&item.state, item.updated_at);
        let row = Row { item: item.clone(), lease_until: None, woken_until, is_spoiled: false };
        self.0.insert(item.delivery_id.clone(), row);
        Recorded::New
    }

    pub(super) fn claim(&mut self, wakeup: &Wakeup, now: Timestamp, until: Timestamp) -> Claim {
        let Some(row) = self.0.get_mut(&wakeup.delivery_id) else { return Claim::Taken };
        let State::Pending { next_at } = row.item.state else { return Claim::Taken };
        if row.item.attempt != wakeup.attempt {
            return Claim::Taken;
        }
        if next_at > now.plus_ms(DUE_TOLERANCE_MS) {
            return Claim::NotDue { next_at, subscription_id: row.item.subscription_id.clone() };
        }
        if row.lease_until.is_some_and(|lease_until| lease_until >= now) {
            return Claim::Taken;
        }
        row.lease_until = Some(until);
        let lease =
            Lease { delivery_id: wakeup.delivery_id.clone(), attempt: wakeup.attempt, until };
        if row.is_spoiled {
            return Claim::Unreadable(lease);
        }
        Claim::Claimed(Box::new(row.item.clone()), lease)
    }

    pub(super) fn settle(&mut self, lease: &Lease, settlement: &Settlement, now: Timestamp) {
        let Some(row) = self.0.get_mut(&lease.delivery_id) else { return };
        if row.item.attempt != lease.attempt || row.lease_until != Some(lease.until) {
            return;
        }
        match settlement {
            Settlement::Delivered => {
                self.0.remove(&lease.delivery_id);
            }
            Settlement::Kept { attempt, last_outcome, state } => {
                row.item.attempt = *attempt;
                row.item.last_outcome.clone_from(last_outcome);
                row.item.state = state.clone();
                row.item.updated_at = now;
                row.lease_until = None;
                row.woken_until = woken(state, now);
            }
        }
    }

    /// A page of a bucket, oldest first, of at most this many items.
    pub(super) fn page(
        &self,
        bucket: u64,
        now: Timestamp,
        after: Option<&Position>,
        items_max: usize,
    ) -> Page {
        let is_behind = |at: Timestamp, id: &DeliveryId| {
            after.is_none_or(|after| (at, id) > (after.next_at, &after.delivery_id))
        };
        let mut items: Vec<DueItem> = self
            .0
            .values()
            .filter(|row| due_bucket(&row.item.delivery_id) == bucket)
            .filter_map(Row::due)
            .filter(|item| item.next_at <= now && is_behind(item.next_at, &item.delivery_id))
            .collect();
        items.sort_by(|a, b| (a.next_at, &a.delivery_id).cmp(&(b.next_at, &b.delivery_id)));
        let is_last = items.len() <= items_max;
        items.truncate(items_max);
        let position = |item: &DueItem| Position {
            delivery_id: item.delivery_id.clone(),
            next_at: item.next_at,
        };
        let next = items.last().filter(|_| !is_last).map(position);
        // As the real index: the filter comes after the page was cut.
        items.retain(|item| item.woken_until.is_none_or(|until| until < now));
        Page { items, next }
    }

    pub(super) fn mark(&mut self, found: &DueItem, woken_until: Timestamp) -> bool {
        let Some(row) = self.0.get_mut(&found.delivery_id) else { return false };
        let stands = row.due().as_ref() == Some(found);
        if stands {
            row.woken_until = Some(woken_until);
        }
        stands
    }
}

impl Row {
    /// The row as the index has it; `None` of one that is not pending.
    fn due(&self) -> Option<DueItem> {
        let State::Pending { next_at } = self.item.state else { return None };
        Some(DueItem {
            delivery_id: self.item.delivery_id.clone(),
            subscription_id: self.item.subscription_id.clone(),
            attempt: self.item.attempt,
            next_at,
            woken_until: self.woken_until,
        })
    }
}

fn woken(state: &State, written_at: Timestamp) -> Option<Timestamp> {
    match state {
        State::Pending { next_at } => woken_until(*next_at, written_at),
        State::Dead { .. } => None,
    }
}
