//! Delivery: from a queue record to deliveries that are settled: made, ledgered or given up.
//!
//! Inline first, queue on failure. The first attempts of a message are made at once; a target that
//! fails gets a ledger item and a wake-up of its own, so no neighbour is sent anything again. When
//! something of *ours* fails, the record is returned to its queue and no attempt is charged.
//!
//! ```text
//! record ─ parse ─┬─ EventsV1 ─ match ─┬─ too many ─ split into messages of their own
//!                 │                    └─ first attempts ─┬─ delivered
//!                 │                                     ├─ ledger item and wake-up
//!                 │                                     ├─ held, while the breaker is open
//!                 ├─ RetryV1 ── claim ── attempt ───────┤
//!                 │                                     └─ dead letter with a reason
//!                 └─ unreadable ─ dead-letter queue with a reason
//! ```

mod attempt;
mod content;
mod endpoint;
mod fan_out;
mod gate;
mod memory;
mod report;
mod retry;
mod revoke;
pub mod sending;
mod signing;
mod trial;

use std::future::Future;
use std::sync::Arc;

use crate::breaker;
use crate::egress::EgressPolicy;
use crate::enrich::last_known_good;
use crate::event_type::EventTypeNames;
use crate::id::SubscriptionId;
use crate::ledger::{Claim, Lease, LedgerItem, Settlement};
use crate::limits::DELIVERY_RESERVE_MS;
use crate::message::{Events, QueueMessage, Unreadable, Wakeup};
use crate::notification::{Issuer, Notification, WebhookHeaders};
use crate::retry::{Dice, Schedule};
use crate::scope::Scope;
use crate::subscription::{EndpointVerification, Subscription, Subscriptions};
use crate::time::{Deadline, Timestamp};
use crate::verification::VerifiedUrl;

pub use memory::Memory;
pub use report::{Disposition, Ended, Handshake, Report, Trouble};
pub use signing::{NoToken, Unsigned};
pub use trial::{Trial, trial};

/// What delivery needs from outside. Every call is bounded in time by whoever implements it.
pub trait Ports: sending::Ports {
    /// Fresh chance, for jitter.
    fn dice(&self) -> Dice;

    /// The subscriptions of a scope, at most 30 s old.
    fn subscriptions(
        &self,
        scope: &Scope,
    ) -> impl Future<Output = Result<Arc<Subscriptions>, OurFault>> + Send;

    /// Disables a subscription, if the row still has the endpoint that gave the reason. `false`
    /// when it could not be done; the next delivery tries again.
    fn disable(
        &self,
        subscription: &Subscription,
        ended: Ended,
    ) -> impl Future<Output = bool> + Send;

    /// Says in a subscription's row that it is in trouble, or no more, if the row still has the
    /// endpoint in question. Best effort.
    fn note_trouble(
        &self,
        subscription: &Subscription,
        trouble: Trouble,
    ) -> impl Future<Output = ()> + Send;

    /// The breakers of all subscriptions.
    fn breakers(&self) -> &impl breaker::Ports;

    /// What is remembered of users; `None` where nothing is.
    fn last_known_good(&self) -> Option<&impl last_known_good::Ports>;

    /// Writes a new ledger item, unless there is one of this delivery already.
    fn record(&self, item: &LedgerItem) -> impl Future<Output = Result<Recorded, OurFault>> + Send;

    /// Claims the item a wake-up speaks of, if it is pending, due at `now`, at the wake-up's
    /// attempt, and under nobody's lease.
    fn claim(
        &self,
        wakeup: &Wakeup,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Claim, OurFault>> + Send;

    /// Leaves a claimed item as told, if the lease is still ours. When it is not, someone else
    /// answers for the item and there is nothing left to do: that is `Ok` too.
    fn settle(
        &self,
        lease: &Lease,
        settlement: &Settlement,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), OurFault>> + Send;

    /// Sends a wake-up that arrives after `delay_s` (at most 900) seconds.
    fn wake(
        &self,
        wakeup: &Wakeup,
        subscription: &SubscriptionId,
        delay_s: u32,
    ) -> impl Future<Output = Result<(), OurFault>> + Send;

    /// Puts the portions of a wide fan-out, at most ten, on the events queue. `Err` when not all of
    /// them are known to be there.
    fn send_portions(
        &self,
        portions: Vec<Events>,
    ) -> impl Future<Output = Result<(), OurFault>> + Send;

    /// Puts an unreadable record on the dead-letter queue of its queue, with the reason beside it.
    fn set_aside(
        &self,
        queue: Queue,
        body: &str,
        reason: Unreadable,
    ) -> impl Future<Output = Result<(), OurFault>> + Send;
}

/// One POST to a target. Only a guarded URL whose endpoint wants it can be posted to.
pub struct Post {
    /// Where to.
    pub url: VerifiedUrl,
    /// What is sent.
    pub notification: Notification,
    /// What helps the receiver.
    pub headers: WebhookHeaders,
    /// Name look-up, connection, TLS, request and the reply's head are all over by then.
    pub deadline: Deadline,
}

/// Something of ours failed. It is never charged to a target: the record goes back to its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OurFault {
    /// The subscriptions could not be read.
    #[error("the subscriptions table could not be read")]
    Subscriptions,
    /// The ledger could not be read or written.
    #[error("the deliveries table could not be read or written")]
    Ledger,
    /// The end of a user's access could not be marked.
    #[error("the table of last known good claims could not be written")]
    KnownGood,
    /// A queue did not take a message.
    #[error("a queue did not take a message")]
    Queue,
    /// The keys cannot be read, or the service that holds one does not sign.
    #[error("there is no signing key")]
    SigningKey,
    /// The key that webhook secrets are sealed under cannot be used.
    #[error("the key of the webhook secrets could not be used")]
    WebhookSecretsKey,
    /// The invocation ends before an attempt could.
    #[error("the invocation has too little time left")]
    OutOfTime,
}

/// Whether a new ledger item was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was.
    New,
    /// There was one already: the record reached us a second time.
    AlreadyThere,
}

/// Which queue a record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Fresh events.
    Events,
    /// Wake-ups.
    Retries,
}

/// What a deployment decides about deliveries.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `iss` of notifications.
    pub issuer: Issuer,
    /// What event types are called.
    pub names: EventTypeNames,
    /// When to try again.
    pub schedule: Schedule,
    /// What may be reached.
    pub egress: EgressPolicy,
    /// Whether endpoints are verified whose rows say nothing of it.
    pub endpoint_verification: EndpointVerification,
}

/// The invocation that the work happens in.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    /// When it ends; `None` when nobody knows.
    pub deadline: Option<Deadline>,
}

impl Invocation {
    /// Whether this much time is left.
    #[must_use]
    pub fn has_ms(self, ms: u64, now: Timestamp) -> bool {
        self.deadline.is_none_or(|end| end.left_ms(now) >= ms)
    }

    /// As if it ended when half of what is left has passed.
    pub(crate) fn first_half(self, now: Timestamp) -> Self {
        let half = |end: Deadline| Deadline::at(now.plus_ms(end.left_ms(now) / 2));
        Self { deadline: self.deadline.map(half) }
    }

    /// The deadline of an attempt that starts now and may take this long; `None` when it could not
    /// end, and be written down, before the invocation does. Such an attempt is not started.
    fn attempt_deadline(self, now: Timestamp, timeout_ms: u32) -> Option<Deadline> {
        let own = Deadline::at(now.plus_ms(timeout_ms.into()));
        match self.deadline {
            None => Some(own),
            Some(end) => {
                let last = Deadline::at(end.moment().minus_ms(DELIVERY_RESERVE_MS));
                (own <= last).then_some(own)
            }
        }
    }
}

/// Where and with what a record is worked.
pub struct Execution<'a, P> {
    /// The invocation.
    pub invocation: Invocation,
    /// What the deployment decides.
    pub settings: &'a Settings,
    /// What this execution environment remembers.
    pub memory: &'a Memory,
    /// The outside.
    pub ports: &'a P,
}

impl<P> Clone for Execution<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Execution<'_, P> {}

/// What became of a record.
#[derive(Debug)]
pub enum Fate {
    /// Everything in it is settled: the queue may forget it.
    Settled {
        /// What became of each delivery that it stood for.
        reports: Vec<Report>,
        /// How many of its events no subscription listens to.
        unmatched: usize,
        /// How many deliveries were given up because their ledger items cannot be read.
        unreadable: usize,
    },
    /// It stood for too many to be attempted at once: messages for this many portions of them are on
    /// the events queue in its place.
    Split {
        /// How many.
        portions: usize,
    },
    /// It must come back. What is reported happened all the same.
    Returned(OurFault, Vec<Report>),
    /// It could not be read and lies on the dead-letter queue with this reason.
    SetAside(Unreadable),
}

/// Works one record of one of the two queues.
pub async fn run(queue: Queue, body: &str, execution: Execution<'_, impl Ports>) -> Fate {
    match (queue, QueueMessage::parse(body)) {
        (Queue::Events, Ok(QueueMessage::EventsV1(events))) => {
            fan_out::run(&events, execution).await
        }
        (Queue::Retries, Ok(QueueMessage::RetryV1(wakeup))) => retry::run(&wakeup, execution).await,
        (Queue::Events, Ok(QueueMessage::RetryV1(_)))
        | (Queue::Retries, Ok(QueueMessage::EventsV1(_))) => {
            set_aside(queue, body, Unreadable::WrongQueue, execution.ports).await
        }
        (_, Err(reason)) => set_aside(queue, body, reason, execution.ports).await,
    }
}

async fn set_aside(queue: Queue, body: &str, reason: Unreadable, ports: &impl Ports) -> Fate {
    match ports.set_aside(queue, body, reason).await {
        Ok(()) => Fate::SetAside(reason),
        Err(fault) => Fate::Returned(fault, Vec::new()),
    }
}
