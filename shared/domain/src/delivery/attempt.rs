//! One attempt and what follows from it, the same for a first attempt and for a later one.

use super::{Disposition, Invocation, OurFault, Ports, Post, Report, Settings};
use crate::egress::GuardedUrl;
use crate::event::Event;
use crate::id::DeliveryId;
use crate::ledger::{Reason, State};
use crate::limits::QUEUE_DELAY_MAX_S;
use crate::message::Wakeup;
use crate::notification::{WebhookHeaders, payload};
use crate::outcome::{Outcome, Verdict};
use crate::retry::RetryAfter;
use crate::subscription::Subscription;
use crate::time::Timestamp;

/// An attempt that was made.
pub(super) struct Made {
    pub(super) report: Report,
    /// When its outcome was known.
    pub(super) ended_at: Timestamp,
    /// Milliseconds to wait before the next one, where there is one.
    pub(super) wait_ms: Option<u64>,
}

/// Makes the attempt of this number (counted from 1) and decides what follows from it.
pub(super) async fn make(
    event: &Event,
    subscription: &Subscription,
    number: u32,
    invocation: Invocation,
    settings: &Settings,
    ports: &impl Ports,
) -> Result<Made, OurFault> {
    let delivery_id = DeliveryId::of(&event.scope, &event.id, &subscription.id);
    let mut started_at = ports.now();
    let outcome = match GuardedUrl::judge(&subscription.endpoint, settings.egress) {
        Err(refusal) => Outcome::UrlRefused(refusal),
        Ok(url) => {
            let notification = {
                let endpoint = &subscription.endpoint;
                let payload = payload(event, endpoint, &settings.issuer, &settings.names);
                ports.sign(subscription.signing_algorithm, &payload).await?
            };
            // The target's time starts here: what our own keys took is not charged to it.
            started_at = ports.now();
            let deadline = invocation
                .attempt_deadline(started_at, subscription.retry.timeout_ms)
                .ok_or(OurFault::OutOfTime)?;
            let headers =
                WebhookHeaders { id: delivery_id.clone(), timestamp: started_at, attempt: number };
            ports.post(Post { url, notification, headers, deadline }).await
        }
    };
    let ended_at = ports.now();
    let (disposition, wait_ms) = decide(&outcome, number, subscription, ended_at, settings, ports);
    let report = Report {
        delivery_id,
        event_id: event.id.clone(),
        kind: event.kind,
        scope: event.scope.clone(),
        subscription_id: subscription.id.clone(),
        attempt: number,
        outcome: Some(outcome),
        elapsed_ms: ended_at.since_ms(started_at),
        disposition,
        has_disabled: outcome.verdict() == Verdict::Gone && ports.disable(subscription).await,
    };
    Ok(Made { report, ended_at, wait_ms })
}

/// From verdict to disposition. The only place where a delivery is given up after an attempt.
fn decide(
    outcome: &Outcome,
    number: u32,
    subscription: &Subscription,
    ended_at: Timestamp,
    settings: &Settings,
    ports: &impl Ports,
) -> (Disposition, Option<u64>) {
    match outcome.verdict() {
        Verdict::Delivered => (Disposition::Delivered, None),
        Verdict::GiveUp | Verdict::Gone => {
            (Disposition::Dead(Reason::Final(outcome.to_string())), None)
        }
        Verdict::Retry(asked) => match wait(number, asked, subscription, settings, ports) {
            Some(wait_ms) => {
                let next_at = ended_at.plus_ms(wait_ms);
                (Disposition::Retrying { next_at }, Some(wait_ms))
            }
            None => (Disposition::Dead(Reason::Exhausted(outcome.to_string())), None),
        },
    }
}

fn wait(
    number: u32,
    asked: Option<RetryAfter>,
    subscription: &Subscription,
    settings: &Settings,
    ports: &impl Ports,
) -> Option<u64> {
    let is_last = subscription.retry.attempts_max.is_some_and(|most| number >= most);
    if is_last { None } else { settings.schedule.wait_ms(number, asked, ports.dice()) }
}

impl Made {
    /// The ledger's view of it; `None` when the delivery is done.
    pub(super) fn state(&self) -> Option<State> {
        match &self.report.disposition {
            Disposition::Delivered | Disposition::InLedger => None,
            Disposition::Retrying { next_at } => Some(State::Pending { next_at: *next_at }),
            Disposition::Dead(reason) => Some(State::Dead { reason: reason.clone() }),
        }
    }

    /// The outcome as the ledger keeps it.
    pub(super) fn last_outcome(&self) -> String {
        self.report.outcome.map(|outcome| outcome.to_string()).unwrap_or_default()
    }

    /// Sends the wake-up that the wait calls for. Beyond what a queue can delay, none: the item is
    /// found by its due time.
    pub(super) async fn wake(&self, ports: &impl Ports) -> Result<(), OurFault> {
        let Some(wait_ms) = self.wait_ms else { return Ok(()) };
        match delay_s(wait_ms) {
            None => Ok(()),
            Some(delay_s) => {
                let wakeup = Wakeup {
                    delivery_id: self.report.delivery_id.clone(),
                    attempt: self.report.attempt,
                };
                ports.wake(&wakeup, &self.report.subscription_id, delay_s).await
            }
        }
    }
}

/// Whole seconds for SQS, rounded up so that a wake-up is never early; `None` beyond 900.
pub(super) fn delay_s(wait_ms: u64) -> Option<u32> {
    u32::try_from(wait_ms.div_ceil(1_000)).ok().filter(|delay_s| *delay_s <= QUEUE_DELAY_MAX_S)
}
