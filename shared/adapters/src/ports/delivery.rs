//! What delivery is given.

use std::sync::Arc;

use domain::breaker;
use domain::delivery::{
    Ended, NoToken, OurFault, Ports, Post, Queue as Source, Recorded, Trouble, Unsigned, sending,
};
use domain::enrich::last_known_good;
use domain::event_type::EventTypeNames;
use domain::id::SubscriptionId;
use domain::jose::{Algorithm, Compact};
use domain::ledger::{Claim, Lease, LedgerItem, Settlement};
use domain::message::{Events, Unreadable, Wakeup};
use domain::notification::Signature;
use domain::outcome::Outcome;
use domain::retry::Dice;
use domain::scope::Scope;
use domain::sealing;
use domain::subscription::{SealedSecret, Subscription, Subscriptions};
use domain::time::Timestamp;
use domain::verification;

use super::{SendingPorts, StartError};
use crate::aws::{self, CallLimits};
use crate::breakers::Breakers;
use crate::clock;
use crate::known_good::KnownGoodTable;
use crate::lazy::Lazy;
use crate::ledger::Ledger;
use crate::queue::Queue;
use crate::settings::{Strings, optional, required};
use crate::subscriptions::SubscriptionTable;
use crate::targets::Targets;

/// The tables, all four queues, the keys, the webhook secrets, targets' keys and the way to the
/// targets.
pub struct DeliveryPorts {
    subscriptions: Arc<SubscriptionTable>,
    ledger: Ledger,
    breakers: Breakers,
    known_good: Option<KnownGoodTable>,
    events: Queue,
    retries: Queue,
    events_dead_letter: Queue,
    retries_dead_letter: Queue,
    sending: SendingPorts,
}

impl DeliveryPorts {
    /// From `SUBSCRIPTIONS_TABLE`, `DELIVERIES_TABLE`, `KNOWN_GOOD_TABLE`, `EVENTS_QUEUE_URL`,
    /// `RETRIES_QUEUE_URL`, `EVENTS_DEAD_LETTER_QUEUE_URL`, `RETRIES_DEAD_LETTER_QUEUE_URL`,
    /// `SIGNING_KEYS_SECRET_ID`, `SIGNING_KMS_KEY_ID`, `WEBHOOK_SECRETS_KEY_ID` and AWS's own
    /// variables, and with the way to the targets, of which no variable decides anything.
    /// Subscriptions are at most `staleness_max_ms` old. Without `KNOWN_GOOD_TABLE` nobody's end of access is marked,
    /// and without `WEBHOOK_SECRETS_KEY_ID` webhook secrets cannot be opened.
    pub fn new(
        strings: &impl Strings,
        names: EventTypeNames,
        targets: Targets,
        staleness_max_ms: u64,
    ) -> Result<Self, StartError> {
        let config = aws::config(strings, CallLimits::DELIVERY)?;
        let sqs = Lazy::new(&config, aws_sdk_sqs::Client::new);
        let dynamodb = Lazy::new(&config, aws_sdk_dynamodb::Client::new);
        let queue = |name| Ok::<_, StartError>(Queue::new(sqs.clone(), required(strings, name)?));
        let subscriptions = Arc::new(SubscriptionTable::new(
            dynamodb.clone(),
            required(strings, "SUBSCRIPTIONS_TABLE")?,
            names,
            staleness_max_ms,
        ));
        Ok(Self {
            subscriptions: Arc::clone(&subscriptions),
            ledger: Ledger::new(dynamodb.clone(), required(strings, "DELIVERIES_TABLE")?),
            breakers: Breakers::new(dynamodb.clone(), required(strings, "DELIVERIES_TABLE")?),
            known_good: optional(strings, "KNOWN_GOOD_TABLE")
                .map(|table| KnownGoodTable::new(dynamodb, table)),
            events: queue("EVENTS_QUEUE_URL")?,
            retries: queue("RETRIES_QUEUE_URL")?,
            events_dead_letter: queue("EVENTS_DEAD_LETTER_QUEUE_URL")?,
            retries_dead_letter: queue("RETRIES_DEAD_LETTER_QUEUE_URL")?,
            sending: SendingPorts::new(&config, strings, targets, subscriptions)?,
        })
    }
}

impl DeliveryPorts {
    /// Reads the keys while the execution environment starts, so that no delivery has to wait for
    /// them.
    pub async fn warm(&self) {
        self.sending.warm().await;
    }
}

impl sending::Ports for DeliveryPorts {
    fn now(&self) -> Timestamp {
        self.sending.now()
    }

    async fn sign(&self, algorithm: Algorithm, payload: &str) -> Result<Compact, NoToken> {
        self.sending.sign(algorithm, payload).await
    }

    async fn sign_webhook(
        &self,
        secrets: &[&SealedSecret],
        signing_input: &str,
    ) -> Result<Vec<Signature>, Unsigned> {
        self.sending.sign_webhook(secrets, signing_input).await
    }

    fn sealing(&self) -> &impl sealing::Ports {
        self.sending.sealing()
    }

    fn endpoints(&self) -> &impl verification::Ports {
        self.sending.endpoints()
    }

    async fn post(&self, post: Post) -> Outcome {
        self.sending.post(post).await
    }
}

impl Ports for DeliveryPorts {
    fn dice(&self) -> Dice {
        Dice(u32::from_ne_bytes(clock::dice()))
    }

    async fn subscriptions(&self, scope: &Scope) -> Result<Arc<Subscriptions>, OurFault> {
        self.subscriptions.of(scope).await.map_err(|_| OurFault::Subscriptions)
    }

    async fn disable(&self, subscription: &Subscription, ended: Ended) -> bool {
        self.subscriptions.disable(subscription, ended.as_str()).await
    }

    async fn note_trouble(&self, subscription: &Subscription, trouble: Trouble) {
        self.subscriptions.note_trouble(subscription, trouble).await;
    }

    fn breakers(&self) -> &impl breaker::Ports {
        &self.breakers
    }

    fn last_known_good(&self) -> Option<&impl last_known_good::Ports> {
        self.known_good.as_ref()
    }

    async fn record(&self, item: &LedgerItem) -> Result<Recorded, OurFault> {
        self.ledger.record(item).await.map_err(|_| OurFault::Ledger)
    }

    async fn claim(
        &self,
        wakeup: &Wakeup,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim, OurFault> {
        self.ledger.claim(wakeup, now, until).await.map_err(|_| OurFault::Ledger)
    }

    async fn settle(
        &self,
        lease: &Lease,
        settlement: &Settlement,
        now: Timestamp,
    ) -> Result<(), OurFault> {
        self.ledger.settle(lease, settlement, now).await.map_err(|_| OurFault::Ledger)
    }

    async fn wake(
        &self,
        wakeup: &Wakeup,
        subscription: &SubscriptionId,
        delay_s: u32,
    ) -> Result<(), OurFault> {
        self.retries.wake(wakeup, subscription, delay_s).await.map_err(|_| OurFault::Queue)
    }

    async fn send_portions(&self, portions: Vec<Events>) -> Result<(), OurFault> {
        self.events.send_portions(portions).await.map_err(|_| OurFault::Queue)
    }

    async fn set_aside(
        &self,
        source: Source,
        body: &str,
        reason: Unreadable,
    ) -> Result<(), OurFault> {
        let aside = match source {
            Source::Events => &self.events_dead_letter,
            Source::Retries => &self.retries_dead_letter,
        };
        aside.set_aside(body, reason).await.map_err(|_| OurFault::Queue)
    }
}
