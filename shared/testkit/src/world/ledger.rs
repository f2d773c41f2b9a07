//! The ledger in memory, with the conditions of the real one; the contract suite compares them.

use std::collections::{BTreeMap, BTreeSet};

use domain::breaker::BreakerKey;
use domain::delivery::Recorded;
use domain::id::DeliveryId;
use domain::ledger::{Claim, Lease, LedgerItem, Settlement, State, due_bucket, held_bucket};
use domain::limits::DUE_TOLERANCE_MS;
use domain::message::Wakeup;
use domain::sweep::{DueItem, Page, Position, woken_until};
use domain::time::Timestamp;

#[derive(Default)]
pub(super) struct Ledger {
    rows: BTreeMap<DeliveryId, Row>,
    /// The index `due`: by bucket, then by time.
    due: BTreeMap<u64, BTreeSet<(Timestamp, DeliveryId)>>,
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

    /// When the first pending item is due.
    pub(super) fn next_due_at(&self) -> Option<Timestamp> {
        let buckets = self.due.range(..domain::limits::DUE_BUCKETS);
        buckets.filter_map(|(_, entries)| entries.first().map(|(at, _)| *at)).min()
    }

    pub(super) fn spoil(&mut self, delivery: &DeliveryId) {
        self.rows.get_mut(delivery).expect("an item to spoil").is_spoiled = true;
    }

    pub(super) fn record(&mut self, item: &LedgerItem) -> Recorded {
        if self.rows.contains_key(&item.delivery_id) {
            return Recorded::AlreadyThere;
        }
        let woken_until = woken(&item.state, item.updated_at);
        self.write(Row { item: item.clone(), lease_until: None, woken_until, is_spoiled: false });
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

    pub(super) fn settle(&mut self, lease: &Lease, settlement: &Settlement, now: Timestamp) {
        let is_ours =
            |row: &Row| row.item.attempt == lease.attempt && row.lease_until == Some(lease.until);
        if !self.rows.get(&lease.delivery_id).is_some_and(is_ours) {
            return;
        }
        let Some(mut row) = self.take(&lease.delivery_id) else { return };
        match settlement {
            Settlement::Delivered => {}
            Settlement::Kept { attempt, last_outcome, state } => {
                row.item.attempt = *attempt;
                row.item.last_outcome.clone_from(last_outcome);
                row.item.state = state.clone();
                row.item.updated_at = now;
                row.lease_until = None;
                row.woken_until = woken(state, now);
                self.write(row);
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
        let is_behind = |entry: &&(Timestamp, DeliveryId)| {
            after.is_none_or(|after| (entry.0, &entry.1) > (after.next_at, &after.delivery_id))
        };
        let entries = self.due.get(&bucket).into_iter().flatten();
        let due = entries.take_while(|(at, _)| *at <= now).filter(is_behind);
        let mut items: Vec<DueItem> =
            due.take(items_max + 1).filter_map(|(_, id)| self.rows[id].due()).collect();
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
        let Some(row) = self.rows.get_mut(&found.delivery_id) else { return false };
        let is_pending = matches!(row.item.state, State::Pending { .. });
        let stands = is_pending && row.due().as_ref() == Some(found);
        if stands {
            row.woken_until = Some(woken_until);
        }
        stands
    }

    /// What a breaker holds, earliest first, at most this many.
    pub(super) fn held(&self, key: &BreakerKey, most: usize) -> Vec<DueItem> {
        let entries = self.due.get(&held_bucket(key)).into_iter().flatten();
        entries.take(most).filter_map(|(_, id)| self.rows[id].due()).collect()
    }

    pub(super) fn release(
        &mut self,
        found: &DueItem,
        now: Timestamp,
        woken_until: Timestamp,
    ) -> bool {
        let is_held = |row: &Row| {
            matches!(row.item.state, State::Held { since, .. } if since == found.next_at)
                && row.item.attempt == found.attempt
        };
        if !self.rows.get(&found.delivery_id).is_some_and(is_held) {
            return false;
        }
        let Some(mut row) = self.take(&found.delivery_id) else { return false };
        row.item.state = State::Pending { next_at: now };
        row.woken_until = Some(woken_until);
        self.write(row);
        true
    }

    fn write(&mut self, row: Row) {
        if let Some((bucket, at)) = place(&row.item) {
            self.due.entry(bucket).or_default().insert((at, row.item.delivery_id.clone()));
        }
        self.rows.insert(row.item.delivery_id.clone(), row);
    }

    fn take(&mut self, delivery: &DeliveryId) -> Option<Row> {
        let row = self.rows.remove(delivery)?;
        if let Some((bucket, at)) = place(&row.item)
            && let Some(entries) = self.due.get_mut(&bucket)
        {
            entries.remove(&(at, delivery.clone()));
        }
        Some(row)
    }
}

/// Where an item lies in the index `due`: its bucket and its time.
fn place(item: &LedgerItem) -> Option<(u64, Timestamp)> {
    match &item.state {
        State::Pending { next_at } => Some((due_bucket(&item.delivery_id), *next_at)),
        State::Held { by, since } => Some((held_bucket(by), *since)),
        State::Dead { .. } => None,
    }
}

impl Row {
    /// The row as the index has it; `None` of one that is not in it.
    fn due(&self) -> Option<DueItem> {
        let (_, next_at) = place(&self.item)?;
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
        State::Held { .. } | State::Dead { .. } => None,
    }
}
