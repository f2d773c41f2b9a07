//! The pollers: what Lambda's event source mappings do between the queues and the functions.
//!
//! One loop a mapping, with the template's concurrency. [`EventSource`] is what each does with its
//! queue.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::Message;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::aws::Faults;
use crate::event_source::EventSource;
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
    source: EventSource,
    functions: Arc<Functions>,
    function: Name,
    permits: Arc<Semaphore>,
    queue: String,
    faults: Faults,
}

impl Pollers {
    /// Starts a poller for every mapping of the template.
    pub(crate) fn start(
        stack: &Stack,
        account: &Account,
        client: &Client,
        functions: &Arc<Functions>,
        faults: &Faults,
    ) -> Self {
        let (stopping, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for function in &stack.functions {
            let Some(name) = Name::of_logical_id(&function.logical_id) else { continue };
            for mapping in &function.queue_mappings {
                let poller = Poller::new(mapping, account, client, functions, name, faults);
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
        faults: &Faults,
    ) -> Self {
        let concurrency =
            mapping.maximum_concurrency.unwrap_or(CONCURRENCY_MAX).min(CONCURRENCY_MAX);
        Self {
            source: EventSource::new(mapping, account, client),
            functions: Arc::clone(functions),
            function,
            permits: Arc::new(Semaphore::new(concurrency as usize)),
            queue: mapping.queue.clone(),
            faults: faults.clone(),
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
        if self.faults.disables_mapping(&self.queue) {
            tokio::time::sleep(PAUSE).await;
            return None;
        }
        if let Ok(messages) = self.source.receive(WAIT_S).await {
            (!messages.is_empty()).then_some((messages, permit))
        } else {
            tokio::time::sleep(PAUSE).await;
            None
        }
    }

    async fn work(&self, messages: Vec<Message>) {
        let payload = self.source.payload(&messages);
        let answer = self.functions.invoke(self.function, payload).await.ok();
        // What is not settled comes back by itself.
        let _ = self.source.settle(messages, answer.as_ref()).await;
    }
}
