//! An outside in memory: queues, tables, targets, a clock and dice, with faults on script.
//!
//! # Dramatis personae
//! - [`World`]: everything, behind one lock. It is what the domain's ports are implemented on.
//! - [`Place`]: one of the four queues, with [`Message`]s that are visible, hidden or delayed.
//! - [`Reaction`]: what a target does when it is posted to; [`Posted`]: that it was.
//! - [`Call`]: a call of a port; [`Fault`]: what goes wrong with it.
//! - [`Errand`]: what was done for one record or request; made of [`Deed`]s.
//!
//! # What is promised
//! - Deterministic: the same seed, the same calls in the same order, the same world. Time moves
//!   only when it is told to.
//! - Every asynchronous call pauses twice: once before it takes effect (the request travels) and
//!   once after (the answer does). So futures that run side by side do interleave, and a future
//!   that is dropped leaves either nothing done or something done and nobody told.
//! - The ledger's conditions are those of `adapters::ledger`; [`crate::contract`] holds both to it.

mod breakers;
mod endpoints;
mod environment;
mod errands;
mod explain;
mod faults;
mod held;
mod index;
mod ingested;
mod known_good;
mod ledger;
mod logins;
mod pause;
mod ports;
mod queues;
mod redrive;
mod sealing;
mod sources;
mod subscriptions;
mod sweep;
mod targets;
mod webhook_secrets;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::breaker::{Breaker, BreakerKey};
use domain::delivery::{Execution, Invocation, Memory, Queue, Settings};
use domain::id::DeliveryId;
use domain::ingest::Idempotency;
use domain::ledger::LedgerItem;
use domain::limits::QUEUE_DELAY_MAX_S;
use domain::scope::Scope;
use domain::time::Timestamp;
use serde_json::Value;

use crate::chance::Chance;
use crate::samples;
use breakers::Breakers;
use endpoints::Echoes;
use errands::Errands;
use faults::Faults;
use held::Held;
use ingested::Ingested;
use known_good::KnownGood;
use ledger::Ledger;
use logins::Logins;
use queues::Queues;
use sealing::TargetKeys;
use sources::Sources;
use subscriptions::SubscriptionRows;
use targets::Targets;

pub use endpoints::Echo;
pub use environment::Environment;
pub use errands::{Deed, Errand, ErrandId};
pub use faults::{Await, Call, Fault, Service};
pub use queues::{Message, Place, RECEIVES_MAX, VISIBILITY_MS};
pub use targets::{Posted, Reaction};
pub use webhook_secrets::{sealed, whsec};

/// The outside. See the module's head.
pub struct World {
    state: Mutex<State>,
    memory: Memory,
}

struct State {
    now: Timestamp,
    /// Whose work is going on; `None` is one whose clock is right and who remembers nothing.
    environment: Option<Arc<Environment>>,
    /// Where the future waits that was polled last.
    waits_at: Option<Await>,
    chance: Chance,
    faults_per_mille: u32,
    /// Services that are down, and until when.
    down: BTreeMap<Service, Timestamp>,
    faults_injected: usize,
    subscriptions: SubscriptionRows,
    sources: Sources,
    /// Whether the deployment has an Ed25519 key.
    has_ed25519_key: bool,
    idempotency: Idempotency,
    ingested: Ingested,
    logins: Logins,
    remembers_good: bool,
    known_good: KnownGood,
    ledger: Ledger,
    breakers: Breakers,
    queues: Queues,
    targets: Targets,
    echoes: Echoes,
    faults: Faults,
    errands: Errands,
    held: Held,
    target_keys: TargetKeys,
    calls: BTreeMap<Call, usize>,
}

impl World {
    /// An empty world at [`samples::START`], with the dice of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            now: samples::START,
            environment: None,
            waits_at: None,
            chance: Chance::new(seed),
            faults_per_mille: 0,
            down: BTreeMap::new(),
            faults_injected: 0,
            subscriptions: SubscriptionRows::default(),
            sources: Sources::default(),
            has_ed25519_key: false,
            idempotency: Idempotency::Off,
            ingested: Ingested::default(),
            logins: Logins::default(),
            remembers_good: false,
            known_good: KnownGood::default(),
            ledger: Ledger::default(),
            breakers: Breakers::default(),
            queues: Queues::default(),
            targets: Targets::default(),
            echoes: Echoes::default(),
            faults: Faults::default(),
            errands: Errands::default(),
            held: Held::default(),
            target_keys: TargetKeys::default(),
            calls: BTreeMap::new(),
        };
        Self { state: Mutex::new(state), memory: Memory::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in a test must not hide behind a poisoned lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // -- Time --------------------------------------------------------------------------------

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.lock().now
    }

    /// Sets the clock, also backwards.
    pub fn set_now(&self, now: Timestamp) {
        self.lock().now = now;
    }

    /// Moves the clock on.
    pub fn advance_ms(&self, ms: u64) {
        let mut state = self.lock();
        state.now = state.now.plus_ms(ms);
    }

    /// What the clock of whoever works shows.
    pub(crate) fn seen_now(&self) -> Timestamp {
        let state = self.lock();
        state.environment.as_ref().map_or(state.now, |environment| environment.now(state.now))
    }

    // -- Execution environments --------------------------------------------------------------

    /// From now on, what works does so in this environment.
    pub fn enter(&self, environment: Option<Arc<Environment>>) {
        self.lock().environment = environment;
    }

    /// Where the future waits that was polled last.
    #[must_use]
    pub fn waits_at(&self) -> Option<Await> {
        self.lock().waits_at
    }

    // -- Subscriptions -----------------------------------------------------------------------

    /// Writes a subscription of [`samples::property`] that takes everything.
    pub fn subscribe(&self, id: &str, endpoint: &str) {
        self.subscribe_with(id, endpoint, &Value::Null);
    }

    /// As [`Self::subscribe`], with more attributes, or other values of them.
    pub fn subscribe_with(&self, id: &str, endpoint: &str, attributes: &Value) {
        let row = subscriptions::plain_row(endpoint, attributes);
        self.put_subscription_row(&samples::property(), id, row);
    }

    /// Writes a subscription's row as it is, readable or not. `sk` is added.
    pub fn put_subscription_row(&self, scope: &Scope, id: &str, row: Value) {
        self.lock().subscriptions.put(scope, id, row);
    }

    /// Removes a subscription of [`samples::property`].
    pub fn unsubscribe(&self, id: &str) {
        self.lock().subscriptions.delete(&samples::property(), id);
    }

    /// When a delivery disabled a subscription of [`samples::property`], where one did.
    #[must_use]
    pub fn disabled_at(&self, id: &str) -> Option<Timestamp> {
        self.lock().subscriptions.disabled_at(&samples::property(), id)
    }

    /// Whether a subscription's row says that it is disabled.
    #[must_use]
    pub fn is_disabled(&self, scope: &Scope, id: &str) -> bool {
        self.lock().subscriptions.is_disabled(scope, id)
    }

    // -- Targets -----------------------------------------------------------------------------

    /// Adds to what the target behind this URL does, attempt by attempt. A target without a
    /// script, or at its end, answers as [`Self::react_always`] says, else 200.
    pub fn script(&self, url: &str, reactions: impl IntoIterator<Item = Reaction>) {
        self.lock().targets.script(url, reactions);
    }

    /// What the target behind this URL does until a moment, after that of the call before.
    pub fn react_until(&self, url: &str, until: Timestamp, reaction: Reaction) {
        self.lock().targets.react_until(url, until, reaction);
    }

    /// What the target behind this URL does when its script is at its end.
    pub fn react_always(&self, url: &str, reaction: Reaction) {
        self.lock().targets.react_always(url, reaction);
    }

    /// Every POST so far, in order.
    #[must_use]
    pub fn posts(&self) -> Vec<Posted> {
        self.lock().targets.history().to_vec()
    }

    /// Every POST to this URL so far, in order.
    #[must_use]
    pub fn posts_to(&self, url: &str) -> Vec<Posted> {
        self.posts().into_iter().filter(|post| post.url == url).collect()
    }

    // -- Queues ------------------------------------------------------------------------------

    /// Puts a message on a queue; it is visible at once.
    pub fn put(&self, place: impl Into<Place>, body: impl Into<String>) {
        let mut state = self.lock();
        let now = state.now;
        state.queues.send(place.into(), queues::Draft::of(body.into()), now);
    }

    /// Takes up to `most` visible messages and hides them for [`VISIBILITY_MS`]. One that was
    /// received [`RECEIVES_MAX`] times already goes to the dead letters instead.
    pub fn receive(&self, queue: Queue, most: usize) -> Vec<Message> {
        let mut state = self.lock();
        let now = state.now;
        state.queues.receive(queue, most, now)
    }

    /// As [`Self::receive`], but in no order.
    pub(crate) fn receive_any(&self, queue: Queue, most: usize) -> Vec<Message> {
        let mut state = self.lock();
        let State { queues, chance, now, .. } = &mut *state;
        queues.receive_any(queue, most, *now, chance)
    }

    /// How many messages are on a queue.
    #[must_use]
    pub fn count(&self, place: impl Into<Place>) -> usize {
        self.lock().queues.len(place.into())
    }

    /// Deletes a message.
    pub fn delete(&self, queue: Queue, message_id: &str) {
        self.lock().queues.delete(queue, message_id);
    }

    /// All messages of a queue: visible, hidden and delayed ones, oldest first.
    #[must_use]
    pub fn messages(&self, place: impl Into<Place>) -> Vec<Message> {
        self.lock().queues.all(place.into())
    }

    /// The moment at which the next message of `events` or `retries` is visible, now or later.
    #[must_use]
    pub fn next_visible_at(&self) -> Option<Timestamp> {
        let queues = [Queue::Events, Queue::Retries];
        queues.into_iter().filter_map(|queue| self.next_visible_on(queue)).min()
    }

    /// The moment at which the next message of a queue is visible, now or later.
    #[must_use]
    pub fn next_visible_on(&self, queue: Queue) -> Option<Timestamp> {
        self.lock().queues.next_visible_at(queue)
    }

    // -- Ledger ------------------------------------------------------------------------------

    /// Puts a pending item of this event into the ledger, due at this moment, with no wake-up.
    pub fn put_pending(&self, event_id: &str, next_at: Timestamp) {
        // Longer than a queue can delay: the sweeper is the one to wake it.
        let wait_ms = u64::from(QUEUE_DELAY_MAX_S) * 1_000 + 1;
        self.put_ledger_item(&samples::pending_item(event_id, next_at.minus_ms(wait_ms), wait_ms));
    }

    /// Writes a ledger item as it is.
    pub fn put_ledger_item(&self, item: &LedgerItem) {
        let mut state = self.lock();
        let now = state.now;
        state.ledger.record(item, now);
    }

    /// All items, by delivery ID.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerItem> {
        self.lock().ledger.items()
    }

    /// Until when an item is under a lease, where it is.
    #[must_use]
    pub fn lease_until(&self, delivery: &DeliveryId) -> Option<Timestamp> {
        self.lock().ledger.lease_until(delivery)
    }

    /// The index `due`: pending items and when they are due, earliest first.
    #[must_use]
    pub fn due(&self) -> Vec<(Timestamp, DeliveryId)> {
        self.lock().ledger.pending()
    }

    /// The next moment at which the sweeper has something to look at: a pending item or a breaker.
    #[must_use]
    pub fn next_sweep_at(&self) -> Option<Timestamp> {
        let state = self.lock();
        state.ledger.index.next_due_at().into_iter().chain(state.breakers.next_check_at()).min()
    }

    // -- Breakers ----------------------------------------------------------------------------

    /// The breaker of a subscription of [`samples::property`].
    #[must_use]
    pub fn breaker_of(&self, id: &str) -> Breaker {
        self.lock().breakers.of(&samples::breaker_key(id))
    }

    /// Puts a breaker in the place of one, whatever its revision.
    pub fn put_breaker(&self, key: BreakerKey, breaker: Breaker) {
        self.lock().breakers.put(key, breaker);
    }

    /// What the one execution environment of [`crate::poller`] remembers.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Work in that environment.
    #[must_use]
    pub fn execution<'a>(
        &'a self,
        invocation: Invocation,
        settings: &'a Settings,
    ) -> Execution<'a, Self> {
        Execution { invocation, settings, memory: &self.memory, ports: self }
    }

    /// All breakers that have an item.
    #[must_use]
    pub fn breakers(&self) -> BTreeMap<BreakerKey, Breaker> {
        self.lock().breakers.all().clone()
    }

    /// Makes an item one that cannot be read.
    pub fn spoil(&self, delivery: &DeliveryId) {
        self.lock().ledger.spoil(delivery);
    }
}

impl State {
    /// `SplitMix64`: small, and any seed is a good one.
    fn roll(&mut self) -> u64 {
        self.chance.next()
    }
}
