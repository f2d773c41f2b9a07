//! An event source: what Lambda's poller does with one queue, apart from invoking the function.
//!
//! It receives batches, makes the function's payload of them, and settles them by its answer:
//! what the answer does not name is deleted. What it names comes back when its visibility time-out
//! ends, and so does a whole batch whose invocation failed.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::operation::receive_message::ReceiveMessageError;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use serde_json::{Value, json};

use crate::template::{Account, QueueMapping};

/// A queue as the source of a function's events, as the template maps it.
#[derive(Clone)]
pub struct EventSource {
    client: Client,
    queue_url: String,
    queue_arn: String,
    batch_size: i32,
}

impl EventSource {
    /// The source that this mapping declares.
    #[must_use]
    pub fn new(mapping: &QueueMapping, account: &Account, client: &Client) -> Self {
        Self {
            client: client.clone(),
            queue_url: account.queue_url(&mapping.queue),
            queue_arn: account.queue_arn(&mapping.queue),
            // More needs a batching window, and there is none.
            batch_size: i32::try_from(mapping.batch_size.min(10)).unwrap_or(10),
        }
    }

    /// The queue's URL.
    #[must_use]
    pub fn queue_url(&self) -> &str {
        &self.queue_url
    }

    /// Receives a batch, and waits for one up to `wait_s` (at most 20) seconds; empty when there
    /// is none.
    pub async fn receive(
        &self,
        wait_s: i32,
    ) -> Result<Vec<Message>, SdkError<ReceiveMessageError>> {
        let receive = self
            .client
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(self.batch_size)
            .wait_time_seconds(wait_s)
            .message_system_attribute_names(MessageSystemAttributeName::All);
        Ok(receive.send().await?.messages.unwrap_or_default())
    }

    /// The payload that the function gets
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>).
    #[must_use]
    pub fn payload(&self, messages: &[Message]) -> Value {
        let records: Vec<Value> = messages.iter().map(|message| self.record(message)).collect();
        json!({ "Records": records })
    }

    fn record(&self, message: &Message) -> Value {
        let attributes: serde_json::Map<String, Value> = message
            .attributes()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str().to_owned(), value.clone().into()))
            .collect();
        json!({
            "messageId": message.message_id(),
            "receiptHandle": message.receipt_handle(),
            "body": message.body(),
            "attributes": attributes,
            "messageAttributes": {},
            "md5OfBody": message.md5_of_body(),
            "eventSource": "aws:sqs",
            "eventSourceARN": self.queue_arn,
            "awsRegion": self.queue_arn.split(':').nth(3),
        })
    }

    /// Deletes what the function's answer does not name, and gives the rest, which comes back by
    /// itself: everything, when there is no answer.
    pub async fn settle(&self, messages: Vec<Message>, answer: Option<&Value>) -> Vec<Message> {
        let Some(answer) = answer else { return messages };
        let named: Vec<&str> = answer["batchItemFailures"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|failure| failure["itemIdentifier"].as_str())
            .collect();
        let (back, done): (Vec<_>, Vec<_>) = messages
            .into_iter()
            .partition(|message| message.message_id().is_some_and(|id| named.contains(&id)));
        self.delete(&done).await;
        back
    }

    async fn delete(&self, messages: &[Message]) {
        let entries = messages.iter().enumerate().filter_map(|(index, message)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(message.receipt_handle()?)
                .build()
                .ok()
        });
        let entries: Vec<_> = entries.collect();
        if entries.is_empty() {
            return;
        }
        let delete = self.client.delete_message_batch().queue_url(&self.queue_url);
        if delete.set_entries(Some(entries)).send().await.is_err() {
            tracing::warn!(
                queue = self.queue_url,
                "worked messages could not be deleted and come again"
            );
        }
    }
}
