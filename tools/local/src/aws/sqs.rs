//! SQS: winterbaume's queues, behind a front that refuses what AWS refuses.
//!
//! winterbaume keeps, delays, hides, counts and redrives messages; it takes almost anything. The
//! front checks calls against AWS's limits, gives errors AWS's names, takes batches apart so that
//! an entry fails alone, gives out queue URLs on this endpoint, and lets a long poll end with it.
//!
//! What differs from AWS:
//! - Queues and messages are in memory only, and no message expires.
//! - Refused: FIFO queues (winterbaume does not keep their order), binary message attributes (it
//!   forgets them), message move tasks (it moves nothing), the query protocol of older clients.
//! - A message group ID is checked and forgotten; groups are not served fairly.
//! - A message in a dead-letter queue counts its receives from 0 and does not name its source.
//! - `ApproximateNumberOfMessages` leaves out messages that were received before and came back.
//! - `DelaySeconds: 0` takes the queue's delay.
//! - Times are the machine's, and so are visibility time-outs; see `delayed` for delays.
//! - There are no MD5 sums of attributes, for which Java's SDK asks; those of bodies are there.
//! - Attributes of a queue are not checked, other than its redrive policy; `MaximumMessageSize` is
//!   not enforced, the limit is AWS's highest. `GetQueueAttributes` always answers with all.
//! - A message whose dead-letter queue has been deleted is lost when it would be moved there.
//! - Names, types and number of message attributes are not checked. Other parameters that are
//!   missing or no JSON are refused in winterbaume's words.
//!
//! `message` and `receive` are the checks of those calls, `batch` takes batches apart, `refusal`
//! knows AWS's words, `delayed` keeps what waits while time is scaled.

mod batch;
mod delayed;
mod message;
mod receive;
mod refusal;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::{Notify, watch};
use winterbaume_sqs::SqsService;

use super::answer::Refusal;
use super::faults::Faults;
use super::inner;
use crate::clock::Clock;
use crate::template::Account;
use delayed::Delayed;

/// The members of a call, of an entry, or of a message.
type Members = Map<String, Value>;

/// The service.
pub(super) struct Sqs {
    service: Arc<SqsService>,
    delayed: Delayed,
    account: Account,
    faults: Faults,
    /// Tells waiting receives of every message that is sent.
    sent: Arc<Notify>,
    stopping: watch::Sender<bool>,
}

impl Sqs {
    /// A service without queues.
    pub(super) fn new(account: Account, faults: Faults, clock: Arc<Clock>) -> Self {
        let service = Arc::new(SqsService::new());
        let sent = Arc::new(Notify::new());
        let delayed = Delayed::new(&service, account.clone(), clock, &sent);
        let stopping = watch::Sender::new(false);
        Self { service, delayed, account, faults, sent, stopping }
    }

    /// Whether the queue of this name has nothing to be received, and nothing that was received and
    /// not deleted.
    pub(super) async fn is_quiet(&self, queue: &str) -> bool {
        let answer = self.ask("GetQueueAttributes", &json!({"QueueUrl": queue})).await;
        let is_none = |attributes: &Value, name: &str| attributes[name] == "0";
        answer.is_ok_and(|answer| {
            let attributes = &answer["Attributes"];
            is_none(attributes, "ApproximateNumberOfMessages")
                && is_none(attributes, "ApproximateNumberOfMessagesNotVisible")
        })
    }

    /// Ends every waiting receive, now and from now on, with no messages.
    pub(super) fn stop_waiting(&self) {
        self.stopping.send_replace(true);
    }

    /// Answers one call.
    pub(super) async fn call(&self, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
        let body = if body.is_empty() { b"{}" } else { body };
        let members: Members = serde_json::from_slice(body).map_err(refusal::malformed)?;
        match operation {
            "SendMessageBatch" | "DeleteMessageBatch" | "ChangeMessageVisibilityBatch" => {
                self.batch(operation, members).await
            }
            _ => self.single(operation, members).await,
        }
    }

    /// Answers a call that is no batch, or an entry of one.
    async fn single(&self, operation: &str, members: Members) -> Result<Value, Refusal> {
        match operation {
            "CreateQueue" | "SetQueueAttributes" => self.check_queue(&members).await?,
            "SendMessage" => {
                message::Draft::read(&members)?.check()?;
                if let Some(answer) = self.delayed.take(&members).await {
                    return answer;
                }
            }
            "PurgeQueue" | "DeleteQueue" => self.delayed.forget(&members),
            "ReceiveMessage" => return self.receive(&members).await,
            "ChangeMessageVisibility" => {
                let timeout_s = members.get("VisibilityTimeout");
                let missing = || refusal::missing_parameter("VisibilityTimeout");
                receive::check_visibility(timeout_s.ok_or_else(missing)?.as_i64())?;
            }
            "StartMessageMoveTask" | "ListMessageMoveTasks" | "CancelMessageMoveTask" => {
                return Err(refusal::unsupported("The local endpoint moves no messages back."));
            }
            _ => {}
        }
        let mut answer = self.ask(operation, &members).await?;
        if operation == "SendMessage" {
            self.sent.notify_waiters();
        }
        self.put_on_endpoint(&mut answer);
        self.count_delayed(&members, &mut answer);
        Ok(answer)
    }

    async fn ask(&self, operation: &str, ask: &impl Serialize) -> Result<Value, Refusal> {
        let answer = inner::ask(&*self.service, &self.account, operation, ask).await;
        answer.map_err(refusal::translated)
    }

    /// Refuses FIFO queues, and a dead-letter queue that is not there: winterbaume would drop what
    /// it cannot move.
    async fn check_queue(&self, members: &Members) -> Result<(), Refusal> {
        let text = |member: &str| members.get(member).and_then(Value::as_str);
        if text("QueueName").is_some_and(|it| it.strip_suffix(".fifo").is_some()) {
            return Err(refusal::unsupported("The local endpoint has standard queues only."));
        }
        let policy = members.get("Attributes").and_then(|it| it["RedrivePolicy"].as_str());
        let Some(policy) = policy.filter(|it| !it.is_empty()) else {
            return Ok(());
        };
        let parsed: Value = serde_json::from_str(policy).unwrap_or_default();
        if let Some(arn) = parsed["deadLetterTargetArn"].as_str()
            && let Some((_, name)) = arn.rsplit_once(':')
            && arn == self.account.queue_arn(name)
            && self.ask("GetQueueUrl", &json!({"QueueName": name})).await.is_ok()
        {
            return Ok(());
        }
        Err(refusal::invalid_parameter(format!(
            "Value {policy} for parameter RedrivePolicy is invalid. Reason: Dead letter target \
             does not exist."
        )))
    }

    /// Counts the messages that the front keeps among the delayed ones.
    fn count_delayed(&self, members: &Members, answer: &mut Value) {
        let attribute = "/Attributes/ApproximateNumberOfMessagesDelayed";
        if let Some(count) = answer.pointer_mut(attribute) {
            let inner: usize = count.as_str().and_then(|it| it.parse().ok()).unwrap_or(0);
            *count = (inner + self.delayed.count(members)).to_string().into();
        }
    }

    /// Gives queue URLs this endpoint's address, and lists their order.
    fn put_on_endpoint(&self, answer: &mut Value) {
        let put = |url: &mut Value| {
            if let Some((_, name)) = url.as_str().and_then(|it| it.rsplit_once('/')) {
                *url = self.account.queue_url(name).into();
            }
        };
        answer.get_mut("QueueUrl").map(put);
        for list in ["QueueUrls", "queueUrls"] {
            if let Some(Value::Array(urls)) = answer.get_mut(list) {
                urls.iter_mut().for_each(&put);
                urls.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
            }
        }
    }
}
