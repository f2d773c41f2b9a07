//! Promises about lists of the ledger and about dead letters that are tried again.

use domain::delivery::{Ports, Recorded};
use domain::id::DeliveryId;
use domain::ledger::entry::{Entry, Filter, ReasonPattern, Standing, StandingKind};
use domain::ledger::{Death, LedgerItem, State, due_bucket};
use domain::redrive::{Found, Ports as _, Revival};
use domain::sweep::Ports as _;
use domain::time::Timestamp;

use super::{DUE_AT, Subject, T0, claim, claimed, dead_item, gone, item, recorded};
use crate::samples::{breaker_key, delivery_id, pending_item, subscription_id};

const REDRIVEN_AT: Timestamp = T0.plus_ms(3_600_000);
const REVIVED_DUE_AT: Timestamp = REDRIVEN_AT.plus_ms(60_000);

fn revival() -> Revival {
    let death = Death { at: T0, attempt: 1, reason: gone().to_string() };
    Revival { now: REDRIVEN_AT, due_at: REVIVED_DUE_AT, history: vec![death] }
}

async fn record(subject: &impl Subject, item: &LedgerItem) {
    assert_eq!(subject.ports().record(item).await, Ok(Recorded::New));
}

async fn found(subject: &impl Subject, delivery: &DeliveryId) -> Entry {
    let found = subject.redrive_ports().find(delivery).await.expect("a ledger");
    let Found::Entry(entry) = found else { unreachable!("nothing was found: {found:?}") };
    *entry
}

/// A look shows the item as it stands.
pub async fn a_look_shows_a_dead_letter(subject: &impl Subject) {
    let id = item().delivery_id;
    assert_eq!(subject.redrive_ports().find(&id).await, Ok(Found::NotThere));
    record(subject, &dead_item()).await;
    let entry = found(subject, &id).await;
    assert_eq!((entry.delivery_id, entry.subscription_id), (id, item().subscription_id));
    assert_eq!((entry.scope, entry.event_id), (item().event.scope, item().event.id));
    assert_eq!(entry.standing, Standing::Dead { reason: gone().to_string() });
    assert_eq!((entry.attempt, entry.last_outcome.as_str()), (1, "http_500"));
    assert_eq!((entry.created_at, entry.updated_at), (T0, T0));
    assert_eq!(entry.history, []);
}

/// It is the same delivery, its attempts count on, and it knows how it was given up.
pub async fn a_dead_letter_that_is_revived_is_claimed_when_it_is_due(subject: &impl Subject) {
    record(subject, &dead_item()).await;
    let id = item().delivery_id;
    let entry = found(subject, &id).await;
    assert_eq!(subject.redrive_ports().revive(&entry, &revival()).await, Ok(true));
    assert_eq!(subject.due_at(&id).await, Some(REVIVED_DUE_AT));
    let early = claim(subject, 1, REDRIVEN_AT).await;
    assert!(matches!(early, domain::ledger::Claim::NotDue { .. }));
    let (revived, _) = claimed(subject, 1, REVIVED_DUE_AT).await;
    assert_eq!((revived.attempt, revived.uncharged), (1, 1));
    assert_eq!(revived.state, State::Pending { next_at: REVIVED_DUE_AT });
    assert_eq!(revived.history, revival().history);
    assert_eq!((revived.created_at, revived.updated_at), (T0, REDRIVEN_AT));
    assert_eq!(revived.event.data.get(), item().event.data.get());
}

/// It has no wake-up: the sweeper finds it as soon as it is due.
pub async fn a_dead_letter_that_is_revived_is_found_by_the_sweeper(subject: &impl Subject) {
    record(subject, &dead_item()).await;
    let id = item().delivery_id;
    let entry = found(subject, &id).await;
    assert_eq!(subject.redrive_ports().revive(&entry, &revival()).await, Ok(true));
    let bucket = due_bucket(&id);
    let sweep = subject.sweep_ports();
    let before = REVIVED_DUE_AT.minus_ms(1);
    assert_eq!(sweep.due(bucket, before, None).await.expect("an index").items, []);
    let due = sweep.due(bucket, REVIVED_DUE_AT, None).await.expect("an index").items;
    assert_eq!(due.len(), 1);
    assert_eq!(sweep.mark(&due[0], REVIVED_DUE_AT.plus_ms(1)).await, Ok(true));
}

/// Of two redrives one revives it, and what has moved on is not revived by what was found before.
pub async fn a_dead_letter_is_revived_once_as_it_was_found(subject: &impl Subject) {
    record(subject, &dead_item()).await;
    let id = item().delivery_id;
    let entry = found(subject, &id).await;
    let ports = subject.redrive_ports();
    for stale in [
        Entry { attempt: 2, ..entry.clone() },
        Entry { updated_at: T0.plus_ms(1), ..entry.clone() },
    ] {
        assert_eq!(ports.revive(&stale, &revival()).await, Ok(false));
    }
    assert_eq!(ports.revive(&entry, &revival()).await, Ok(true));
    let other = Revival { now: REDRIVEN_AT.plus_ms(1), ..revival() };
    assert_eq!(ports.revive(&entry, &other).await, Ok(false));
    assert_eq!(subject.due_at(&id).await, Some(REVIVED_DUE_AT));
}

/// Whatever was found, only a dead letter is revived.
pub async fn what_waits_and_what_is_done_is_not_revived(subject: &impl Subject) {
    let ports = subject.redrive_ports();
    recorded(subject).await;
    let entry = found(subject, &item().delivery_id).await;
    assert_eq!(entry.standing, Standing::Pending { next_at: DUE_AT });
    assert_eq!(ports.revive(&entry, &revival()).await, Ok(false));
    assert_eq!(subject.due_at(&item().delivery_id).await, Some(DUE_AT));

    let held = State::Held { by: breaker_key("s1"), since: T0 };
    let held = LedgerItem { state: held, ..pending_item("held", T0, 0) };
    record(subject, &held).await;
    let entry = found(subject, &held.delivery_id).await;
    assert_eq!(entry.standing, Standing::Held { since: T0 });
    assert_eq!(ports.revive(&entry, &revival()).await, Ok(false));

    let done = Entry { delivery_id: delivery_id("done", "s1"), ..entry };
    assert_eq!(ports.revive(&done, &revival()).await, Ok(false));
    assert_eq!(ports.find(&done.delivery_id).await, Ok(Found::NotThere));
}

/// The event IDs of everything that a filter means, over as many pages as it takes.
async fn listed(subject: &impl Subject, filter: &Filter) -> Vec<String> {
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let page = subject.redrive_ports().page(filter, after.as_ref()).await.expect("a ledger");
        assert_eq!(page.unreadable, Vec::<String>::new());
        assert!(page.entries.len() <= page.looked_at);
        events.extend(page.entries.iter().map(|entry| entry.event_id.to_string()));
        after = page.next;
        if after.is_none() {
            return events;
        }
    }
}

/// A ledger with items of two subscriptions, written a second apart.
async fn record_many(subject: &impl Subject) {
    let dead = |event: &str, subscription: &str, at_s: u64, reason: &str| LedgerItem {
        delivery_id: delivery_id(event, subscription),
        subscription_id: subscription_id(subscription),
        state: State::Dead { reason: domain::ledger::Reason::Final(reason.to_owned()) },
        ..pending_item(event, T0.plus_ms(at_s * 1_000), 0)
    };
    for item in [
        dead("d3", "s1", 3, "http_410"),
        dead("d1", "s1", 1, "exhausted:http_503"),
        dead("d2", "s1", 2, "exhausted:timeout"),
        dead("d4", "s2", 4, "http_410"),
        dead("d5", "s2", 5, "exhausted:timeout"),
        pending_item("p6", T0.plus_ms(6_000), 30_000),
    ] {
        record(subject, &item).await;
    }
}

/// Each part of a filter narrows the list; of one subscription it is oldest first.
pub async fn a_list_shows_what_is_meant(subject: &impl Subject) {
    record_many(subject).await;
    let at = |s: u64| Some(T0.plus_ms(s * 1_000));
    let of_s1 = Filter { subscription_id: Some(subscription_id("s1")), ..Filter::default() };
    assert_eq!(listed(subject, &of_s1).await, ["d1", "d2", "d3", "p6"]);
    let dead = Filter { standing: Some(StandingKind::Dead), ..Filter::default() };
    let dead_of_s1 = Filter { subscription_id: of_s1.subscription_id.clone(), ..dead.clone() };
    let reason = Some(ReasonPattern("exhausted".to_owned()));
    for (filter, expected) in [
        (Filter::default(), vec!["d1", "d2", "d3", "d4", "d5", "p6"]),
        (dead.clone(), vec!["d1", "d2", "d3", "d4", "d5"]),
        (Filter { reason: reason.clone(), ..dead.clone() }, vec!["d1", "d2", "d5"]),
        (Filter { since: at(2), until: at(4), ..dead.clone() }, vec!["d2", "d3", "d4"]),
        (Filter { since: at(4), until: at(2), ..dead.clone() }, vec![]),
        (Filter { event_id: Some(pending_item("d4", T0, 0).event.id), ..dead.clone() }, vec!["d4"]),
        (Filter { scope: Some(crate::samples::property_of("other")), ..dead }, vec![]),
        (dead_of_s1.clone(), vec!["d1", "d2", "d3"]),
        (Filter { reason, ..dead_of_s1.clone() }, vec!["d1", "d2"]),
        (Filter { since: at(2), until: at(2), ..dead_of_s1.clone() }, vec!["d2"]),
        (Filter { since: at(4), until: at(2), ..dead_of_s1 }, vec![]),
    ] {
        let mut events = listed(subject, &filter).await;
        events.sort();
        assert_eq!(events, expected, "{filter:?}");
    }
}
