//! The first attempts of a message's events: all at once where they are few, else in portions.
//!
//! A message either makes its attempts or is split, never both. So a target that hangs holds up
//! nobody behind it, and a message that comes back for a fault of ours repeats its own portion
//! alone, never somebody else's.

use futures_util::future::join_all;

use super::attempt::{self, Due, Made};
use super::gate::Look;
use super::{Disposition, Execution, Fate, OurFault, Ports, Recorded, Report, revoke};
use crate::event::Event;
use crate::ledger::LedgerItem;
use crate::limits::{
    BATCH_ENTRIES_MAX, DELIVERY_RESERVE_MS, FANOUT_BYTES_MAX, INLINE_FANOUT_MAX, SPLIT_PORTIONS_MAX,
};
use crate::message::{Cursor, Events, Span};
use crate::subscription::{Subscription, Subscriptions};

/// Delivers the events of a message to every subscription that matches, or sees to it that other
/// messages do.
pub(super) async fn run(events: &Events, execution: Execution<'_, impl Ports>) -> Fate {
    let ports = execution.ports;
    if let Err(fault) = revoke::run(events, ports).await {
        return Fate::Returned(fault, Vec::new());
    }
    let subscriptions = match ports.subscriptions(events.scope()).await {
        Ok(subscriptions) => subscriptions,
        Err(fault) => return Fate::Returned(fault, Vec::new()),
    };
    match Plan::of(events, &subscriptions) {
        Plan::Attempt(pairs) => {
            let unmatched = unmatched(events, &pairs);
            attempt_all(&pairs, unmatched, execution).await
        }
        Plan::Split(spans) => split(events, spans, execution).await,
    }
}

/// What is to be done about a message.
enum Plan<'a> {
    /// These are few enough to be attempted at once.
    Attempt(Vec<(&'a Event, &'a Subscription)>),
    /// They are not: a message for each of these.
    Split(Vec<Span>),
}

impl<'a> Plan<'a> {
    fn of(events: &'a Events, subscriptions: &'a Subscriptions) -> Self {
        let mut portion: Vec<(usize, &Event, &Subscription)> = Vec::new();
        let mut bytes = 0;
        let mut ends = Vec::new();
        for pair in pairs(events, subscriptions) {
            let data_bytes = pair.1.data.get().len();
            let is_full =
                portion.len() == INLINE_FANOUT_MAX || bytes + data_bytes > FANOUT_BYTES_MAX;
            if let Some((event, _, subscription)) = portion.last().filter(|_| is_full) {
                ends.push(Cursor { event: *event, subscription: subscription.id.clone() });
                if ends.len() == SPLIT_PORTIONS_MAX {
                    break;
                }
                portion.clear();
                bytes = 0;
            }
            bytes += data_bytes;
            portion.push(pair);
        }
        if ends.is_empty() {
            let pairs = portion.into_iter().map(|(_, event, subscription)| (event, subscription));
            Self::Attempt(pairs.collect())
        } else {
            Self::Split(events.span().cut(ends))
        }
    }
}

/// The pairs that the message stands for, in the order of events, then of subscription IDs.
fn pairs<'a>(
    events: &'a Events,
    subscriptions: &'a Subscriptions,
) -> impl Iterator<Item = (usize, &'a Event, &'a Subscription)> {
    events.as_slice().iter().enumerate().flat_map(move |(index, event)| {
        let is_meant = move |subscription: &&Subscription| {
            events.span().holds(index, &subscription.id) && subscription.matches(event)
        };
        let pair = move |subscription| (index, event, subscription);
        subscriptions.readable.iter().filter(is_meant).map(pair)
    })
}

/// Sends a message for each span. When one of them cannot be sent, the message comes back, and all
/// are sent once more.
async fn split(events: &Events, spans: Vec<Span>, execution: Execution<'_, impl Ports>) -> Fate {
    let portions = spans.len();
    for spans in spans.chunks(BATCH_ENTRIES_MAX) {
        if !execution.invocation.has_ms(DELIVERY_RESERVE_MS, execution.ports.now()) {
            return Fate::Returned(OurFault::OutOfTime, Vec::new());
        }
        // Each carries the events: no more of them at once than one call can take.
        let batch = spans.iter().map(|span| events.spanning(span.clone())).collect();
        if let Err(fault) = execution.ports.send_portions(batch).await {
            return Fate::Returned(fault, Vec::new());
        }
    }
    Fate::Split { portions }
}

/// How many events nobody listens to. A portion knows of its own pairs only, and says none.
fn unmatched(events: &Events, pairs: &[(&Event, &Subscription)]) -> usize {
    let is_heard = |event: &Event| pairs.iter().any(|(heard, _)| std::ptr::eq(*heard, event));
    let unheard = events.as_slice().iter().filter(|event| !is_heard(event));
    if events.span().is_whole() { unheard.count() } else { 0 }
}

async fn attempt_all(
    pairs: &[(&Event, &Subscription)],
    unmatched: usize,
    execution: Execution<'_, impl Ports>,
) -> Fate {
    let attempts = pairs.iter().map(|(event, to)| first_attempt(event, to, execution));
    let mut reports = Vec::with_capacity(pairs.len());
    let mut fault = None;
    for result in join_all(attempts).await {
        match result {
            Ok(report) => reports.push(report),
            Err(ours) => fault = fault.or(Some(ours)),
        }
    }
    match fault {
        None => Fate::Settled { reports, unmatched, unreadable: 0 },
        Some(fault) => Fate::Returned(fault, reports),
    }
}

/// Ledger first, acknowledge second: a failed first attempt is written down, then its wake-up is
/// sent, and only then is the pair settled, and the row told that its endpoint has echoed. So a row
/// that is marked, and no item beside it, mean that challenge and event were both answered with
/// success: `doctor::round_trip` goes by that.
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
