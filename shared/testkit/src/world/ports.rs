//! The domain's ports on the world.

use std::sync::Arc;

use domain::breaker;
use domain::delivery::{
    self, Ended, NoToken, OurFault, Post, Queue, Recorded, Trouble, Unsigned, sending,
};
use domain::enrich::last_known_good;
use domain::id::SubscriptionId;
use domain::ingest::{self, Begun, Idempotency, Outgoing, Posting};
use domain::jose::{Algorithm, Compact, signing_input};
use domain::ledger::{Claim, Lease, LedgerItem, Settlement};
use domain::message::{Events, QueueMessage, Sent, Unreadable, Wakeup};
use domain::notification::{Signature, TYP};
use domain::outcome::Outcome;
use domain::retry::Dice;
use domain::scope::Scope;
use domain::subscription::{SealedSecret, Subscription, Subscriptions};
use domain::time::{Deadline, Timestamp};
use domain::verification;
use futures_util::future::join_all;

use super::errands::Deed;
use super::faults::{Await, Call, Fault};
use super::pause::pause;
use super::queues::{Draft, Place};
use super::targets::Reaction;
use super::{State, World};

/// A call that failed: not done, or done and nobody told.
pub(super) struct Failed;

impl World {
    /// One call: the request travels, the effect takes place unless a fault says otherwise, the
    /// answer travels.
    pub(super) async fn call<T: Send>(
        &self,
        call: Call,
        effect: impl FnOnce(&mut State) -> T + Send,
    ) -> Result<T, Failed> {
        self.pause(Await::Before(call)).await;
        let answer = self.take_effect(call, effect);
        self.pause(Await::After(call)).await;
        answer
    }

    /// Waits here, once.
    pub(super) async fn pause(&self, at: Await) {
        self.lock().waits_at = Some(at);
        pause().await;
    }

    pub(super) fn take_effect<T>(
        &self,
        call: Call,
        effect: impl FnOnce(&mut State) -> T,
    ) -> Result<T, Failed> {
        let mut state = self.lock();
        *state.calls.entry(call).or_default() += 1;
        match state.fault_of(call) {
            None => Ok(effect(&mut state)),
            Some(Fault::NotDone) => Err(Failed),
            Some(Fault::ReplyLost) => {
                effect(&mut state);
                Err(Failed)
            }
            Some(Fault::Panic) => {
                drop(state);
                scripted_panic()
            }
        }
    }

    /// Sends a batch, and says of each entry whether it is confirmed.
    pub(super) async fn send_drafts(
        &self,
        call: Call,
        queue: Queue,
        drafts: Vec<Draft>,
    ) -> Vec<Sent> {
        let entries = drafts.len();
        let send_all = |state: &mut State| {
            let refused = state.faults.refused();
            let send = |(entry, draft)| {
                if refused.contains(&entry) || state.refuses_an_entry(call) {
                    return Sent::Unconfirmed;
                }
                state.send(queue.into(), draft);
                Sent::Confirmed
            };
            drafts.into_iter().enumerate().map(send).collect()
        };
        let sent = self.call(call, send_all).await;
        sent.unwrap_or_else(|Failed| vec![Sent::Unconfirmed; entries])
    }

    async fn send_draft(&self, call: Call, place: Place, draft: Draft) -> Result<(), OurFault> {
        let sent = self.call(call, |state| state.send(place, draft)).await;
        sent.map_err(|Failed| OurFault::Queue)
    }
}

impl World {
    /// What comes of a reaction, by the deadline of whoever waits for it.
    pub(super) async fn react(&self, reaction: Reaction, by: Deadline, call: Call) -> Outcome {
        self.pause(Await::After(call)).await;
        match reaction {
            Reaction::Panic => scripted_panic(),
            Reaction::Hang => {
                while self.seen_now() <= by.moment() {
                    self.pause(Await::After(call)).await;
                }
                Outcome::TimedOut
            }
            Reaction::Outcome(_) if self.seen_now() > by.moment() => Outcome::TimedOut,
            Reaction::Outcome(outcome) => outcome,
        }
    }
}

/// A POST that has begun, until it has ended or is cut off.
struct UnderWay<'a>(&'a World);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.lock().targets.end();
    }
}

#[expect(clippy::panic, reason = "the script asks for it")]
fn scripted_panic() -> ! {
    panic!("a panic on script")
}

impl sending::Ports for World {
    fn now(&self) -> Timestamp {
        self.seen_now()
    }

    async fn sign(&self, algorithm: Algorithm, payload: &str) -> Result<Compact, NoToken> {
        let sign = |_: &mut State| {
            let input = signing_input(algorithm, "world", TYP, payload);
            Compact::assemble(input, b"signed by the world")
        };
        let signed = self.call(Call::Sign, sign).await.map_err(|Failed| OurFault::SigningKey)?;
        match algorithm {
            Algorithm::Es256 | Algorithm::EdDsa => Ok(signed),
            Algorithm::Es384 | Algorithm::Rs256 | Algorithm::Ps256 => Err(NoToken::KeyMissing),
        }
    }

    async fn sign_webhook(
        &self,
        secrets: &[&SealedSecret],
        signing_input: &str,
    ) -> Result<Vec<Signature>, Unsigned> {
        self.sign_webhook_with(secrets, signing_input).await
    }

    fn sealing(&self) -> &impl domain::sealing::Ports {
        self
    }

    fn endpoints(&self) -> &impl verification::Ports {
        self
    }

    async fn post(&self, post: Post) -> Outcome {
        self.pause(Await::Before(Call::Post)).await;
        let reaction = {
            let mut state = self.lock();
            let now = state.now;
            state.note(Deed::Posted(post.headers.id.clone(), post.headers.attempt));
            state.targets.begin(&post, now)
        };
        let _under_way = UnderWay(self);
        self.react(reaction, post.deadline, Call::Post).await
    }
}

impl delivery::Ports for World {
    fn dice(&self) -> Dice {
        let [dice, _] = halves(self.lock().roll());
        Dice(dice)
    }

    async fn subscriptions(&self, scope: &Scope) -> Result<Arc<Subscriptions>, OurFault> {
        let (now, environment) = (self.seen_now(), self.lock().environment.clone());
        if let Some(remembered) = environment.as_ref().and_then(|it| it.remembered(scope, now)) {
            return Ok(remembered);
        }
        let read = self.call(Call::Subscriptions, |state| state.subscriptions.of(scope)).await;
        let read = read.map_err(|Failed| OurFault::Subscriptions)?;
        if let Some(environment) = environment {
            environment.remember(scope, now, &read);
        }
        Ok(read)
    }

    async fn disable(&self, subscription: &Subscription, _ended: Ended) -> bool {
        let disable = self.call(Call::Disable, |state| {
            let now = state.now;
            state.subscriptions.disable(subscription, now)
        });
        disable.await.unwrap_or(false)
    }

    async fn note_trouble(&self, subscription: &Subscription, trouble: Trouble) {
        let note = |state: &mut State| state.subscriptions.note_trouble(subscription, trouble);
        let _heard = self.call(Call::NoteTrouble, note).await;
    }

    fn breakers(&self) -> &impl breaker::Ports {
        self
    }

    fn last_known_good(&self) -> Option<&impl last_known_good::Ports> {
        self.remembering()
    }

    async fn record(&self, item: &LedgerItem) -> Result<Recorded, OurFault> {
        let record = |state: &mut State| {
            state.note(Deed::Recorded(item.delivery_id.clone()));
            let recorded = state.ledger.record(item, state.now);
            if recorded == Recorded::New {
                state.held.note(&item.delivery_id, &item.state, state.now);
            }
            recorded
        };
        self.call(Call::Record, record).await.map_err(|Failed| OurFault::Ledger)
    }

    async fn claim(
        &self,
        wakeup: &Wakeup,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Claim, OurFault> {
        let claim = |state: &mut State| {
            let claim = state.ledger.claim(wakeup, now, until);
            if let Claim::Claimed(_, lease) | Claim::Unreadable(lease) = &claim {
                state.note_claim(lease, now);
            }
            claim
        };
        self.call(Call::Claim, claim).await.map_err(|Failed| OurFault::Ledger)
    }

    async fn settle(
        &self,
        lease: &Lease,
        settlement: &Settlement,
        now: Timestamp,
    ) -> Result<(), OurFault> {
        let settle = |state: &mut State| {
            if state.ledger.settle(lease, settlement, now) {
                state.note_settled();
                if let Settlement::Kept { state: stands, .. } = settlement {
                    state.held.note(&lease.delivery_id, stands, state.now);
                }
            }
        };
        self.call(Call::Settle, settle).await.map_err(|Failed| OurFault::Ledger)
    }

    async fn wake(
        &self,
        wakeup: &Wakeup,
        subscription: &SubscriptionId,
        delay_s: u32,
    ) -> Result<(), OurFault> {
        let draft = Draft {
            group: Some(subscription.to_string()),
            delay_s,
            ..Draft::of(QueueMessage::RetryV1(wakeup.clone()).to_body())
        };
        self.send_draft(Call::Wake, Queue::Retries.into(), draft).await
    }

    async fn send_portions(&self, portions: Vec<Events>) -> Result<(), OurFault> {
        let draft = |events: Events| Draft {
            group: Some(events.scope().key()),
            ..Draft::of(QueueMessage::EventsV1(events).to_body())
        };
        let drafts = portions.into_iter().map(draft).collect();
        let sent = self.send_drafts(Call::SendPortions, Queue::Events, drafts).await;
        let are_all = sent.iter().all(|sent| *sent == Sent::Confirmed);
        if are_all { Ok(()) } else { Err(OurFault::Queue) }
    }

    async fn set_aside(
        &self,
        queue: Queue,
        body: &str,
        reason: Unreadable,
    ) -> Result<(), OurFault> {
        let draft = Draft { reason: Some(reason.to_string()), ..Draft::of(body.to_owned()) };
        self.send_draft(Call::SetAside, Place::DeadLetters(queue), draft).await
    }
}

impl ingest::Ports for World {
    fn now(&self) -> Timestamp {
        self.seen_now()
    }

    fn dice(&self) -> [u8; 10] {
        let mut state = self.lock();
        let [first, second] = [state.roll().to_be_bytes(), state.roll().to_be_bytes()];
        std::array::from_fn(|index| *first.iter().chain(&second).nth(index).expect("16 bytes"))
    }

    fn idempotency(&self) -> Idempotency {
        self.lock().idempotency
    }

    async fn begin(&self, postings: &[Posting], now: Timestamp, _: Deadline) -> Vec<Begun> {
        let begin =
            |posting| self.call(Call::Begin, move |state| state.ingested.begin(posting, now));
        let answers = join_all(postings.iter().map(begin)).await.into_iter();
        answers.map(|answer| answer.unwrap_or(Begun::Unknown)).collect()
    }

    async fn mark_sent(&self, postings: &[Posting], now: Timestamp, _: Deadline) {
        let mark = |posting| {
            self.call(Call::MarkSent, move |state| state.ingested.mark_sent(posting, now))
        };
        // Whoever hears of a failure can do nothing about it.
        let _heard = join_all(postings.iter().map(mark)).await;
    }

    async fn send(&self, messages: &[Outgoing]) -> Vec<Sent> {
        let draft = |message: &Outgoing| {
            let group = Some(message.group.clone());
            Draft { group, ..Draft::of(message.body.clone()) }
        };
        self.send_drafts(Call::Send, Queue::Events, messages.iter().map(draft).collect()).await
    }

    async fn published_keys(&self) -> Option<String> {
        self.call(Call::PublishedKeys, |_| r#"{"keys":[]}"#.to_owned()).await.ok()
    }
}

fn halves(roll: u64) -> [u32; 2] {
    let bytes = roll.to_be_bytes();
    let (high, low) = bytes.split_at(4);
    [high, low].map(|half| u32::from_be_bytes(half.try_into().expect("four bytes")))
}
