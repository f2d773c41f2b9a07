//! The pollers: what Lambda's event source mappings do between the queues and the functions.
//!
//! One loop a mapping, with the template's batch size and concurrency. Partial batch responses are
//! honoured: what the function did not name is deleted, what it named comes back when its
//! visibility time-out ends, and so does a whole batch whose invocation failed.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::functions::{Functions, Name};
use crate::template::{Account, QueueMapping, Stack};

/// Invocations of a mapping that run at once, at most: a laptop is not a Region.
const CONCURRENCY_MAX: u32 = 8;

/// How long one receive waits for messages (SQS's maximum).
const WAIT_S: i32 = 20;

/// How long a poller waits after its queue could not be asked.
const PAUSE: Duration = Duration::from_millis(200);

/// The running pollers.
pub(crate) struct Pollers {
    tasks: JoinSet<()>,
    stopping: watch::Sender<bool>,
}

#[derive(Clone)]
struct Poller {
    client: Client,
    functions: Arc<Functions>,
    function: Name,
    queue_url: String,
    queue_arn: String,
    batch_size: i32,
    permits: Arc<Semaphore>,
}

impl Pollers {
    /// Starts a poller for every mapping of the template.
    pub(crate) fn start(
        stack: &Stack,
        account: &Account,
        client: &Client,
        functions: &Arc<Functions>,
    ) -> Self {
        let (stopping, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for function in &stack.functions {
            let Some(name) = Name::of_logical_id(&function.logical_id) else { continue };
            for mapping in &function.queue_mappings {
                let poller = Poller::new(mapping, account, client, functions, name);
                tasks.spawn(poller.run(stopped.clone()));
            }
        }
        Self { tasks, stopping }
    }

    /// Stops: no further message is taken; invocations that run are let finish.
    pub(crate) async fn stop(mut self) {
        // An error means that every poller has ended already.
        let _ = self.stopping.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Poller {
    fn new(
        mapping: &QueueMapping,
        account: &Account,
        client: &Client,
        functions: &Arc<Functions>,
        function: Name,
    ) -> Self {
        let concurrency =
            mapping.maximum_concurrency.unwrap_or(CONCURRENCY_MAX).min(CONCURRENCY_MAX);
        Self {
            client: client.clone(),
            functions: Arc::clone(functions),
            function,
            queue_url: account.queue_url(&mapping.queue),
            queue_arn: account.queue_arn(&mapping.queue),
            batch_size: i32::try_from(mapping.batch_size.min(10)).unwrap_or(10),
            permits: Arc::new(Semaphore::new(concurrency as usize)),
        }
    }

    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut invocations = JoinSet::new();
        loop {
            let batch = tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => break,
                batch = self.next_batch() => batch,
            };
            let Some((messages, permit)) = batch else { continue };
            let poller = self.clone();
            invocations.spawn(async move {
                poller.work(messages).await;
                drop(permit);
            });
            while invocations.try_join_next().is_some() {}
        }
        while invocations.join_next().await.is_some() {}
    }

    async fn next_batch(&self) -> Option<(Vec<Message>, tokio::sync::OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        let received = self
            .client
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(self.batch_size)
            .wait_time_seconds(WAIT_S)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await;
        if let Ok(output) = received {
            let messages = output.messages.unwrap_or_default();
            (!messages.is_empty()).then_some((messages, permit))
        } else {
            tokio::time::sleep(PAUSE).await;
            None
        }
    }

    async fn work(&self, messages: Vec<Message>) {
        let records: Vec<Value> =
            messages.iter().map(|message| record(message, &self.queue_arn)).collect();
        let payload = json!({ "Records": records });
        let Ok(answer) = self.functions.invoke(self.function, payload).await else {
            // The whole batch comes back by itself.
            return;
        };
        let came_back: Vec<&str> = answer["batchItemFailures"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|failure| failure["itemIdentifier"].as_str())
            .collect();
        let done: Vec<_> = messages
            .iter()
            .filter(|message| message.message_id().is_none_or(|id| !came_back.contains(&id)))
            .collect();
        self.delete(&done).await;
    }

    async fn delete(&self, messages: &[&Message]) {
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

/// One record of an SQS event
/// (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>).
fn record(message: &Message, queue_arn: &str) -> Value {
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
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(':').nth(3),
    })
}
