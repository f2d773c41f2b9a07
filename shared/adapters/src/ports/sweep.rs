//! What the sweeper is given.

use domain::breaker::{self, BreakerKey};
use domain::delivery::OurFault;
use domain::id::DeliveryId;
use domain::message::{QueueMessage, Sent};
use domain::sweep::{DueItem, Page, Ports, Position};
use domain::time::Timestamp;

use super::StartError;
use crate::aws::{self, CallLimits};
use crate::breakers::Breakers;
use crate::clock;
use crate::due::DueIndex;
use crate::lazy::Lazy;
use crate::queue::{Grouped, Queue};
use crate::settings::{Strings, required};

/// The index of due deliveries, and the queue that wakes them.
pub struct SweepPorts {
    due: DueIndex,
    breakers: Breakers,
    retries: Queue,
}

impl SweepPorts {
    /// From `DELIVERIES_TABLE`, `RETRIES_QUEUE_URL` and AWS's own variables.
    pub fn new(strings: &impl Strings) -> Result<Self, StartError> {
        let config = aws::config(strings, CallLimits::DELIVERY)?;
        let dynamodb = Lazy::new(&config, aws_sdk_dynamodb::Client::new);
        let sqs = Lazy::new(&config, aws_sdk_sqs::Client::new);
        Ok(Self {
            due: DueIndex::new(dynamodb.clone(), required(strings, "DELIVERIES_TABLE")?),
            breakers: Breakers::new(dynamodb, required(strings, "DELIVERIES_TABLE")?),
            retries: Queue::new(sqs, required(strings, "RETRIES_QUEUE_URL")?),
        })
    }
}

impl Ports for SweepPorts {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn due(
        &self,
        bucket: u64,
        now: Timestamp,
        after: Option<&Position>,
    ) -> Result<Page, OurFault> {
        self.due.page(bucket, now, after).await.map_err(|_| OurFault::Ledger)
    }

    async fn mark(&self, item: &DueItem, woken_until: Timestamp) -> Result<bool, OurFault> {
        self.due.mark(item, woken_until).await.map_err(|_| OurFault::Ledger)
    }

    async fn due_breakers(&self, now: Timestamp, most: usize) -> Result<Vec<BreakerKey>, OurFault> {
        self.due.breakers(now, most).await.map_err(|_| OurFault::Ledger)
    }

    fn breakers(&self) -> &impl breaker::Ports {
        &self.breakers
    }

    async fn held(&self, key: &BreakerKey, most: usize) -> Result<Page, OurFault> {
        self.due.held(key, most).await.map_err(|_| OurFault::Ledger)
    }

    async fn give_up(&self, delivery_id: &DeliveryId, now: Timestamp) -> Result<(), OurFault> {
        self.due.give_up(delivery_id, now).await.map_err(|_| OurFault::Ledger)
    }

    async fn release(
        &self,
        item: &DueItem,
        now: Timestamp,
        woken_until: Timestamp,
    ) -> Result<bool, OurFault> {
        self.due.release(item, now, woken_until).await.map_err(|_| OurFault::Ledger)
    }

    async fn wake_all(&self, items: &[DueItem]) -> Vec<Sent> {
        let bodies: Vec<String> =
            items.iter().map(|item| QueueMessage::RetryV1(item.wakeup()).to_body()).collect();
        let messages: Vec<Grouped<'_>> = items
            .iter()
            .zip(&bodies)
            .map(|(item, body)| Grouped { group: item.subscription_id.as_str(), body, trace: None })
            .collect();
        self.retries.send_all(&messages).await
    }
}
