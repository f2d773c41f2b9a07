//! The sweeper's ports on the world.

use domain::breaker::{self, BreakerKey};
use domain::delivery::{OurFault, Queue};
use domain::id::DeliveryId;
use domain::limits::SWEEP_PAGE_ITEMS;
use domain::message::{QueueMessage, Sent};
use domain::sweep::{DueItem, Page, Ports, Position};
use domain::time::Timestamp;

use super::faults::Call;
use super::ports::Failed;
use super::queues::Draft;
use super::{State, World};

impl Ports for World {
    fn now(&self) -> Timestamp {
        self.seen_now()
    }

    async fn due(
        &self,
        bucket: u64,
        now: Timestamp,
        after: Option<&Position>,
    ) -> Result<Page, OurFault> {
        let items_max = usize::try_from(SWEEP_PAGE_ITEMS).expect("a page has items");
        let page = self.call(Call::Due, |state| state.ledger.page(bucket, now, after, items_max));
        page.await.map_err(|Failed| OurFault::Ledger)
    }

    async fn mark(&self, item: &DueItem, woken_until: Timestamp) -> Result<bool, OurFault> {
        let mark = self.call(Call::Mark, |state| state.ledger.mark(item, woken_until, state.now));
        mark.await.map_err(|Failed| OurFault::Ledger)
    }

    async fn due_breakers(&self, now: Timestamp, most: usize) -> Result<Vec<BreakerKey>, OurFault> {
        let due = self.call(Call::DueBreakers, |state| state.breakers.due(now, most)).await;
        due.map_err(|Failed| OurFault::Ledger)
    }

    fn breakers(&self) -> &impl breaker::Ports {
        self
    }

    async fn held(&self, key: &BreakerKey, most: usize) -> Result<Page, OurFault> {
        let held = self.call(Call::Held, |state| state.ledger.held(key, most, state.now)).await;
        held.map_err(|Failed| OurFault::Ledger)
    }

    async fn give_up(&self, delivery_id: &DeliveryId, now: Timestamp) -> Result<(), OurFault> {
        let give_up = |state: &mut State| state.ledger.give_up(delivery_id, now, state.now);
        self.call(Call::GiveUp, give_up).await.map_err(|Failed| OurFault::Ledger)
    }

    async fn release(
        &self,
        item: &DueItem,
        now: Timestamp,
        woken_until: Timestamp,
    ) -> Result<bool, OurFault> {
        let release = |state: &mut State| {
            let is_released = state.ledger.release(item, now, woken_until, state.now);
            if is_released {
                state.held.end(&item.delivery_id, state.now);
            }
            is_released
        };
        self.call(Call::Release, release).await.map_err(|Failed| OurFault::Ledger)
    }

    async fn wake_all(&self, items: &[DueItem]) -> Vec<Sent> {
        let draft = |item: &DueItem| {
            let group = Some(item.subscription_id.to_string());
            Draft { group, ..Draft::of(QueueMessage::RetryV1(item.wakeup()).to_body()) }
        };
        self.send_drafts(Call::WakeAll, Queue::Retries, items.iter().map(draft).collect()).await
    }
}
