//! A dead-letter queue, received from and deleted from.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName,
};
use domain::aside::{Aside, Receipt};
use domain::limits::{ASIDE_HIDDEN_S, BATCH_ENTRIES_MAX};
use domain::time::Timestamp;
use futures_util::future::join_all;

use crate::aws::sentence;

/// The queue could not be reached, or is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a dead-letter queue could not be reached")]
pub struct Unreachable;

/// How long an empty queue is waited on, in seconds. From 1 on SQS asks all of its servers
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>).
const WAIT_S: i32 = 1;

/// One dead-letter queue, by its URL.
pub struct DeadLetterQueue {
    client: Client,
    url: String,
}

impl DeadLetterQueue {
    /// The queue behind this URL.
    #[must_use]
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Some messages, each hidden from everybody else for a while; none when there are no more.
    pub async fn receive(&self) -> Result<Vec<Aside>, Unreachable> {
        let receive = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(BATCH_ENTRIES_MAX).unwrap_or(10))
            .visibility_timeout(ASIDE_HIDDEN_S)
            .wait_time_seconds(WAIT_S)
            .message_attribute_names("reason")
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .send()
            .await;
        let output = receive.map_err(|error| unreachable_queue(&error))?;
        Ok(output.messages.unwrap_or_default().into_iter().filter_map(aside).collect())
    }

    /// Deletes messages and says of each, in the same order, whether it is gone.
    pub async fn delete(&self, receipts: &[Receipt]) -> Vec<bool> {
        let batches = receipts.chunks(BATCH_ENTRIES_MAX).map(|batch| self.delete_batch(batch));
        join_all(batches).await.concat()
    }

    async fn delete_batch(&self, receipts: &[Receipt]) -> Vec<bool> {
        let entries = receipts.iter().enumerate().map(|(index, receipt)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&receipt.0)
                .build()
                .expect("ID and receipt are given")
        });
        let delete = self
            .client
            .delete_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect()))
            .send()
            .await;
        let mut gone = vec![false; receipts.len()];
        match delete {
            Ok(output) => {
                for deleted in output.successful() {
                    let index: Option<usize> = deleted.id().parse().ok();
                    if let Some(place) = index.and_then(|index| gone.get_mut(index)) {
                        *place = true;
                    }
                }
            }
            Err(error) => {
                let _said = unreachable_queue(&error);
            }
        }
        gone
    }

    /// Shows messages to everybody again. Where that fails, they show themselves in a while.
    pub async fn show_again(&self, receipts: &[Receipt]) {
        for batch in receipts.chunks(BATCH_ENTRIES_MAX) {
            self.show_batch_again(batch).await;
        }
    }

    async fn show_batch_again(&self, receipts: &[Receipt]) {
        let entries = receipts.iter().enumerate().map(|(index, receipt)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&receipt.0)
                .visibility_timeout(0)
                .build()
                .expect("ID and receipt are given")
        });
        let show = self
            .client
            .change_message_visibility_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect()))
            .send()
            .await;
        if let Err(error) = show {
            let _said = unreachable_queue(&error);
        }
    }
}

fn unreachable_queue(error: &(impl std::error::Error + 'static)) -> Unreachable {
    tracing::error!(error = sentence(error), "a dead-letter queue could not be reached");
    Unreachable
}

/// A message as a record; one without its body or its receipt is none.
fn aside(message: Message) -> Option<Aside> {
    let system = message.attributes.unwrap_or_default();
    let number = |name| system.get(&name).and_then(|text| text.parse::<u64>().ok());
    let sent_at = number(MessageSystemAttributeName::SentTimestamp).unwrap_or_default();
    let receives = number(MessageSystemAttributeName::ApproximateReceiveCount).unwrap_or(1);
    let reason = message.message_attributes.unwrap_or_default().remove("reason");
    Some(Aside {
        id: message.message_id?,
        receipt: Receipt(message.receipt_handle?),
        sent_at: Timestamp::from_ms(sent_at),
        receives: u32::try_from(receives).unwrap_or(u32::MAX),
        reason: reason.and_then(|reason| reason.string_value),
        group: system.get(&MessageSystemAttributeName::MessageGroupId).cloned(),
        body: message.body?,
    })
}
