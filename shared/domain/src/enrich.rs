//! Enrich: a login asks, the targets answer, one decision comes out, inside one deadline.
//!
//! Every subscription of the client is asked at once. The strictest action wins. A target that
//! does not answer well counts as its subscription's policy says; an answer that arrives and does
//! not verify is always a block, else whoever can spoil an answer turns a block into an allow.
//! This path never enqueues.

mod answer;
mod claims;
mod decision;
mod key_memory;
mod request;
mod target;

use std::future::Future;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::egress::{EgressPolicy, GuardedUrl};
use crate::event_type::EventTypeNames;
use crate::id::uuid_v7;
use crate::jose::{Algorithm, Compact, KeySet, Sealed};
use crate::limits::ENRICH_RESERVE_MS;
use crate::notification::{Issuer, WebhookHeaders};
use crate::scope::Scope;
use crate::subscription::{Subscription, Subscriptions, Unavailable};
use crate::time::{Deadline, Timestamp};

pub use answer::{Answer, AnswerRefusal, Expected, judge};
pub use claims::{ClaimValue, Claims};
pub use decision::{Decision, TargetReport};
pub use key_memory::{Fetched, KeyMemory, KeyStep};
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

    /// Asks a target and reads its whole reply.
    fn ask(&self, question: Question) -> impl Future<Output = Result<Reply, Unavailable>> + Send;

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
}

/// A question to a target. Only a guarded URL can be asked.
pub struct Question {
    /// Where to.
    pub url: GuardedUrl,
    /// The signed login event.
    pub notification: Compact,
    /// What helps the receiver.
    pub headers: WebhookHeaders,
    /// Also told to the target, as `webhook-deadline` in epoch milliseconds.
    pub deadline: Deadline,
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

/// The key that an answer says it is signed with.
#[derive(Clone, Copy, Debug)]
pub struct WantedKey<'a> {
    /// Its `kid`, where the answer names one.
    pub kid: Option<&'a str>,
    /// The registered algorithm.
    pub algorithm: Algorithm,
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

/// A target's key set could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the target's key set could not be had")]
pub struct NoKeySet;

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
}

/// Even a login that comes with its deadline behind it may look up what the policy says.
const LOOK_UP_GRACE_MS: u64 = 40;

/// Decides one login.
pub async fn run(
    login: &Login,
    invocation_deadline: Option<Deadline>,
    settings: &Settings,
    ports: &impl Ports,
) -> Decision {
    let started_at = login.event.accepted_at;
    let id = uuid_v7(started_at, ports.dice());
    let deadline = |budget_ms: u32| {
        let budget = Deadline::at(started_at.plus_ms(budget_ms.into()));
        let lambda =
            invocation_deadline.map(|end| Deadline::at(end.moment().minus_ms(ENRICH_RESERVE_MS)));
        [lambda, login.deadline].into_iter().flatten().fold(budget, Deadline::earlier)
    };
    let look_up =
        deadline(settings.budget_ms).max(Deadline::at(started_at.plus_ms(LOOK_UP_GRACE_MS)));
    let Ok(subscriptions) = ports.subscriptions(&login.event.scope, look_up).await else {
        return Decision::without_subscriptions(id, ports.now().since_ms(started_at));
    };
    let asked: Vec<&Subscription> = subscriptions
        .readable
        .iter()
        .filter(|subscription| subscription.matches(&login.event))
        .collect();
    let questions = asked.iter().filter_map(|subscription| {
        let policy = subscription.enrich.as_ref()?;
        let deadline = deadline(policy.timeout_ms.unwrap_or(settings.budget_ms));
        Some(target::ask(&login.event, subscription, policy, deadline, settings, ports))
    });
    let heard = join_all(questions).await;
    let unreadable = subscriptions.unreadable.iter().filter(|row| row.means_enrich).count();
    Decision::of(id, heard, unreadable, ports.now().since_ms(started_at))
}
