//! The first attempts of a message's events, all at once, up to a bound; the rest by cursor.

use futures_util::future::join_all;

use super::attempt::{self, Due, Made};
use super::gate::Look;
use super::{Disposition, Execution, Fate, OurFault, Ports, Recorded, Report, revoke};
use crate::event::Event;
use crate::ledger::LedgerItem;
use crate::limits::{FANOUT_BYTES_MAX, INLINE_FANOUT_MAX};
use crate::message::{Cursor, Events};
use crate::subscription::{Subscription, Subscriptions};

/// Delivers the events of a message to every subscription that matches.
pub(super) async fn run(events: &Events, execution: Execution<'_, impl Ports>) -> Fate {
    let ports = execution.ports;
    if let Err(fault) = revoke::run(events, ports).await {
        return Fate::Returned(fault, Vec::new());
    }
    let subscriptions = match ports.subscriptions(events.scope()).await {
        Ok(subscriptions) => subscriptions,
        Err(fault) => return Fate::Returned(fault, Vec::new()),
    };
    let plan = Plan::of(events, &subscriptions);
    let pairs = plan.pairs.iter();
    let attempts = pairs.map(|(event, subscription)| first_attempt(event, subscription, execution));
    let mut reports = Vec::with_capacity(plan.pairs.len());
    let mut fault = None;
    for result in join_all(attempts).await {
        match result {
            Ok(report) => reports.push(report),
            Err(ours) => fault = fault.or(Some(ours)),
        }
    }
    // Only a message whose own part is settled hands on the rest. One that comes back would hand
    // it on again each time, and each of those again.
    if let (None, Some(cursor)) = (fault, &plan.rest) {
        fault = ports.continue_later(&events.continued(cursor.clone())).await.err();
    }
    match fault {
        None => Fate::Settled(reports),
        Some(fault) => Fate::Returned(fault, reports),
    }
}

/// The pairs to attempt now, and where a later message goes on.
struct Plan<'a> {
    pairs: Vec<(&'a Event, &'a Subscription)>,
    rest: Option<Cursor>,
}

impl<'a> Plan<'a> {
    /// Pairs in the order of events, then of subscription IDs, after the message's cursor.
    fn of(events: &'a Events, subscriptions: &'a Subscriptions) -> Self {
        let is_ahead = |event: usize, subscription: &Subscription| match events.cursor() {
            None => true,
            Some(done) => (event, &subscription.id) > (done.event, &done.subscription),
        };
        let ahead = events.as_slice().iter().enumerate().flat_map(|(index, event)| {
            let matching = move |subscription: &&Subscription| {
                is_ahead(index, subscription) && subscription.matches(event)
            };
            let pair = move |subscription| (index, event, subscription);
            subscriptions.readable.iter().filter(matching).map(pair)
        });
        let mut now: Vec<(usize, &Event, &Subscription)> = Vec::new();
        let mut bytes = 0;
        let mut is_done = true;
        for pair in ahead {
            bytes += pair.1.data.get().len();
            if now.len() == INLINE_FANOUT_MAX || (bytes > FANOUT_BYTES_MAX && !now.is_empty()) {
                is_done = false;
                break;
            }
            now.push(pair);
        }
        let rest = now.last().filter(|_| !is_done).map(|(event, _, subscription)| Cursor {
            event: *event,
            subscription: subscription.id.clone(),
        });
        let pairs = now.into_iter().map(|(_, event, subscription)| (event, subscription));
        Self { pairs: pairs.collect(), rest }
    }
}

/// Ledger first, acknowledge second: a failed first attempt is written down, then its wake-up is
/// sent, and only then is the pair settled.
async fn first_attempt(
    event: &Event,
    subscription: &Subscription,
    execution: Execution<'_, impl Ports>,
) -> Result<Report, OurFault> {
    let ports = execution.ports;
    let due = Due { event, subscription, attempt: 0, uncharged: 0 };
    let mut made = attempt::make(due, Look::Remembered, execution).await?;
    if let Some(item) = ledger_item(&made, due) {
        let recorded = ports.record(&item).await?;
        // There already: we crashed after writing it, perhaps before waking it. A second wake-up
        // does no harm; the item's attempt decides which of the two counts.
        made.wake(ports).await?;
        if recorded == Recorded::AlreadyThere {
            made.report.disposition = Disposition::InLedger;
        }
    }
    Ok(made.conclude(subscription, execution).await)
}

fn ledger_item(made: &Made, due: Due<'_>) -> Option<LedgerItem> {
    let state = made.state()?;
    Some(LedgerItem {
        delivery_id: made.report.delivery_id.clone(),
        subscription_id: due.subscription.id.clone(),
        event: due.event.clone(),
        attempt: made.report.attempt,
        uncharged: 0,
        last_outcome: made.last_outcome(""),
        state,
        history: Vec::new(),
        created_at: made.ended_at,
        updated_at: made.ended_at,
    })
}
