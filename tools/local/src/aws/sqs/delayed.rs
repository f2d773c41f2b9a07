//! Delayed messages while time is scaled: winterbaume delays by the machine's clock, so the front
//! keeps them itself and hands each over, without a delay, when it is due by the stack's clock.
//!
//! What differs from AWS here, beyond what differs anyway: a message that was delayed is received
//! under another ID than `SendMessage` answered, and was sent when it was handed over. A queue's own
//! delay, which the template does not use, stays winterbaume's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::time::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use winterbaume_sqs::SqsService;

use super::{Members, refusal};
use crate::aws::answer::Refusal;
use crate::aws::inner;
use crate::clock::Clock;
use crate::template::Account;

/// The messages that wait.
pub(super) struct Delayed {
    service: Arc<SqsService>,
    account: Account,
    clock: Arc<Clock>,
    waiting: Arc<Mutex<Waiting>>,
    sent: Arc<Notify>,
    handing_over: Mutex<JoinSet<()>>,
}

/// The queue of each, by message ID.
type Waiting = HashMap<String, String>;

impl Delayed {
    /// Keeps none yet. `sent` is told of every message that is handed over.
    pub(super) fn new(
        service: &Arc<SqsService>,
        account: Account,
        clock: Arc<Clock>,
        sent: &Arc<Notify>,
    ) -> Self {
        Self {
            service: Arc::clone(service),
            account,
            clock,
            waiting: Arc::default(),
            sent: Arc::clone(sent),
            handing_over: Mutex::default(),
        }
    }

    /// Takes a message, which has been checked, if it is to wait; answers as winterbaume would.
    pub(super) async fn take(&self, members: &Members) -> Option<Result<Value, Refusal>> {
        let delay_s = members.get("DelaySeconds").and_then(Value::as_u64).unwrap_or(0);
        if self.clock.scale().is_real() || delay_s == 0 {
            return None;
        }
        let queue_url = members.get("QueueUrl").cloned().unwrap_or_default();
        // A missing queue is not noticed too late.
        let ask = json!({"QueueUrl": queue_url});
        let queue = inner::ask(&*self.service, &self.account, "GetQueueAttributes", &ask).await;
        if let Err(missing) = queue {
            return Some(Err(refusal::translated(missing)));
        }
        let body = members.get("MessageBody").and_then(Value::as_str).unwrap_or_default();
        let now = adapters::clock::now();
        let id = domain::id::uuid_v7(now, adapters::clock::dice());
        let answer =
            json!({"MessageId": id, "MD5OfMessageBody": format!("{:x}", md5::compute(body))});
        self.keep(id, now.plus_ms(delay_s * 1_000), members.clone());
        Some(Ok(answer))
    }

    /// Keeps a message until it is due, and hands it over.
    fn keep(&self, id: String, due: Timestamp, mut members: Members) {
        members.remove("DelaySeconds");
        self.waiting().insert(id.clone(), queue_of(&members).to_owned());
        let due = self.clock.wait_until(due);
        let (service, account) = (Arc::clone(&self.service), self.account.clone());
        let (waiting, sent) = (Arc::clone(&self.waiting), Arc::clone(&self.sent));
        let mut handing_over = lock(&self.handing_over);
        while handing_over.try_join_next().is_some() {}
        handing_over.spawn(async move {
            let _work = due.await;
            // Purged meanwhile, it is gone.
            if lock(&waiting).remove(&id).is_some() {
                // Nor does it outlive its queue.
                let _ = inner::ask(&*service, &account, "SendMessage", &members).await;
                sent.notify_waiters();
            }
        });
    }

    /// Forgets the messages of the queue that a call purges or deletes.
    pub(super) fn forget(&self, members: &Members) {
        let queue = queue_of(members);
        self.waiting().retain(|_, of| of != queue);
    }

    /// How many wait for the queue of a call.
    pub(super) fn count(&self, members: &Members) -> usize {
        let queue = queue_of(members);
        self.waiting().values().filter(|of| *of == queue).count()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }
}

/// The last part of a queue URL.
fn queue_of(members: &Members) -> &str {
    let url = members.get("QueueUrl").and_then(Value::as_str).unwrap_or_default();
    url.rsplit('/').next().unwrap_or_default()
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
