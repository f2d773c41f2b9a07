//! The ledger in memory, with the conditions of the real one; the contract suite compares them.

use std::collections::BTreeMap;

use domain::breaker::BreakerKey;
use domain::delivery::Recorded;
use domain::id::DeliveryId;
use domain::ledger::entry::Entry;
use domain::ledger::{Claim, Lease, LedgerItem, Reason, Settlement, State, held_bucket};
use domain::limits::DUE_TOLERANCE_MS;
use domain::message::Wakeup;
use domain::redrive::Revival;
use domain::sweep::{DueItem, Page, Position, woken_until};
use domain::time::Timestamp;

use super::index::{DueIndex, place};

#[derive(Default)]
pub(super) struct Ledger {
    rows: BTreeMap<DeliveryId, Row>,
    pub(super) index: DueIndex,
}

struct Row {
    item: LedgerItem,
    lease_until: Option<Timestamp>,
    woken_until: Option<Timestamp>,
    is_spoiled: bool,
}

impl Ledger {
    pub(super) fn items(&self) -> Vec<LedgerItem> {
        self.rows.values().map(|row| row.item.clone()).collect()
    }

    pub(super) fn lease_until(&self, delivery: &DeliveryId) -> Option<Timestamp> {
        self.rows.get(delivery)?.lease_until
    }

    /// Pending items, earliest first.
    pub(super) fn pending(&self) -> Vec<(Timestamp, DeliveryId)> {
        let pending = self.rows.values().filter_map(|row| match row.item.state {
            State::Pending { next_at } => Some((next_at, row.item.delivery_id.clone())),
            State::Held { .. } | State::Dead { .. } => None,
        });
        let mut due: Vec<_> = pending.collect();
        due.sort();
        due
    }

    pub(super) fn spoil(&mut self, delivery: &DeliveryId) {
        self.rows.get_mut(delivery).expect("an item to spoil").is_spoiled = true;
    }

    pub(super) fn record(&mut self, item: &LedgerItem, now: Timestamp) -> Recorded {
        if self.rows.contains_key(&item.delivery_id) {
            return Recorded::AlreadyThere;
        }
        let woken_until = woken(&item.state, item.updated_at);
        let row = Row { item: item.clone(), lease_until: None, woken_until, is_spoiled: false };
        self.write(row, now);
        Recorded::New
    }

    pub(super) fn claim(&mut self, wakeup: &Wakeup, now: Timestamp, until: Timestamp) -> Claim {
        let Some(row) = self.rows.get_mut(&wakeup.delivery_id) else { return Claim::Taken };
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

    /// Whether the lease was good for it.
    pub(super) fn settle(
        &mut self,
        lease: &Lease,
        settlement: &Settlement,
        now: Timestamp,
    ) -> bool {
        let is_ours =
            |row: &Row| row.item.attempt == lease.attempt && row.lease_until == Some(lease.until);
        if !self.rows.get(&lease.delivery_id).is_some_and(is_ours) {
            return false;
        }
        let Some(mut row) = self.take(&lease.delivery_id, now) else { return false };
        match settlement {
            Settlement::Delivered => {}
            Settlement::Kept { attempt, last_outcome, state } => {
                row.item.attempt = *attempt;
                row.item.last_outcome.clone_from(last_outcome);
                row.item.state = state.clone();
                row.item.updated_at = now;
                row.lease_until = None;
                row.woken_until = woken(state, now);
                self.write(row, now);
            }
        }
        true
    }

    pub(super) fn page(
        &mut self,
        bucket: u64,
        now: Timestamp,
        after: Option<&Position>,
        items_max: usize,
    ) -> Page {
        self.index.page(bucket, now, after, items_max, now)
    }

    pub(super) fn mark(&mut self, found: &DueItem, woken_until: Timestamp, now: Timestamp) -> bool {
        let stands = |row: &Row| {
            matches!(row.item.state, State::Pending { .. })
                && row.due().is_some_and(|(_, item)| item == *found)
        };
        if !self.rows.get(&found.delivery_id).is_some_and(stands) {
            return false;
        }
        let Some(mut row) = self.take(&found.delivery_id, now) else { return false };
        row.woken_until = Some(woken_until);
        self.write(row, now);
        true
    }

    /// What a breaker holds, earliest first, at most this many.
    pub(super) fn held(&mut self, key: &BreakerKey, most: usize, now: Timestamp) -> Page {
        self.index.page(held_bucket(key), Timestamp::LAST, None, most, now)
    }

    /// Makes a dead letter of an item that is in the index.
    pub(super) fn give_up(&mut self, delivery: &DeliveryId, at: Timestamp, now: Timestamp) {
        if self.rows.get(delivery).is_none_or(|row| row.due().is_none()) {
            return;
        }
        let Some(mut row) = self.take(delivery, now) else { return };
        row.item.state = State::Dead { reason: Reason::Unreadable };
        row.item.updated_at = at;
        row.woken_until = None;
        row.lease_until = None;
        self.write(row, now);
    }

    pub(super) fn release(
        &mut self,
        found: &DueItem,
        due_at: Timestamp,
        woken_until: Timestamp,
        now: Timestamp,
    ) -> bool {
        let is_held = |row: &Row| {
            matches!(row.item.state, State::Held { since, .. } if since == found.next_at)
                && row.item.attempt == found.attempt
        };
        if !self.rows.get(&found.delivery_id).is_some_and(is_held) {
            return false;
        }
        let Some(mut row) = self.take(&found.delivery_id, now) else { return false };
        row.item.state = State::Pending { next_at: due_at };
        row.woken_until = Some(woken_until);
        self.write(row, now);
        true
    }

    pub(super) fn revive(&mut self, found: &Entry, revival: &Revival, now: Timestamp) -> bool {
        let stands = |row: &Row| {
            matches!(row.item.state, State::Dead { .. })
                && (row.item.attempt, row.item.updated_at) == (found.attempt, found.updated_at)
        };
        if !self.rows.get(&found.delivery_id).is_some_and(stands) {
            return false;
        }
        let Some(mut row) = self.take(&found.delivery_id, now) else { return false };
        row.item.state = State::Pending { next_at: revival.due_at };
        row.item.uncharged = row.item.attempt;
        row.item.history.clone_from(&revival.history);
        row.item.updated_at = revival.now;
        row.woken_until = None;
        self.write(row, now);
        true
    }

    fn write(&mut self, row: Row, now: Timestamp) {
        if let Some((bucket, item)) = row.due() {
            self.index.put(bucket, item, now);
        }
        self.rows.insert(row.item.delivery_id.clone(), row);
    }

    fn take(&mut self, delivery: &DeliveryId, now: Timestamp) -> Option<Row> {
        let row = self.rows.remove(delivery)?;
        if let Some((bucket, at)) = place(&row.item) {
            self.index.remove(bucket, (at, delivery.clone()), now);
        }
        Some(row)
    }
}

impl Row {
    /// The row as the index has it, and in which bucket; `None` of one that is not in it.
    fn due(&self) -> Option<(u64, DueItem)> {
        let (bucket, next_at) = place(&self.item)?;
        let item = DueItem {
            delivery_id: self.item.delivery_id.clone(),
            subscription_id: self.item.subscription_id.clone(),
            attempt: self.item.attempt,
            next_at,
            woken_until: self.woken_until,
        };
        Some((bucket, item))
    }
}

fn woken(state: &State, written_at: Timestamp) -> Option<Timestamp> {
    match state {
        State::Pending { next_at } => woken_until(*next_at, written_at),
        State::Held { .. } | State::Dead { .. } => None,
    }
}
