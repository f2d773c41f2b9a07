//! The due-time index in memory: what it shows may be as old as it is told to lag.

use std::collections::{BTreeMap, VecDeque};

use domain::id::DeliveryId;
use domain::ledger::{LedgerItem, State, due_bucket, held_bucket};
use domain::limits::DUE_BUCKETS;
use domain::sweep::{DueItem, Page, Position};
use domain::time::Timestamp;

type Entry = (Timestamp, DeliveryId);

#[derive(Default)]
pub(super) struct DueIndex {
    buckets: BTreeMap<u64, BTreeMap<Entry, DueItem>>,
    /// Changes that are not seen yet, and when they will be.
    coming: VecDeque<(Timestamp, Change)>,
    lag_ms: u64,
}

enum Change {
    Put(u64, DueItem),
    Remove(u64, Entry),
}

/// Where an item lies in the index: its bucket and its time; `None` when it is in none.
pub(super) fn place(item: &LedgerItem) -> Option<(u64, Timestamp)> {
    match &item.state {
        State::Pending { next_at } => Some((due_bucket(&item.delivery_id), *next_at)),
        State::Held { by, since } => Some((held_bucket(by), *since)),
        State::Dead { .. } => None,
    }
}

impl DueIndex {
    /// Shows changes from now on this much later.
    pub(super) fn lag(&mut self, lag_ms: u64) {
        self.lag_ms = lag_ms;
    }

    pub(super) fn put(&mut self, bucket: u64, item: DueItem, now: Timestamp) {
        self.change(Change::Put(bucket, item), now);
    }

    pub(super) fn remove(&mut self, bucket: u64, entry: Entry, now: Timestamp) {
        self.change(Change::Remove(bucket, entry), now);
    }

    fn change(&mut self, change: Change, now: Timestamp) {
        if self.lag_ms == 0 && self.coming.is_empty() {
            self.apply(change);
        } else {
            // One after the other, also when the lag has become shorter.
            let before = self.coming.back().map_or(now, |(at, _)| *at);
            self.coming.push_back((before.max(now.plus_ms(self.lag_ms)), change));
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(bucket, item) => {
                let entry = (item.next_at, item.delivery_id.clone());
                self.buckets.entry(bucket).or_default().insert(entry, item);
            }
            Change::Remove(bucket, entry) => {
                if let Some(entries) = self.buckets.get_mut(&bucket) {
                    entries.remove(&entry);
                }
            }
        }
    }

    fn catch_up(&mut self, now: Timestamp) {
        while self.coming.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, change)) = self.coming.pop_front() {
                self.apply(change);
            }
        }
    }

    /// When the first pending item is due, or a change is seen.
    pub(super) fn next_due_at(&self) -> Option<Timestamp> {
        let pending = self.buckets.range(..DUE_BUCKETS);
        let due = pending.filter_map(|(_, entries)| entries.keys().next().map(|(at, _)| *at));
        due.chain(self.coming.front().map(|(at, _)| *at)).min()
    }

    /// A page of a bucket, oldest first, of at most this many items.
    pub(super) fn page(
        &mut self,
        bucket: u64,
        until: Timestamp,
        after: Option<&Position>,
        items_max: usize,
        now: Timestamp,
    ) -> Page {
        self.catch_up(now);
        let is_behind = |(at, id): &Entry| {
            after.is_none_or(|after| (*at, id) > (after.next_at, &after.delivery_id))
        };
        let entries = self.buckets.get(&bucket).into_iter().flatten();
        let due = entries.take_while(|((at, _), _)| *at <= until);
        let behind = due.filter(|(entry, _)| is_behind(entry)).map(|(_, item)| item.clone());
        let mut items: Vec<DueItem> = behind.take(items_max + 1).collect();
        let is_last = items.len() <= items_max;
        items.truncate(items_max);
        let position = |item: &DueItem| Position {
            delivery_id: item.delivery_id.clone(),
            next_at: item.next_at,
        };
        let next = items.last().filter(|_| !is_last).map(position);
        // As the real index: the filter comes after the page was cut.
        items.retain(|item| item.woken_until.is_none_or(|woken_until| woken_until < now));
        Page { items, next, ..Page::default() }
    }
}
