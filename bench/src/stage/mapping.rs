//! Lambda's event source mappings: from a queue to a function and back, in batches.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use local::event_source::EventSource;
use serde_json::Value;
use tokio::task::{JoinHandle, JoinSet};

use super::environments::Environments;
use super::meter::Meter;
use super::queue::{Message, Queue};
use crate::Failure;

/// When a message comes back that was not settled: much sooner than by the template's visibility
/// time-out, and it does not happen where nothing of ours fails.
const COMES_BACK_AFTER: Duration = Duration::from_secs(1);

/// How many messages at once, how long they are gathered, and how many batches are under way.
#[derive(Clone, Copy, Debug)]
pub struct Batching {
    /// The most messages of a batch.
    pub size: usize,
    /// How long a batch is gathered.
    pub window: Duration,
}

/// A running mapping. Dropped, it takes no further message.
pub struct Mapping(JoinHandle<()>);

impl Drop for Mapping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Mapping {
    /// Works a queue of memory. `arn` is the queue's.
    #[must_use]
    pub fn of_stub(
        queue: Queue,
        arn: String,
        batching: Batching,
        environments: Environments,
        meter: Arc<Meter>,
    ) -> Self {
        Self(tokio::spawn(async move {
            // Dropped with the mapping, they end with it.
            let mut under_way = JoinSet::new();
            loop {
                // With a window a batch is gathered, and then it is seen who is free; without, what
                // has come meanwhile goes along.
                let mut gathered = None;
                if batching.window.is_zero() {
                    queue.wait().await;
                } else {
                    gathered = Some(queue.receive(batching.size, batching.window).await);
                }
                let Ok(place) = environments.place().await else { break };
                let batch = match gathered {
                    Some(batch) => batch,
                    None => queue.receive(batching.size, Duration::ZERO).await,
                };
                meter.received(batch.len(), batch.iter().map(|it| it.body.len()).sum());
                let (queue, payload) = (queue.clone(), payload(&batch, &arn));
                under_way.spawn(async move {
                    settle(&queue, batch, place.work(payload).await);
                });
                while under_way.try_join_next().is_some() {}
            }
        }))
    }

    /// Works a queue of the local endpoint.
    #[must_use]
    pub fn of_local(source: EventSource, environments: Environments, meter: Arc<Meter>) -> Self {
        Self(tokio::spawn(async move {
            let mut under_way = JoinSet::new();
            while let Ok(place) = environments.place().await {
                let Ok(batch) = source.receive(20).await else { continue };
                if batch.is_empty() {
                    continue;
                }
                let bytes = batch.iter().map(|it| it.body().map_or(0, str::len)).sum();
                meter.received(batch.len(), bytes);
                let (source, payload) = (source.clone(), source.payload(&batch).to_string());
                under_way.spawn(async move {
                    let answer = place.work(payload).await.ok();
                    source.settle(batch, answer.as_ref()).await;
                });
                while under_way.try_join_next().is_some() {}
            }
        }))
    }
}

/// Deletes what was worked, and has the rest come back.
fn settle(queue: &Queue, batch: Vec<Message>, answer: Result<Value, Failure>) {
    let failed: Option<Vec<u64>> = answer.ok().map(|answer| {
        let named = answer["batchItemFailures"].as_array().cloned().unwrap_or_default();
        let id = |failure: &Value| failure["itemIdentifier"].as_str()?.parse().ok();
        named.iter().filter_map(id).collect()
    });
    let (back, done): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .partition(|message| failed.as_ref().is_none_or(|failed| failed.contains(&message.id)));
    queue.delete(done.len());
    for message in back {
        queue.give_back(message, COMES_BACK_AFTER);
    }
}

/// A batch as the function gets it
/// (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>).
#[must_use]
pub fn payload(batch: &[Message], arn: &str) -> String {
    let mut payload = String::from(r#"{"Records":["#);
    for (index, message) in batch.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        let body = Value::from(&*message.body);
        // Writing to a text does not fail.
        let _ = write!(
            payload,
            r#"{separator}{{"messageId":"{}","receiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a","body":{body},"attributes":{{"ApproximateReceiveCount":"{}","SentTimestamp":"1795428000000","SenderId":"AIDAIENQZJOLO23YVJ4VO","ApproximateFirstReceiveTimestamp":"1795428000012","MessageGroupId":"PROPERTY#bench"}},"messageAttributes":{{}},"md5OfBody":"e4e68fb7bd0e697a0ae8f1bb342846b3","eventSource":"aws:sqs","eventSourceARN":"{arn}","awsRegion":"us-east-1"}}"#,
            message.id, message.received
        );
    }
    payload.push_str("]}");
    payload
}
