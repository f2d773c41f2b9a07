//! What operators' work on a dead-letter queue is given.

use aws_config::SdkConfig;
use domain::aside::{Aside, Ports, Receipt};
use domain::delivery::OurFault;
use domain::message::Sent;
use domain::time::Timestamp;

use crate::aside::{DeadLetterQueue, Unreachable};
use crate::aws::sentence;
use crate::clock;
use crate::queue::{Grouped, Queue};

/// A dead-letter queue, and the queue whose records lie on it.
pub struct AsidePorts {
    aside: DeadLetterQueue,
    worked: Queue,
}

impl AsidePorts {
    /// The queues of these names.
    pub async fn open(
        config: &SdkConfig,
        dead_letters: &str,
        worked: &str,
    ) -> Result<Self, Unreachable> {
        let sqs = aws_sdk_sqs::Client::new(config);
        Ok(Self {
            aside: DeadLetterQueue::new(sqs.clone(), url_of(&sqs, dead_letters).await?),
            worked: Queue::new(sqs.clone(), url_of(&sqs, worked).await?),
        })
    }
}

async fn url_of(sqs: &aws_sdk_sqs::Client, name: &str) -> Result<String, Unreachable> {
    let found = sqs.get_queue_url().queue_name(name).send().await;
    let output = found.map_err(|error| {
        tracing::error!(queue = name, error = sentence(&error), "a queue cannot be found");
        Unreachable
    })?;
    output.queue_url.ok_or(Unreachable)
}

impl Ports for AsidePorts {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn receive(&self) -> Result<Vec<Aside>, OurFault> {
        self.aside.receive().await.map_err(|Unreachable| OurFault::Queue)
    }

    async fn send_back(&self, records: &[&Aside]) -> Vec<Sent> {
        let groups: Vec<String> = records.iter().map(|record| record.group()).collect();
        let messages: Vec<Grouped<'_>> = records
            .iter()
            .zip(&groups)
            .map(|(record, group)| Grouped { group, body: &record.body, trace: None })
            .collect();
        self.worked.send_all(&messages).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<bool> {
        self.aside.delete(receipts).await
    }

    async fn show_again(&self, receipts: &[Receipt]) {
        self.aside.show_again(receipts).await;
    }
}
