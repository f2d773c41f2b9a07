//! The queues: batches in, wake-ups in, unreadable records aside.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry,
};
use domain::id::SubscriptionId;
use domain::limits::{BATCH_ENTRIES_MAX, MESSAGE_BYTES_MAX};
use domain::message::{Events, QueueMessage, Sent, Unreadable, Wakeup};
use domain::trace::Trace;
use futures_util::future::join_all;

use crate::aws::sentence;
use crate::lazy::Lazy;

/// A queue did not take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a queue did not take a message")]
pub struct Refused;

/// The name of a queue, which ends its URL and its ARN.
#[must_use]
pub fn name_of(url: &str) -> String {
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

/// A message and its fair queue's group.
#[derive(Clone, Copy)]
pub struct Grouped<'a> {
    /// At most 128 characters of SQS's alphabet.
    pub group: &'a str,
    /// The message.
    pub body: &'a str,
    /// The trace that it belongs to: X-Ray then links the function that sends it and the one that it
    /// wakes (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>).
    pub trace: Option<Trace>,
}

impl Grouped<'_> {
    fn system_attributes(
        &self,
    ) -> Option<HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>> {
        let trace = MessageSystemAttributeValue::builder()
            .data_type("String")
            .string_value(self.trace?.to_xray())
            .build()
            .expect("the data type is given");
        Some(HashMap::from([(MessageSystemAttributeNameForSends::AwsTraceHeader, trace)]))
    }
}

/// One queue, by its URL.
pub struct Queue {
    client: Lazy<Client>,
    url: String,
}

impl Queue {
    /// The queue behind this URL.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, url: String) -> Self {
        Self { client: client.into(), url }
    }

    /// Sends messages in as few batches as SQS's limits allow, all batches at once, and says of
    /// each message whether the queue confirmed it.
    pub async fn send_all(&self, messages: &[Grouped<'_>]) -> Vec<Sent> {
        let sizes: Vec<usize> = messages.iter().map(|message| message.body.len()).collect();
        let batches = batches(&sizes);
        let sent = join_all(batches.iter().map(|range| self.send_batch(&messages[range.clone()])));
        sent.await.concat()
    }

    async fn send_batch(&self, messages: &[Grouped<'_>]) -> Vec<Sent> {
        let mut sent = vec![Sent::Unconfirmed; messages.len()];
        let entries = messages.iter().enumerate().map(|(index, message)| {
            SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(message.body)
                .message_group_id(message.group)
                .set_message_system_attributes(message.system_attributes())
                .build()
                .expect("ID and body are given")
        });
        let batch = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries.collect()))
            .send()
            .await;
        match batch {
            Ok(output) => {
                for confirmed in output.successful() {
                    let index: Option<usize> = confirmed.id().parse().ok();
                    if let Some(place) = index.and_then(|index| sent.get_mut(index)) {
                        *place = Sent::Confirmed;
                    }
                }
                for failed in output.failed() {
                    tracing::error!(
                        code = failed.code(),
                        sender_fault = failed.sender_fault(),
                        "the queue refused an entry of a batch"
                    );
                }
            }
            Err(error) => {
                tracing::error!(error = sentence(&error), "a batch could not be sent to the queue");
            }
        }
        sent
    }

    /// Sends a wake-up that arrives after `delay_s` seconds.
    pub async fn wake(
        &self,
        wakeup: &Wakeup,
        subscription: &SubscriptionId,
        delay_s: u32,
    ) -> Result<(), Refused> {
        let body = QueueMessage::RetryV1(wakeup.clone()).to_body();
        let send = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .message_group_id(subscription.as_str())
            .delay_seconds(i32::try_from(delay_s).map_err(|_| Refused)?);
        sent(send.send().await)
    }

    /// Sends the portions of a wide fan-out.
    pub async fn send_portions(&self, portions: Vec<Events>) -> Result<(), Refused> {
        let message = |events: Events| {
            let trace = events.as_slice().first().and_then(|event| event.trace);
            (events.scope().key(), QueueMessage::EventsV1(events).to_body(), trace)
        };
        let messages: Vec<_> = portions.into_iter().map(message).collect();
        let grouped = messages.iter();
        let messages: Vec<Grouped<'_>> =
            grouped.map(|(group, body, trace)| Grouped { group, body, trace: *trace }).collect();
        let sent = self.send_all(&messages).await;
        if sent.iter().all(|sent| *sent == Sent::Confirmed) { Ok(()) } else { Err(Refused) }
    }

    /// Sends a record as it is, with the reason why it could not be read as message attribute.
    #[expect(clippy::missing_panics_doc, reason = "the data type is given")]
    pub async fn set_aside(&self, body: &str, reason: Unreadable) -> Result<(), Refused> {
        let reason = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(reason.to_string())
            .build()
            .expect("the data type is given");
        let send = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .message_attributes("reason", reason);
        sent(send.send().await)
    }
}

fn sent<T, E: std::error::Error + 'static>(result: Result<T, E>) -> Result<(), Refused> {
    match result {
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::error!(error = sentence(&error), "a message could not be sent");
            Err(Refused)
        }
    }
}

/// Cuts messages of these sizes into runs of at most 10 and at most 1 MiB.
fn batches(sizes: &[usize]) -> Vec<std::ops::Range<usize>> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, size) in sizes.iter().enumerate() {
        let is_full = index - start == BATCH_ENTRIES_MAX || bytes + size > MESSAGE_BYTES_MAX;
        if is_full && index > start {
            batches.push(start..index);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    if start < sizes.len() {
        batches.push(start..sizes.len());
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_ray_is_told_of_the_trace_that_a_message_belongs_to() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let message = |trace| Grouped { group: "g", body: "b", trace };
        let attributes = message(parent.parse().ok()).system_attributes().expect("a trace");
        let told = &attributes[&MessageSystemAttributeNameForSends::AwsTraceHeader];
        let header = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1";
        assert_eq!((told.string_value(), told.data_type()), (Some(header), "String"));
        assert!(message(None).system_attributes().is_none());
    }

    #[test]
    fn batches_hold_at_most_ten_messages_and_one_mebibyte() {
        assert_eq!(batches(&[]), []);
        assert_eq!(batches(&[1; 10]).as_slice(), std::slice::from_ref(&(0..10)));
        assert_eq!(batches(&[1; 21]), [0..10, 10..20, 20..21]);
        let quarter = 256 * 1024;
        assert_eq!(batches(&[quarter; 5]), [0..4, 4..5]);
        assert_eq!(batches(&[MESSAGE_BYTES_MAX, 1]), [0..1, 1..2]);
    }
}
