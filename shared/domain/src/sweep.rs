//! The sweeper: wakes what is due and has nobody else to wake it.
//!
//! Three kinds of ledger items need it: those whose wait is longer than a queue can delay, those
//! whose wake-up got lost, and those that a breaker holds (`release`). The first two look alike:
//! due, pending, and no wake-up under way. The sweeper marks an item by compare-and-set before it
//! sends the wake-up, so that two sweepers do not wake the same item twice, and a wake-up that is
//! lost again is found again. One that was paused for long may wake an item that was woken
//! meanwhile: harmless, since a wake-up only claims. It never posts anything itself.

mod release;

use std::future::Future;

use futures_util::future::join_all;

use crate::breaker::{self, BreakerKey};
use crate::delivery::{Invocation, OurFault};
use crate::id::{DeliveryId, SubscriptionId};
use crate::limits::{
    DUE_BUCKETS, SWEEP_AT_ONCE, SWEEP_MARK_MS, SWEEP_PAGES_MAX, SWEEP_QUERIES_AT_ONCE,
    SWEEP_RESERVE_MS, WAKE_UP_LOST_MS,
};
use crate::message::{Sent, Wakeup};
use crate::time::Timestamp;

/// What the sweeper needs from outside.
pub trait Ports: Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// A page of a bucket of the due-time index: pending items due at `now` with no wake-up under
    /// way then, oldest first, from after `after` on.
    fn due(
        &self,
        bucket: u64,
        now: Timestamp,
        after: Option<&Position>,
    ) -> impl Future<Output = Result<Page, OurFault>> + Send;

    /// Notes that a wake-up of the item is under way until then, if the item still stands as it
    /// was found. `false` when it does not.
    fn mark(
        &self,
        item: &DueItem,
        woken_until: Timestamp,
    ) -> impl Future<Output = Result<bool, OurFault>> + Send;

    /// Sends wake-ups without delay and says of each, in the same order, whether it is confirmed.
    fn wake_all(&self, items: &[DueItem]) -> impl Future<Output = Vec<Sent>> + Send;

    /// The breakers whose time to be looked at has come at `now`, earliest first, at most this many.
    fn due_breakers(
        &self,
        now: Timestamp,
        most: usize,
    ) -> impl Future<Output = Result<Vec<BreakerKey>, OurFault>> + Send;

    /// The breakers of all subscriptions.
    fn breakers(&self) -> &impl breaker::Ports;

    /// The held deliveries of a subscription, those held longest first, at most this many. Their
    /// `next_at` is since when they are held.
    fn held(
        &self,
        key: &BreakerKey,
        most: usize,
    ) -> impl Future<Output = Result<Page, OurFault>> + Send;

    /// Makes an item that cannot be read a dead letter, with the reason for that.
    fn give_up(
        &self,
        delivery_id: &DeliveryId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), OurFault>> + Send;

    /// Makes a held delivery a pending one that is due `now`, with a wake-up under way until then,
    /// if it still stands as it was found. `false` when it does not.
    fn release(
        &self,
        item: &DueItem,
        now: Timestamp,
        woken_until: Timestamp,
    ) -> impl Future<Output = Result<bool, OurFault>> + Send;
}

/// An item of the due-time index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueItem {
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// To which subscription.
    pub subscription_id: SubscriptionId,
    /// Attempts made so far.
    pub attempt: u32,
    /// Since when it is due.
    pub next_at: Timestamp,
    /// Until when an earlier wake-up was under way.
    pub woken_until: Option<Timestamp>,
}

impl DueItem {
    /// Its wake-up.
    #[must_use]
    pub fn wakeup(&self) -> Wakeup {
        Wakeup { delivery_id: self.delivery_id.clone(), attempt: self.attempt }
    }
}

/// A place in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The last item looked at.
    pub delivery_id: DeliveryId,
    /// Its due time.
    pub next_at: Timestamp,
}

/// Items of a bucket, and where to go on.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Items, oldest first.
    pub items: Vec<DueItem>,
    /// Items that cannot be read, but for their keys.
    pub unreadable: Vec<DeliveryId>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
}

/// What a sweep came to: one log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Items found due.
    pub due: usize,
    /// Wake-ups that the queue confirmed.
    pub woken: usize,
    /// Items that had moved on, or that another sweeper had.
    pub taken: usize,
    /// Wake-ups that the queue did not confirm; the items are found again in a quarter of an hour.
    pub unconfirmed: usize,
    /// Breakers looked at.
    pub breakers: usize,
    /// Deliveries that were held and are held no more; their wake-ups are counted too.
    pub released: usize,
    /// Items that could not be read, and are dead letters now.
    pub unreadable: usize,
    /// How long the oldest item had been due, in milliseconds.
    pub oldest_ms: u64,
    /// Whether everything that was due was looked at: the cap, the pages and the time sufficed.
    pub is_complete: bool,
    /// The first fault of ours, if there was one. What else was done stands.
    pub fault: Option<OurFault>,
}

/// Until when a wake-up that a delivery has just been given is under way; `None` when the wait is
/// longer than a queue can delay, and the sweeper is the one to wake it.
#[must_use]
pub fn woken_until(next_at: Timestamp, written_at: Timestamp) -> Option<Timestamp> {
    let queue_delay_max_ms = u64::from(crate::limits::QUEUE_DELAY_MAX_S) * 1_000;
    (next_at.since_ms(written_at) <= queue_delay_max_ms).then(|| next_at.plus_ms(WAKE_UP_LOST_MS))
}

/// Looks after breakers, then sweeps all buckets once, oldest items first within each round of
/// pages, and wakes at most `release_max` deliveries in all, of which at most half were held
/// ([`crate::limits::SWEEP_RELEASE_MAX`] where nobody has reason for another number).
pub async fn run(invocation: Invocation, release_max: usize, ports: &impl Ports) -> Swept {
    let started_at = ports.now();
    let mut swept = Swept { is_complete: true, ..Swept::default() };
    release::run(invocation.first_half(started_at), release_max / 2, &mut swept, ports).await;
    let mut open: Vec<(u64, Option<Position>)> =
        (0..DUE_BUCKETS).map(|bucket| (bucket, None)).collect();
    for _ in 0..SWEEP_PAGES_MAX {
        let mut pages = Vec::with_capacity(open.len());
        for some in open.chunks(SWEEP_QUERIES_AT_ONCE) {
            // What was found so far is left for the next tick: nothing of it has been marked.
            if !invocation.has_ms(SWEEP_RESERVE_MS, ports.now()) {
                swept.is_complete = false;
                return swept;
            }
            let asked =
                some.iter().map(|(bucket, after)| ports.due(*bucket, started_at, after.as_ref()));
            pages.extend(join_all(asked).await);
        }
        let mut found = Vec::new();
        let mut next = Vec::new();
        for ((bucket, _), page) in open.into_iter().zip(pages) {
            match page {
                Ok(page) => {
                    swept.give_up(&page.unreadable, ports).await;
                    found.extend(page.items);
                    next.extend(page.next.map(|position| (bucket, Some(position))));
                }
                Err(fault) => {
                    swept.fault = swept.fault.or(Some(fault));
                    swept.is_complete = false;
                }
            }
        }
        open = next;
        found.sort_by_key(|item| item.next_at);
        if !wake(&found, started_at, invocation, release_max, &mut swept, ports).await {
            swept.is_complete = false;
            return swept;
        }
        if open.is_empty() {
            return swept;
        }
    }
    swept.is_complete = false;
    swept
}

/// Wakes items in their order; `false` when the cap or the end of the invocation stopped it.
async fn wake(
    items: &[DueItem],
    started_at: Timestamp,
    invocation: Invocation,
    release_max: usize,
    swept: &mut Swept,
    ports: &impl Ports,
) -> bool {
    for chunk in items.chunks(SWEEP_AT_ONCE) {
        let room = release_max.saturating_sub(swept.woken + swept.unconfirmed);
        let items = &chunk[..room.min(chunk.len())];
        if items.is_empty() || !invocation.has_ms(SWEEP_RESERVE_MS, ports.now()) {
            return false;
        }
        swept.due += items.len();
        for item in items {
            swept.oldest_ms = swept.oldest_ms.max(started_at.since_ms(item.next_at));
        }
        let until = ports.now().plus_ms(SWEEP_MARK_MS);
        let marked = join_all(items.iter().map(|item| ports.mark(item, until))).await;
        let mut ours = Vec::with_capacity(items.len());
        for (item, marked) in items.iter().zip(marked) {
            match marked {
                Ok(true) => ours.push(item.clone()),
                Ok(false) => swept.taken += 1,
                Err(fault) => swept.fault = swept.fault.or(Some(fault)),
            }
        }
        swept.send(&ours, ports).await;
        if items.len() < chunk.len() {
            return false;
        }
    }
    true
}

impl Swept {
    /// Makes dead letters of what cannot be read: it would be found again and again.
    async fn give_up(&mut self, unreadable: &[DeliveryId], ports: &impl Ports) {
        for delivery_id in unreadable {
            match ports.give_up(delivery_id, ports.now()).await {
                Ok(()) => self.unreadable += 1,
                Err(fault) => self.fault = self.fault.or(Some(fault)),
            }
        }
    }

    /// Sends wake-ups and counts them.
    async fn send(&mut self, items: &[DueItem], ports: &impl Ports) {
        if items.is_empty() {
            return;
        }
        let sent = ports.wake_all(items).await;
        let woken = sent.iter().filter(|sent| **sent == Sent::Confirmed).count();
        self.woken += woken;
        self.unconfirmed += items.len() - woken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_that_a_queue_can_delay_have_a_wake_up_and_longer_ones_have_none() {
        let at = |ms| Timestamp::from_ms(ms);
        assert_eq!(woken_until(at(30_000), at(0)), Some(at(30_000 + WAKE_UP_LOST_MS)));
        assert_eq!(woken_until(at(900_000), at(0)), Some(at(900_000 + WAKE_UP_LOST_MS)));
        assert_eq!(woken_until(at(900_001), at(0)), None);
    }
}
