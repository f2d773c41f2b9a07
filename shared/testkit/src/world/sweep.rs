//! The sweeper's ports on the world.

use domain::delivery::{OurFault, Queue};
use domain::limits::SWEEP_PAGE_ITEMS;
use domain::message::{QueueMessage, Sent};
use domain::sweep::{DueItem, Page, Ports, Position};
use domain::time::Timestamp;

use super::World;
use super::faults::Call;
use super::ports::Failed;
use super::queues::Draft;

impl Ports for World {
    fn now(&self) -> Timestamp {
        World::now(self)
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
        let mark = self.call(Call::Mark, |state| state.ledger.mark(item, woken_until));
        mark.await.map_err(|Failed| OurFault::Ledger)
    }

    async fn wake_all(&self, items: &[DueItem]) -> Vec<Sent> {
        let draft = |item: &DueItem| {
            let group = Some(item.subscription_id.to_string());
            Draft { group, ..Draft::of(QueueMessage::RetryV1(item.wakeup()).to_body()) }
        };
        self.send_drafts(Call::WakeAll, Queue::Retries, items.iter().map(draft).collect()).await
    }
}
