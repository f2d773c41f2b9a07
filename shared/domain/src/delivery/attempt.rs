//! One attempt and what follows from it, the same for a first attempt and for a later one.

use super::content::Content;
use super::endpoint::{self, Endpoint};
use super::gate::{self, Lesson, Look, Pass};
use super::signing;
use super::{Disposition, Ended, Execution, Handshake, OurFault, Ports, Post, Report, Trouble};
use crate::breaker::{BreakerKey, Change};
use crate::egress::{GuardedUrl, Refused};
use crate::event::Event;
use crate::id::DeliveryId;
use crate::ledger::{Reason, State};
use crate::limits::{BREAKER_RESERVE_MS, QUEUE_DELAY_MAX_S};
use crate::message::Wakeup;
use crate::notification::WebhookHeaders;
use crate::outcome::{Outcome, Verdict};
use crate::retry::RetryAfter;
use crate::sealing::Unsealed;
use crate::subscription::Subscription;
use crate::time::{Deadline, Timestamp};
use crate::verification::Ports as _;

/// An attempt that is to be made.
#[derive(Clone, Copy)]
pub(super) struct Due<'a> {
    pub(super) event: &'a Event,
    pub(super) subscription: &'a Subscription,
    /// Attempts made so far.
    pub(super) attempt: u32,
    /// Those of them that the schedule does not count.
    pub(super) uncharged: u32,
}

/// An attempt that was made, or a delivery that is held or given up instead.
pub(super) struct Made {
    pub(super) report: Report,
    /// When its outcome was known.
    pub(super) ended_at: Timestamp,
    /// Milliseconds to wait before the next one, where there is one.
    wait_ms: Option<u64>,
    pass: Option<Pass>,
}

/// Makes the attempt, unless the breaker is open, and decides what follows from it.
pub(super) async fn make(
    due: Due<'_>,
    look: Look,
    execution: Execution<'_, impl Ports>,
) -> Result<Made, OurFault> {
    let Due { event, subscription, .. } = due;
    let Execution { settings, ports, .. } = execution;
    let url = match GuardedUrl::judge(&subscription.endpoint, settings.egress) {
        Ok(url) => url,
        // Nothing was tried, so the breaker learns nothing; but nothing it holds can be posted.
        Err(refusal) => {
            let outcome = Outcome::UrlRefused(refusal);
            let mut made = due.made(outcome, None, ports.now(), execution);
            made.report.refused = Some(Refused::new(refusal, &subscription.endpoint));
            return Ok(made);
        }
    };
    let key = BreakerKey::new(&subscription.scope, &subscription.id);
    let look = if subscription.is_troubled { Look::Afresh } else { look };
    let Some(pass) = gate::admit(&key, look, execution).await else {
        return Ok(due.held(ports.now()));
    };
    let number = due.attempt.saturating_add(1);
    let headers = WebhookHeaders::of_attempt(due.delivery_id(), ports.now(), number, event);
    let content = Content::Event(event);
    let signed = match signing::sign(content, subscription, &headers, execution).await? {
        Ok(signed) => signed,
        Err(reason) => return Ok(due.unsigned(reason, pass, ports.now())),
    };
    // The target's time starts here: what our own keys took is not charged to it.
    let started_at = ports.now();
    let deadline = execution
        .invocation
        .attempt_deadline(started_at, subscription.retry.timeout_ms)
        .ok_or(OurFault::OutOfTime)?;
    let (url, handshake) = match endpoint::verified(url, subscription, deadline, execution).await? {
        Endpoint::Verified(url) => (url, None),
        Endpoint::JustVerified(url) => (url, Some(Handshake::Echoed)),
        Endpoint::Unverified(outcome) => {
            let made = due.made(outcome, Some(pass), started_at, execution);
            return Ok(made.after(Some(Handshake::Failed)));
        }
        Endpoint::Unsigned(reason) => return Ok(due.unsigned(reason, pass, ports.now())),
    };
    // And a key set that is the target's to serve is fetched within it.
    let notification = match signed.notification(subscription, deadline, execution).await {
        Ok(notification) => notification,
        Err(Unsealed::KeyUnavailable) => {
            let outcome = Outcome::EncryptionKeyUnavailable;
            return Ok(due.made(outcome, Some(pass), started_at, execution).after(handshake));
        }
        Err(Unsealed::KeyUnusable) => {
            let made = due.unsigned(Reason::EncryptionKeyUnusable, pass, ports.now());
            return Ok(made.after(handshake));
        }
    };
    let outcome = ports.post(Post { url, notification, headers, deadline }).await;
    Ok(due.made(outcome, Some(pass), started_at, execution).after(handshake))
}

impl Due<'_> {
    fn delivery_id(&self) -> DeliveryId {
        DeliveryId::of(&self.event.scope, &self.event.id, &self.subscription.id)
    }

    fn report(&self, attempt: u32, disposition: Disposition) -> Report {
        Report {
            delivery_id: self.delivery_id(),
            event_id: self.event.id.clone(),
            kind: self.event.kind,
            scope: self.event.scope.clone(),
            accepted_at: self.event.accepted_at,
            trace: self.event.trace,
            subscription_id: self.subscription.id.clone(),
            attempt,
            outcome: None,
            handshake: None,
            refused: None,
            elapsed_ms: 0,
            disposition,
            breaker: None,
            ended: None,
        }
    }

    /// No attempt: the breaker is open.
    fn held(&self, now: Timestamp) -> Made {
        // Oldest first: the age of the event decides, not when its turn was missed.
        let since = self.event.accepted_at;
        Made {
            report: self.report(self.attempt, Disposition::Held { since }),
            ended_at: now,
            wait_ms: None,
            pass: None,
        }
    }

    /// No attempt: it cannot be signed or encrypted, and is not sent otherwise.
    fn unsigned(&self, reason: Reason, pass: Pass, now: Timestamp) -> Made {
        Made {
            report: self.report(self.attempt, Disposition::Dead(reason)),
            ended_at: now,
            wait_ms: None,
            pass: Some(pass),
        }
    }

    fn made(
        &self,
        outcome: Outcome,
        pass: Option<Pass>,
        started_at: Timestamp,
        execution: Execution<'_, impl Ports>,
    ) -> Made {
        let ended_at = execution.ports.now();
        let (disposition, wait_ms) = self.decide(outcome, ended_at, execution);
        let mut report = self.report(self.attempt.saturating_add(1), disposition);
        report.outcome = Some(outcome);
        report.elapsed_ms = ended_at.since_ms(started_at);
        Made { report, ended_at, wait_ms, pass }
    }

    /// From verdict to disposition. The only place where a delivery is given up after an attempt.
    fn decide(
        &self,
        outcome: Outcome,
        ended_at: Timestamp,
        execution: Execution<'_, impl Ports>,
    ) -> (Disposition, Option<u64>) {
        match outcome.verdict() {
            Verdict::Delivered => (Disposition::Delivered, None),
            Verdict::GiveUp | Verdict::Gone => {
                (Disposition::Dead(Reason::Final(outcome.to_string())), None)
            }
            Verdict::Retry(asked) => match self.wait_ms(asked, execution) {
                Some(wait_ms) => {
                    let next_at = ended_at.plus_ms(wait_ms);
                    (Disposition::Retrying { next_at }, Some(wait_ms))
                }
                None => (Disposition::Dead(Reason::Exhausted(outcome.to_string())), None),
            },
        }
    }

    fn wait_ms(
        &self,
        asked: Option<RetryAfter>,
        execution: Execution<'_, impl Ports>,
    ) -> Option<u64> {
        let charged = self.attempt.saturating_add(1).saturating_sub(self.uncharged);
        let is_last = self.subscription.retry.attempts_max.is_some_and(|most| charged >= most);
        let Execution { settings, ports, .. } = execution;
        if is_last { None } else { settings.schedule.wait_ms(charged, asked, ports.dice()) }
    }
}

impl Made {
    /// With what came of the handshake.
    fn after(mut self, handshake: Option<Handshake>) -> Self {
        self.report.handshake = handshake;
        self
    }

    /// The ledger's view of it; `None` when the delivery is done.
    pub(super) fn state(&self) -> Option<State> {
        match &self.report.disposition {
            Disposition::Delivered | Disposition::InLedger => None,
            Disposition::Retrying { next_at } => Some(State::Pending { next_at: *next_at }),
            Disposition::Held { since } => {
                let Report { scope, subscription_id, .. } = &self.report;
                let by = BreakerKey::new(scope, subscription_id);
                Some(State::Held { by, since: *since })
            }
            Disposition::Dead(reason) => Some(State::Dead { reason: reason.clone() }),
        }
    }

    /// The outcome as the ledger keeps it; `before` when no attempt was made.
    pub(super) fn last_outcome(&self, before: &str) -> String {
        self.report.outcome.map_or_else(|| before.to_owned(), |outcome| outcome.to_string())
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

    /// What an attempt means for its subscription, once the delivery itself is settled: its
    /// breaker learns of it, and a subscription that has ended is disabled.
    pub(super) async fn conclude(
        mut self,
        subscription: &Subscription,
        execution: Execution<'_, impl Ports>,
    ) -> Report {
        let key = BreakerKey::new(&subscription.scope, &subscription.id);
        let (outcome, pass) = match (self.report.outcome, &self.pass) {
            (Some(outcome), Some(pass)) => (outcome, pass),
            // Held: the breaker goes on as it is.
            (None, None) => return self.report,
            // Nothing was tried, so it learns nothing; but nothing it holds can be sent either.
            (Some(_), None) | (None, Some(_)) => {
                gate::let_go(&key, execution).await;
                return self.report;
            }
        };
        if self.report.handshake == Some(Handshake::Echoed) && gate::has_time(execution) {
            let by = Deadline::at(execution.ports.now().plus_ms(BREAKER_RESERVE_MS));
            execution.ports.endpoints().mark(subscription, by).await;
        }
        // The row first: should that fail, the breaker opens once more, and the next probe tries
        // again.
        if let Some(ended) = ending(pass, outcome.verdict(), execution.ports.now())
            && gate::has_time(execution)
            && execution.ports.disable(subscription, ended).await
        {
            self.report.ended = Some(ended);
        }
        let lesson = match (outcome.verdict(), self.report.ended) {
            (Verdict::Delivered, _) => Lesson::Succeeded,
            (Verdict::Retry(_) | Verdict::GiveUp | Verdict::Gone, None) => Lesson::Failed,
            (Verdict::Retry(_) | Verdict::GiveUp | Verdict::Gone, Some(_)) => Lesson::Ended,
        };
        self.report.breaker = gate::tell(&key, pass, lesson, execution).await;
        if let Some(trouble) = trouble(subscription, self.report.breaker, &key, execution)
            && gate::has_time(execution)
        {
            execution.ports.note_trouble(subscription, trouble).await;
        }
        self.report
    }
}

/// What the subscription's row is to say from now on, where that is not what it says.
fn trouble(
    subscription: &Subscription,
    change: Option<Change>,
    key: &BreakerKey,
    execution: Execution<'_, impl Ports>,
) -> Option<Trouble> {
    match change {
        Some(Change::Opened { .. }) => (!subscription.is_troubled).then_some(Trouble::Begins),
        Some(Change::Closed) => Some(Trouble::Ends),
        // It was closed, or forgotten, and nobody could say so.
        None if subscription.is_troubled => {
            let seen = execution.memory.breakers.seen(key);
            seen.is_some_and(|seen| seen.breaker.is_plain()).then_some(Trouble::Ends)
        }
        None => None,
    }
}

/// Whether an attempt ends its subscription.
fn ending(pass: &Pass, verdict: Verdict, now: Timestamp) -> Option<Ended> {
    match (verdict, pass) {
        (Verdict::Gone, _) => Some(Ended::Gone),
        (Verdict::Retry(_) | Verdict::GiveUp, Pass::Probe(probe)) => {
            probe.hopeless_since(now).map(|since| Ended::Failing { since })
        }
        (Verdict::Retry(_) | Verdict::GiveUp, Pass::Ordinary) | (Verdict::Delivered, _) => None,
    }
}

/// Whole seconds for SQS, rounded up so that a wake-up is never early; `None` beyond 900.
pub(super) fn delay_s(wait_ms: u64) -> Option<u32> {
    u32::try_from(wait_ms.div_ceil(1_000)).ok().filter(|delay_s| *delay_s <= QUEUE_DELAY_MAX_S)
}
