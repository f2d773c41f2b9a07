//! Promises about what the sweeper finds, what a breaker holds, and breakers themselves.

use domain::breaker::{Admission, Breaker, BreakerKey, BreakerWrite, Ports as _};
use domain::delivery::{Ports, Recorded};
use domain::ledger::{Claim, LedgerItem, State, due_bucket};
use domain::limits::{BREAKER_OPEN_MS, DELIVERY_TEMPO, LEASE_MS, SWEEP_MARK_MS};
use domain::sweep::{DueItem, Ports as _};
use domain::time::Timestamp;

use super::{DUE_AT, Subject, T0, claim, claimed, is_taken, item, kept, recorded, settle};
use crate::samples::{breaker_key, pending_item};

/// The entries of an item's bucket that are due at this moment.
async fn due(subject: &impl Subject, now: Timestamp) -> Vec<DueItem> {
    let bucket = due_bucket(&item().delivery_id);
    subject.sweep_ports().due(bucket, now, None).await.expect("an index").items
}

async fn held(subject: &impl Subject, key: &BreakerKey, most: usize) -> Vec<DueItem> {
    subject.sweep_ports().held(key, most).await.expect("an index").items
}

fn key() -> BreakerKey {
    breaker_key("s1")
}

fn held_item(event: &str, since: Timestamp) -> LedgerItem {
    let state = State::Held { by: key(), since };
    LedgerItem { state, ..pending_item(event, T0, 0) }
}

async fn record_held(subject: &impl Subject, event: &str, since: Timestamp) {
    let recorded = subject.ports().record(&held_item(event, since)).await;
    assert_eq!(recorded, Ok(Recorded::New));
}

/// A breaker that opened at this moment, written step by step.
async fn open(subject: &impl Subject, key: &BreakerKey, now: Timestamp) -> Breaker {
    let mut breaker = Breaker::default();
    while let Some(next) = breaker.failed(0, now, DELIVERY_TEMPO) {
        let written = subject.ports().breakers().write(key, &breaker, &next).await;
        assert_eq!(written, Ok(BreakerWrite::Written));
        breaker = next;
    }
    breaker
}

/// Of two sweepers one marks an item; while it is marked, no sweeper finds it.
pub async fn an_item_is_marked_once_as_it_was_found(subject: &impl Subject) {
    recorded(subject).await;
    assert_eq!(due(subject, DUE_AT).await, [], "its own wake-up is under way");
    let late = DUE_AT.plus_ms(24 * 60 * 60 * 1_000);
    let found = due(subject, late).await;
    assert_eq!(found.len(), 1);
    let until = late.plus_ms(SWEEP_MARK_MS);
    let ports = subject.sweep_ports();
    assert_eq!(ports.mark(&found[0], until).await, Ok(true));
    assert_eq!(ports.mark(&found[0], until.plus_ms(1)).await, Ok(false), "not as it was found");
    assert_eq!(due(subject, until).await, []);
    assert_eq!(due(subject, until.plus_ms(1)).await.len(), 1, "lost again, found again");
}

/// What is held lies among nothing that is due, and moves only by a release.
pub async fn a_held_item_is_claimed_by_nobody_and_released_once(subject: &impl Subject) {
    record_held(subject, "contract", T0).await;
    let late = DUE_AT.plus_ms(24 * 60 * 60 * 1_000);
    assert!(is_taken(subject, 1, late).await);
    assert_eq!(due(subject, late).await, []);
    let found = held(subject, &key(), 10).await;
    assert_eq!((found.len(), found[0].next_at, found[0].attempt), (1, T0, 1));
    let (ports, until) = (subject.sweep_ports(), late.plus_ms(SWEEP_MARK_MS));
    assert_eq!(ports.release(&found[0], late, until).await, Ok(true));
    assert_eq!(ports.release(&found[0], late, until).await, Ok(false), "by one only");
    assert_eq!(held(subject, &key(), 10).await, []);
    assert_eq!(due(subject, late).await, [], "its wake-up is under way");
    assert_eq!(due(subject, until.plus_ms(1)).await.len(), 1, "and may get lost");
}

/// Each breaker holds its own, and the longest held come first.
pub async fn what_is_held_is_found_longest_first_and_by_its_own_breaker(subject: &impl Subject) {
    for (event, age_ms) in [("young", 10), ("oldest", 30), ("old", 20)] {
        record_held(subject, event, T0.minus_ms(age_ms)).await;
    }
    let ages = |found: Vec<DueItem>| -> Vec<u64> {
        found.iter().map(|item| T0.since_ms(item.next_at)).collect()
    };
    assert_eq!(ages(held(subject, &key(), 2).await), [30, 20]);
    assert_eq!(ages(held(subject, &key(), 9).await), [30, 20, 10]);
    assert_eq!(held(subject, &breaker_key("s2"), 9).await, []);
}

/// What is left of what a breaker holds is told from nothing being left.
pub async fn what_is_held_has_an_end(subject: &impl Subject) {
    let is_end = async |most| {
        let page = subject.sweep_ports().held(&key(), most).await.expect("an index");
        page.next.is_none()
    };
    assert!(is_end(1).await, "nothing is held");
    record_held(subject, "one", T0).await;
    assert!(is_end(1).await);
    record_held(subject, "two", T0.plus_ms(1)).await;
    assert!(!is_end(1).await);
    assert!(is_end(2).await);
}

/// An item that the sweeper gives up is a dead letter, pending or held, and once only.
pub async fn an_item_that_is_given_up_is_found_no_more(subject: &impl Subject) {
    recorded(subject).await;
    record_held(subject, "held", T0).await;
    let ports = subject.sweep_ports();
    let held_id = pending_item("held", T0, 0).delivery_id;
    for delivery_id in [&item().delivery_id, &held_id] {
        assert_eq!(ports.give_up(delivery_id, DUE_AT).await, Ok(()));
        assert_eq!(ports.give_up(delivery_id, DUE_AT).await, Ok(()), "it has moved on");
    }
    assert!(is_taken(subject, 1, DUE_AT).await);
    assert_eq!(held(subject, &key(), 9).await, []);
    assert_eq!(due(subject, DUE_AT.plus_ms(24 * 60 * 60 * 1_000)).await, []);
    assert!(super::is_there(subject).await, "kept for redrive");
    let nobody = pending_item("nobody", T0, 0).delivery_id;
    assert_eq!(ports.give_up(&nobody, DUE_AT).await, Ok(()), "nothing is made of nothing");
}

/// A pending delivery that is held, and released, is where it was: at its attempt.
pub async fn a_held_delivery_that_is_released_is_claimed_at_its_attempt(subject: &impl Subject) {
    recorded(subject).await;
    let (_, lease) = claimed(subject, 1, DUE_AT).await;
    let state = State::Held { by: key(), since: T0 };
    settle(subject, &lease, &kept(1, state), DUE_AT).await;
    assert!(is_taken(subject, 1, DUE_AT.plus_ms(LEASE_MS * 2)).await);
    let found = held(subject, &key(), 1).await;
    let later = DUE_AT.plus_ms(1_000);
    assert_eq!(subject.sweep_ports().release(&found[0], later, later).await, Ok(true));
    let Claim::Claimed(item, lease) = claim(subject, 1, later).await else {
        unreachable!("the claim of a released item was refused")
    };
    assert_eq!(item.state, State::Pending { next_at: later });
    let pending = State::Pending { next_at: later.plus_ms(1) };
    settle(subject, &lease, &kept(2, pending), later).await;
    let due_at = subject.due_at(&item.delivery_id).await;
    assert_eq!(due_at, Some(later.plus_ms(1)), "in its own bucket again");
}

/// Of two writers one wins; the other learns what stands.
pub async fn a_breaker_is_written_by_compare_and_set(subject: &impl Subject) {
    let ports = subject.ports();
    assert_eq!(ports.breakers().of(&key()).await, Ok(Breaker::default()));
    let breaker = open(subject, &key(), T0).await;
    assert_eq!(ports.breakers().of(&key()).await, Ok(breaker.clone()));
    let late = T0.plus_ms(BREAKER_OPEN_MS);
    let Admission::Probe(probe) = breaker.admits(late, DELIVERY_TEMPO) else {
        unreachable!("{breaker:?}")
    };
    let Admission::Probe(other) = breaker.admits(late.plus_ms(1), DELIVERY_TEMPO) else {
        unreachable!("{breaker:?}")
    };
    assert_eq!(ports.breakers().write(&key(), &breaker, &probe).await, Ok(BreakerWrite::Written));
    let stands = BreakerWrite::Stands(probe.clone());
    assert_eq!(ports.breakers().write(&key(), &breaker, &other).await, Ok(stands.clone()));
    let first = Breaker::default().failed(0, late, DELIVERY_TEMPO).expect("closed");
    assert_eq!(ports.breakers().write(&key(), &Breaker::default(), &first).await, Ok(stands));
    assert_eq!(subject.sweep_ports().breakers().of(&key()).await, Ok(probe));
    assert_eq!(ports.breakers().of(&breaker_key("s2")).await, Ok(Breaker::default()), "its own");
}

/// The sweeper finds the breakers that are to be looked at, earliest first.
pub async fn a_breaker_is_due_when_it_says_so(subject: &impl Subject) {
    let ports = subject.sweep_ports();
    open(subject, &breaker_key("late"), T0.plus_ms(10)).await;
    open(subject, &breaker_key("early"), T0).await;
    let closed = Breaker::default().failed(0, T0, DELIVERY_TEMPO).expect("closed");
    assert!(subject.ports().breakers().write(&key(), &Breaker::default(), &closed).await.is_ok());

    let first = T0.plus_ms(BREAKER_OPEN_MS);
    assert_eq!(ports.due_breakers(first.minus_ms(1), 9).await, Ok(vec![]));
    assert_eq!(ports.due_breakers(first, 9).await, Ok(vec![breaker_key("early")]));
    let (early, late) = (breaker_key("early"), breaker_key("late"));
    assert_eq!(ports.due_breakers(first.plus_ms(10), 9).await, Ok(vec![early.clone(), late]));
    assert_eq!(ports.due_breakers(first.plus_ms(10), 1).await, Ok(vec![early]));
}

/// A breaker that has changed meanwhile is not forgotten.
pub async fn a_breaker_is_forgotten_as_it_stands(subject: &impl Subject) {
    let ports = subject.sweep_ports();
    let stale = Breaker::default().failed(0, T0, DELIVERY_TEMPO).expect("closed");
    let breaker = open(subject, &key(), T0).await;
    assert_eq!(ports.breakers().forget(&key(), &stale).await, Ok(()));
    assert_eq!(ports.breakers().of(&key()).await, Ok(breaker.clone()));
    assert_eq!(ports.breakers().forget(&key(), &breaker).await, Ok(()));
    assert_eq!(ports.breakers().forget(&key(), &breaker).await, Ok(()), "gone is gone");
    assert_eq!(ports.breakers().of(&key()).await, Ok(Breaker::default()));
    let written = ports.breakers().write(&key(), &Breaker::default(), &stale).await;
    assert_eq!(written, Ok(BreakerWrite::Written), "and can begin anew");
}
