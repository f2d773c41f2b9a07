//! A wake-up: claim the ledger item, make the next attempt, see to the wake-up after it, leave the
//! item in its new state.

use super::attempt::{self, Due, delay_s};
use super::gate::{self, Look};
use super::{Disposition, Execution, Fate, OurFault, Ports, Report};
use crate::breaker::BreakerKey;
use crate::ledger::{Claim, Lease, LedgerItem, Reason, Settlement, State};
use crate::limits::LEASE_MS;
use crate::message::Wakeup;
use crate::subscription::{Subscription, Subscriptions};

/// Works one wake-up. Whoever loses the claim has nothing to do.
pub(super) async fn run(wakeup: &Wakeup, execution: Execution<'_, impl Ports>) -> Fate {
    match try_run(wakeup, execution).await {
        Ok(Found::Worked(report)) => settled(vec![*report], 0),
        Ok(Found::NothingToDo) => settled(Vec::new(), 0),
        Ok(Found::Unreadable) => settled(Vec::new(), 1),
        Err(fault) => Fate::Returned(fault, Vec::new()),
    }
}

fn settled(reports: Vec<Report>, unreadable: usize) -> Fate {
    Fate::Settled { reports, unmatched: 0, unreadable }
}

/// What a wake-up came to.
enum Found {
    /// Its delivery was worked.
    Worked(Box<Report>),
    /// Somebody else has it, or it is not due.
    NothingToDo,
    /// Its item cannot be read, and is a dead letter now.
    Unreadable,
}

async fn try_run(wakeup: &Wakeup, execution: Execution<'_, impl Ports>) -> Result<Found, OurFault> {
    let ports = execution.ports;
    let now = ports.now();
    match ports.claim(wakeup, now, now.plus_ms(LEASE_MS)).await? {
        Claim::Claimed(item, lease) => {
            work(&item, &lease, execution).await.map(|report| Found::Worked(Box::new(report)))
        }
        // Early by a clock that differs from ours: the same wake-up again, for the rest of the wait.
        Claim::NotDue { next_at, subscription_id } => {
            if let Some(delay_s) = delay_s(next_at.since_ms(now)) {
                ports.wake(wakeup, &subscription_id, delay_s).await?;
            }
            Ok(Found::NothingToDo)
        }
        Claim::Taken => Ok(Found::NothingToDo),
        // Pending, it would be woken again and again.
        Claim::Unreadable(lease) => {
            let settlement = Settlement::Kept {
                attempt: lease.attempt,
                last_outcome: String::new(),
                state: State::Dead { reason: Reason::Unreadable },
            };
            ports.settle(&lease, &settlement, now).await?;
            Ok(Found::Unreadable)
        }
    }
}

async fn work(
    item: &LedgerItem,
    lease: &Lease,
    execution: Execution<'_, impl Ports>,
) -> Result<Report, OurFault> {
    let ports = execution.ports;
    let subscriptions = ports.subscriptions(&item.event.scope).await?;
    let subscription = match standing(item, &subscriptions) {
        Ok(subscription) => subscription,
        Err(reason) => {
            let report = give_up(item, lease, reason, ports).await?;
            if !subscriptions.find(&item.subscription_id).is_some_and(|it| it.enabled) {
                let key = BreakerKey::new(&item.event.scope, &item.subscription_id);
                gate::let_go(&key, execution).await;
            }
            return Ok(report);
        }
    };
    let LedgerItem { event, attempt, uncharged, .. } = item;
    let due = Due { event, subscription, attempt: *attempt, uncharged: *uncharged };
    let made = attempt::make(due, Look::Afresh, execution).await?;
    let settlement = match made.state() {
        None => Settlement::Delivered,
        Some(state) => Settlement::Kept {
            attempt: made.report.attempt,
            last_outcome: made.last_outcome(&item.last_outcome),
            state,
        },
    };
    // The next wake-up first: should either fail, the item still stands at the claimed attempt, and
    // this record claims it again once it has come back. Settled first, it would find the attempt
    // gone, and nobody would wake the item. The wake-up is not early: the shortest delay is longer
    // than any call.
    made.wake(ports).await?;
    ports.settle(lease, &settlement, made.ended_at).await?;
    Ok(made.conclude(subscription, execution).await)
}

/// The subscription as it stands today, or why there is nobody to deliver to any more.
fn standing<'a>(
    item: &LedgerItem,
    subscriptions: &'a Subscriptions,
) -> Result<&'a Subscription, Reason> {
    match subscriptions.find(&item.subscription_id) {
        Some(subscription) if subscription.matches(&item.event) => Ok(subscription),
        Some(subscription) if subscription.enabled => Err(Reason::SubscriptionChanged),
        Some(_) => Err(Reason::SubscriptionDisabled),
        None if subscriptions.has_unreadable(&item.subscription_id) => {
            Err(Reason::SubscriptionUnreadable)
        }
        None => Err(Reason::SubscriptionDeleted),
    }
}

async fn give_up(
    item: &LedgerItem,
    lease: &Lease,
    reason: Reason,
    ports: &impl Ports,
) -> Result<Report, OurFault> {
    let now = ports.now();
    let settlement = Settlement::Kept {
        attempt: item.attempt,
        last_outcome: item.last_outcome.clone(),
        state: State::Dead { reason: reason.clone() },
    };
    ports.settle(lease, &settlement, now).await?;
    Ok(Report {
        delivery_id: item.delivery_id.clone(),
        event_id: item.event.id.clone(),
        kind: item.event.kind,
        scope: item.event.scope.clone(),
        accepted_at: item.event.accepted_at,
        trace: item.event.trace,
        subscription_id: item.subscription_id.clone(),
        attempt: item.attempt,
        outcome: None,
        handshake: None,
        refused: None,
        elapsed_ms: 0,
        disposition: Disposition::Dead(reason),
        breaker: None,
        ended: None,
    })
}
