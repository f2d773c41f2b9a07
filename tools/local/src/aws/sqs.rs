//! SQS: standard queues in memory, by its JSON protocol.
//!
//! Written here, because the sending, waiting, counting and redriving of messages is what the
//! local stack demonstrates, and an emulator that differs from SQS there would teach the wrong
//! thing. The error codes and texts are those that AWS was recorded to answer.
//!
//! Not here: FIFO queues (creating one is refused), the query protocol of older clients,
//! permissions, encryption, the limit of 120,000 messages in flight, and fairness between message
//! groups: a group ID is kept and given back, but messages come in the order in which they become
//! visible.
//!
//! `queue` is one queue without clock or lock; `draft` checks a message before it is stored;
//! `queues`, `messages` and `moves` are the operations; `file` keeps queues across restarts.

mod draft;
mod error;
mod file;
mod message;
mod messages;
mod moves;
mod queue;
mod queues;
mod settings;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use super::answer::Refusal;
use super::faults::Faults;
use super::{StartError, StopError, now_ms};
use crate::template::Account;
use error::Error;
use queue::Queue;

/// The service.
pub(super) struct Sqs {
    state: Mutex<State>,
    stopping: watch::Sender<bool>,
}

/// Every queue of the account.
struct State {
    account: Account,
    faults: Faults,
    queues: BTreeMap<String, Queue>,
    moves: Vec<moves::Move>,
}

impl Sqs {
    /// A service without queues.
    pub(super) fn new(account: Account, faults: Faults) -> Self {
        let state = State { account, faults, queues: BTreeMap::new(), moves: Vec::new() };
        Self { state: Mutex::new(state), stopping: watch::Sender::new(false) }
    }

    /// Loads the queues saved in `file`, if it is there.
    pub(super) fn load(&self, file: &Path) -> Result<(), StartError> {
        self.lock().load(file)
    }

    /// Saves the queues with their messages to `file`.
    pub(super) fn save(&self, file: &Path) -> Result<(), StopError> {
        self.lock().save(file)
    }

    /// Ends every waiting receive, now and from now on, with no messages.
    pub(super) fn stop_waiting(&self) {
        self.stopping.send_replace(true);
    }

    /// Answers one call.
    pub(super) async fn call(&self, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
        let answer = match operation {
            "ReceiveMessage" => self.receive(body).await,
            _ => self.lock().call(operation, body, now_ms()),
        };
        answer.map_err(Refusal::from)
    }

    /// Receives, and waits for a message if the caller or the queue says so. It wakes when a
    /// message arrives, when the next hidden one becomes visible, when the time is over, and when
    /// the endpoint stops.
    async fn receive(&self, body: &[u8]) -> Result<Value, Error> {
        let wanted = messages::Receive::check(parse(body)?)?;
        let mut stopping = self.stopping.subscribe();
        let mut deadline_ms = None;
        loop {
            let (arrival, wake_ms) = {
                let mut state = self.lock();
                let now_ms = now_ms();
                let (answer, wait_s) = state.receive(&wanted, now_ms)?;
                let deadline_ms = *deadline_ms.get_or_insert(now_ms + queue::seconds(wait_s));
                if let Some(answer) = answer {
                    return Ok(answer);
                }
                if now_ms >= deadline_ms || *stopping.borrow_and_update() {
                    return Ok(messages::nothing());
                }
                let queue = state.queue(wanted.queue_url())?;
                let next_ms = queue.next_visible_ms().unwrap_or(deadline_ms);
                let arrival = Arc::clone(&queue.arrivals).notified_owned();
                (arrival, next_ms.min(deadline_ms))
            };
            let wait = Duration::from_millis(wake_ms.saturating_sub(now_ms()));
            tokio::select! {
                () = arrival => {}
                () = tokio::time::sleep(wait) => {}
                _ = stopping.changed() => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Answers any call but `ReceiveMessage`.
    fn call(&mut self, operation: &str, body: &[u8], now_ms: u64) -> Result<Value, Error> {
        match operation {
            "CreateQueue" => self.create_queue(parse(body)?, now_ms),
            "DeleteQueue" => self.delete_queue(&parse(body)?),
            "GetQueueAttributes" => self.get_queue_attributes(&parse(body)?, now_ms),
            "GetQueueUrl" => self.get_queue_url(&parse(body)?),
            "ListDeadLetterSourceQueues" => self.list_dead_letter_source_queues(&parse(body)?),
            "ListQueues" => Ok(self.list_queues(&parse(body)?)),
            "ListQueueTags" => self.list_queue_tags(&parse(body)?),
            "PurgeQueue" => self.purge_queue(&parse(body)?, now_ms),
            "SetQueueAttributes" => self.set_queue_attributes(&parse(body)?, now_ms),
            "TagQueue" => self.tag_queue(parse(body)?),
            "UntagQueue" => self.untag_queue(&parse(body)?),
            "SendMessage" => self.send_message(parse(body)?, now_ms),
            "SendMessageBatch" => self.send_message_batch(parse(body)?, now_ms),
            "DeleteMessage" => self.delete_message(&parse(body)?),
            "DeleteMessageBatch" => self.delete_message_batch(&parse(body)?),
            "ChangeMessageVisibility" => self.change_visibility(&parse(body)?, now_ms),
            "ChangeMessageVisibilityBatch" => self.change_visibility_batch(&parse(body)?, now_ms),
            "StartMessageMoveTask" => self.start_move(&parse(body)?, now_ms),
            "ListMessageMoveTasks" => self.list_moves(&parse(body)?),
            "CancelMessageMoveTask" => Err(Error::NoSuchResource(
                "Only active tasks can be cancelled, and a task is done at once here.".to_owned(),
            )),
            other => Err(Error::UnknownOperation(other.to_owned())),
        }
    }

    /// The queue that a URL names by its last segment, whatever stands before it.
    fn queue(&mut self, url: &str) -> Result<&mut Queue, Error> {
        let name = url.rsplit('/').next().unwrap_or_default();
        self.queues.get_mut(name).ok_or(Error::NoSuchQueue)
    }

    /// The name of the queue that an ARN names, if there is one.
    fn name_of_arn(&self, arn: &str) -> Option<String> {
        let name = arn.rsplit(':').next()?;
        let is_known = self.queues.contains_key(name) && self.account.queue_arn(name) == arn;
        is_known.then(|| name.to_owned())
    }
}

/// Reads the JSON of a request; an empty body is an empty object.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Error::Malformed(error.to_string()))
}
