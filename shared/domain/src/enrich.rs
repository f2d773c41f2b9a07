//! Enrich: a login asks, the targets answer, one decision comes out, inside one deadline.
//!
//! Every subscription of the client is asked at once. The strictest action wins, as soon as it is
//! certain. A target that does not answer well counts as its subscription's policy says; an answer
//! that arrives and does not verify is always a block, else whoever can spoil an answer turns a
//! block into an allow. This path never enqueues.
//!
//! Dramatis personae: [`Login`], the question that a login journey asks; a [`Question`], what a
//! target is asked about it; a [`Reply`], or [`Silence`]; a voice, how that counts; the
//! [`Decision`], which is also the receipt: who said what, and why it came out so.

mod answer;
mod claims;
mod decision;
mod endpoint;
mod gate;
pub mod last_known_good;
mod memory;
pub mod once;
mod race;
mod reason_class;
mod recall;
mod receipt;
mod request;
mod retries;
mod signing;
mod target;
mod voice;

use std::future::Future;
use std::sync::Arc;

use crate::egress::{EgressPolicy, GuardedUrl};
use crate::event::Event;
use crate::event_type::EventTypeNames;
use crate::id::uuid_v7;
use crate::ingest::Refusal;
use crate::jose::{Algorithm, Compact, KeySet, NoKeySet, Sealed, WantedKey};
use crate::limits::{ENRICH_LOOK_UP_GRACE_MS, ENRICH_RESERVE_MS};
use crate::notification::{Issuer, Notification, WebhookHeaders};
use crate::scope::Scope;
use crate::sealing;
use crate::subscription::{EndpointVerification, EnrichPolicy, Subscription, Subscriptions};
use crate::time::{Deadline, Timestamp};
use crate::verification::{self, VerifiedUrl};

pub use answer::{Answer, AnswerRefusal, Expected, judge};
pub use claims::{ClaimValue, Claims};
pub use decision::Decision;
pub use memory::Memory;
pub use receipt::{Freshness, Source, TargetReport};
pub use request::{Login, LoginRequest};

/// What enrich needs from outside. Every call ends at its deadline at the latest.
pub trait Ports: Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Fresh chance, for IDs.
    fn dice(&self) -> [u8; 10];

    /// The subscriptions of a scope, at most 30 s old.
    fn subscriptions(
        &self,
        scope: &Scope,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Arc<Subscriptions>, NoSubscriptions>> + Send;

    /// Signs the payload of a question.
    fn sign(
        &self,
        algorithm: Algorithm,
        payload: &str,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Compact, NoSigningKey>> + Send;

    /// What questions are encrypted with, where a subscription asks for it.
    fn sealing(&self) -> &impl sealing::Ports;

    /// The way to endpoints that are to show that they want to be asked.
    fn endpoints(&self) -> &impl verification::Ports;

    /// Asks a target and reads its whole reply. Asks once: whether to ask again is decided here.
    fn ask(&self, question: Question) -> impl Future<Output = Result<Reply, Silence>> + Send;

    /// Opens an answer that is encrypted to one of our keys.
    fn open(
        &self,
        sealed: Sealed,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<u8>, NotOpened>> + Send;

    /// The key set behind a URL, fetched or remembered; fetched again, within reason, when it does
    /// not hold the key that is looked for.
    fn key_set(
        &self,
        url: &GuardedUrl,
        wanted: WantedKey<'_>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Arc<KeySet>, NoKeySet>> + Send;

    /// The requests that are known.
    fn once(&self) -> &impl once::Ports;

    /// What is remembered of users; `None` where nothing is.
    fn last_known_good(&self) -> Option<&impl last_known_good::Ports>;
}

/// A question to a target. Only a guarded URL whose endpoint wants it can be asked. No `Debug`: it holds the login.
pub struct Question {
    /// Where to.
    pub url: VerifiedUrl,
    /// The signed login event, encrypted where the subscription says so.
    pub notification: Notification,
    /// What helps the receiver.
    pub headers: WebhookHeaders,
    /// Also told to the target, as `webhook-deadline` in epoch milliseconds.
    pub deadline: Deadline,
    /// How it gets there.
    pub connection: Connection,
}

/// Which connection a question may go out on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// One that was kept from an earlier question, where there is one.
    Kept,
    /// A new one: a kept one has just turned out to be dead, and so may its neighbours be.
    Fresh,
}

/// A target's reply, whole. No `Debug`: it may hold claims.
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// `Content-Type`, where it has one.
    pub content_type: Option<String>,
    /// The body; `None` when it is longer than 64 KiB.
    pub body: Option<Vec<u8>>,
}

/// Why there is no whole reply. No `Debug`: it may hold the question.
pub enum Silence {
    /// The deadline passed.
    TimedOut,
    /// There was no connection, or it ended, before a byte of an answer had been read. The question
    /// comes back, for only this one may be asked again.
    BeforeFirstByte(Box<Question>),
    /// The connection ended, or made no sense, in the middle of an answer.
    Broken,
    /// There is no way to the target that trying again would find: no such name, an address that we
    /// do not connect to, a certificate that does not prove it.
    NoWay,
}

/// The subscriptions table could not be read in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the subscriptions table could not be read in time")]
pub struct NoSubscriptions;

/// There is no key to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no signing key")]
pub struct NoSigningKey;

/// Why an encrypted answer was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// We have no key for this algorithm, or could not read it in time. Our own fault.
    #[error("there is no key to decrypt with")]
    NoKey,
    /// It is not encrypted to a key of ours, or is not what was encrypted any more.
    #[error("it does not open with our keys")]
    Refused,
}

/// What a deployment decides about logins.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `iss` of questions, and the `aud` of answers that name one.
    pub issuer: Issuer,
    /// What event types are called.
    pub names: EventTypeNames,
    /// A login's time where a subscription does not say otherwise.
    pub budget_ms: u32,
    /// What may be reached.
    pub egress: EgressPolicy,
    /// Whether endpoints are verified whose rows say nothing of it.
    pub endpoint_verification: EndpointVerification,
}

/// Where and with what a login is decided.
pub struct Execution<'a, P> {
    /// When Lambda ends the invocation; `None` when nobody knows.
    pub invocation_deadline: Option<Deadline>,
    /// What the deployment decides.
    pub settings: &'a Settings,
    /// What this execution environment remembers of targets.
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

/// Decides one login; a refusal is the caller's fault.
pub async fn run(login: &Login, execution: Execution<'_, impl Ports>) -> Result<Decision, Refusal> {
    let Execution { settings, ports, .. } = execution;
    let time = LoginTime::of(login, execution.invocation_deadline);
    let decision_id = uuid_v7(time.started_at, ports.dice());
    let look_up = time.look_up(settings.budget_ms);
    let Ok(subscriptions) = ports.subscriptions(&login.event.scope, look_up).await else {
        let elapsed_ms = ports.now().since_ms(time.started_at);
        return Ok(Decision::without_subscriptions(decision_id, elapsed_ms));
    };
    let case = Case { event: &login.event, subscriptions: &subscriptions, time, decision_id };
    let ends = case.ends(settings);
    let mut decision = if let (Some(name), Some(ends)) = (&login.name, ends) {
        once::run(&case, name, ends, execution).await?
    } else {
        let (decision, learnt) = case.decide(execution).await;
        learnt.tell(&case, execution).await;
        decision
    };
    decision.budget_ms = ends.map(|end| end.left_ms(time.started_at));
    Ok(decision)
}

/// A login that is to be decided, and whom to ask.
struct Case<'a> {
    event: &'a Event,
    subscriptions: &'a Subscriptions,
    time: LoginTime,
    decision_id: String,
}

impl<'a> Case<'a> {
    /// The subscriptions that ask about it, each with its policy and its time.
    fn asking(
        &self,
        settings: &Settings,
    ) -> impl Iterator<Item = (&'a Subscription, &'a EnrichPolicy, TargetTime)> {
        let matching = self.subscriptions.readable.iter().filter(|one| one.matches(self.event));
        let budget_ms = settings.budget_ms;
        matching.filter_map(move |subscription| {
            let policy = subscription.enrich.as_ref()?;
            let budget_ms = policy.timeout_ms.unwrap_or(budget_ms);
            let deadline = self.time.deadline(budget_ms);
            Some((subscription, policy, TargetTime { budget_ms, deadline }))
        })
    }

    /// The latest deadline of its targets; `None` when there are none.
    fn ends(&self, settings: &Settings) -> Option<Deadline> {
        self.asking(settings).map(|(_, _, time)| time.deadline).max()
    }

    /// Asks all targets and decides. What that teaches about the user is still to be told.
    async fn decide(
        &self,
        execution: Execution<'_, impl Ports>,
    ) -> (Decision, last_known_good::Learnt) {
        let heard = race::run(self, execution).await;
        let learnt = last_known_good::Learnt::of(self, &heard);
        let rows = &self.subscriptions.unreadable;
        let unreadable = rows.iter().filter(|row| row.means_enrich).count();
        let elapsed_ms = execution.ports.now().since_ms(self.time.started_at);
        (Decision::of(self.decision_id.clone(), heard, unreadable, elapsed_ms), learnt)
    }

    /// What it comes to when another had the request, and was not heard of.
    fn undecided(&self, now: Timestamp) -> Decision {
        Decision::undecided(self.decision_id.clone(), now.since_ms(self.time.started_at))
    }
}

/// The time that one target has for a login.
#[derive(Clone, Copy)]
struct TargetTime {
    /// What its subscription gives it, of which the deadline may leave less.
    budget_ms: u32,
    deadline: Deadline,
}

/// The time that one login has.
#[derive(Clone, Copy)]
struct LoginTime {
    started_at: Timestamp,
    /// The earlier of what the caller and what Lambda allows.
    latest: Option<Deadline>,
}

impl LoginTime {
    fn of(login: &Login, invocation_deadline: Option<Deadline>) -> Self {
        let lambda =
            invocation_deadline.map(|end| Deadline::at(end.moment().minus_ms(ENRICH_RESERVE_MS)));
        let latest = [lambda, login.deadline].into_iter().flatten().min();
        Self { started_at: login.event.accepted_at, latest }
    }

    /// The one deadline of whoever may take this long: everything counts against it, from the
    /// look-up of the subscriptions on.
    fn deadline(self, budget_ms: u32) -> Deadline {
        let budget = Deadline::at(self.started_at.plus_ms(budget_ms.into()));
        self.latest.map_or(budget, |latest| budget.earlier(latest))
    }

    /// Even a login that comes with its deadline behind it may look up what the policy says.
    fn look_up(self, budget_ms: u32) -> Deadline {
        let grace = Deadline::at(self.started_at.plus_ms(ENRICH_LOOK_UP_GRACE_MS));
        self.deadline(budget_ms).max(grace)
    }
}

#[cfg(test)]
mod tests;
