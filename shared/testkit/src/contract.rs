//! What the ledger has promised, written once: for the world, and for the real one.
//!
//! Each promise is a function of a [`Subject`]; [`ledger_contract!`](crate::ledger_contract) makes
//! a test of each. They look at a ledger only through the ports and its index `due`: an item that
//! is gone is one that can be recorded anew. [`ingested`] does the same for what ingest knows, and
//! [`logins`] for the logins that were decided lately, and [`known_good`] for what is remembered of
//! users.

pub mod ingested;
pub mod known_good;
pub mod logins;

use domain::delivery::{Ports, Recorded};
use domain::id::DeliveryId;
use domain::ledger::{Claim, Lease, LedgerItem, Reason, Settlement, State};
use domain::limits::{DUE_TOLERANCE_MS, LEASE_MS};
use domain::message::Wakeup;
use domain::sweep;
use domain::time::Timestamp;

use crate::samples::pending_item;
use crate::world::World;

mod breaker;
mod redrive;

pub use breaker::{
    a_breaker_is_due_when_it_says_so, a_breaker_is_forgotten_as_it_stands,
    a_breaker_is_written_by_compare_and_set,
    a_held_delivery_that_is_released_is_claimed_at_its_attempt,
    a_held_item_is_claimed_by_nobody_and_released_once, an_item_is_marked_once_as_it_was_found,
    an_item_that_is_given_up_is_found_no_more, what_is_held_has_an_end,
    what_is_held_is_found_longest_first_and_by_its_own_breaker,
};

pub use redrive::{
    a_dead_letter_is_revived_once_as_it_was_found,
    a_dead_letter_that_is_revived_is_claimed_when_it_is_due,
    a_dead_letter_that_is_revived_is_found_by_the_sweeper, a_list_shows_what_is_meant,
    a_look_shows_a_dead_letter, what_waits_and_what_is_done_is_not_revived,
};

/// A ledger, to be held to its promises. It is empty when a promise begins.
pub trait Subject: Sync {
    /// The ports it is reached by.
    fn ports(&self) -> &impl Ports;

    /// The sweeper's ports on the same ledger.
    fn sweep_ports(&self) -> &impl sweep::Ports;

    /// Operators' ports on the same ledger.
    fn redrive_ports(&self) -> &impl domain::redrive::Ports;

    /// When a delivery is due by the index `due`; `None` when it is not in it.
    fn due_at(&self, delivery: &DeliveryId) -> impl Future<Output = Option<Timestamp>>;
}

impl Subject for World {
    fn ports(&self) -> &impl Ports {
        self
    }

    fn sweep_ports(&self) -> &impl sweep::Ports {
        self
    }

    fn redrive_ports(&self) -> &impl domain::redrive::Ports {
        self
    }

    async fn due_at(&self, delivery: &DeliveryId) -> Option<Timestamp> {
        self.due().into_iter().find(|(_, due)| due == delivery).map(|(at, _)| at)
    }
}

/// Makes a test of every promise. The expression gives a future of a fresh [`Subject`].
#[macro_export]
macro_rules! ledger_contract {
    ($subject:expr) => {
        $crate::ledger_contract! { @tests $subject;
            an_item_is_recorded_once
            a_due_item_is_claimed_whole
            an_item_is_due_a_second_early_and_not_before
            an_early_claim_says_when_to_come_again
            a_claim_of_another_attempt_is_refused
            a_claim_of_nothing_is_refused
            a_leased_item_is_refused_until_its_lease_has_expired
            a_dead_item_is_refused_and_kept
            a_delivered_item_is_gone
            an_item_settled_as_pending_is_due_at_its_new_moment
            an_item_settled_as_dead_is_kept_and_never_due
            a_lease_that_was_lost_settles_nothing
            a_lease_that_was_used_settles_nothing_more
            an_expired_lease_that_nobody_took_still_settles
            only_pending_items_are_in_the_index_due
            an_item_is_marked_once_as_it_was_found
            a_held_item_is_claimed_by_nobody_and_released_once
            what_is_held_is_found_longest_first_and_by_its_own_breaker
            a_held_delivery_that_is_released_is_claimed_at_its_attempt
            what_is_held_has_an_end
            an_item_that_is_given_up_is_found_no_more
            a_breaker_is_written_by_compare_and_set
            a_breaker_is_due_when_it_says_so
            a_breaker_is_forgotten_as_it_stands
            a_look_shows_a_dead_letter
            a_dead_letter_that_is_revived_is_claimed_when_it_is_due
            a_dead_letter_that_is_revived_is_found_by_the_sweeper
            a_dead_letter_is_revived_once_as_it_was_found
            what_waits_and_what_is_done_is_not_revived
            a_list_shows_what_is_meant
        }
    };
    (@tests $subject:expr; $($promise:ident)+) => {
        $(
            #[tokio::test]
            async fn $promise() {
                $crate::contract::$promise(&$subject.await).await;
            }
        )+
    };
}

/// Far from today, so that a real table's time to live takes nothing away meanwhile.
const T0: Timestamp = Timestamp::from_ms(4_000_000_000_000);
const WAIT_MS: u64 = 30_000;
const DUE_AT: Timestamp = T0.plus_ms(WAIT_MS);

fn item() -> LedgerItem {
    pending_item("contract", T0, WAIT_MS)
}

fn dead_item() -> LedgerItem {
    LedgerItem { state: State::Dead { reason: gone() }, ..item() }
}

fn gone() -> Reason {
    Reason::Final("http_410".to_owned())
}

fn wakeup(attempt: u32) -> Wakeup {
    Wakeup { delivery_id: item().delivery_id, attempt }
}

async fn recorded(subject: &impl Subject) {
    assert_eq!(subject.ports().record(&item()).await, Ok(Recorded::New));
}

/// Whether an item of the delivery is there, whatever its state.
async fn is_there(subject: &impl Subject) -> bool {
    subject.ports().record(&item()).await == Ok(Recorded::AlreadyThere)
}

async fn claim(subject: &impl Subject, attempt: u32, now: Timestamp) -> Claim {
    let claim = subject.ports().claim(&wakeup(attempt), now, now.plus_ms(LEASE_MS)).await;
    claim.expect("a ledger that can be reached")
}

async fn claimed(subject: &impl Subject, attempt: u32, now: Timestamp) -> (LedgerItem, Lease) {
    let Claim::Claimed(item, lease) = claim(subject, attempt, now).await else {
        unreachable!("the claim of attempt {attempt} was refused")
    };
    (*item, lease)
}

async fn is_taken(subject: &impl Subject, attempt: u32, now: Timestamp) -> bool {
    matches!(claim(subject, attempt, now).await, Claim::Taken)
}

async fn settle(subject: &impl Subject, lease: &Lease, settlement: &Settlement, now: Timestamp) {
    assert_eq!(subject.ports().settle(lease, settlement, now).await, Ok(()));
}

fn kept(attempt: u32, state: State) -> Settlement {
    Settlement::Kept { attempt, last_outcome: "http_503".to_owned(), state }
}

/// An item that is written twice stays as it was first.
pub async fn an_item_is_recorded_once(subject: &impl Subject) {
    recorded(subject).await;
    let again = LedgerItem { last_outcome: "http_502".to_owned(), attempt: 9, ..item() };
    assert_eq!(subject.ports().record(&again).await, Ok(Recorded::AlreadyThere));
    let (found, _) = claimed(subject, 1, DUE_AT).await;
    assert_eq!(found.last_outcome, "http_500");
}

/// A claimed item is the one that was recorded, and the lease says what was claimed.
pub async fn a_due_item_is_claimed_whole(subject: &impl Subject) {
    recorded(subject).await;
    let (found, lease) = claimed(subject, 1, DUE_AT).await;
    let expected = item();
    assert_eq!(found.delivery_id, expected.delivery_id);
    assert_eq!(found.subscription_id, expected.subscription_id);
    assert_eq!(
        serde_json::to_string(&found.event).expect("JSON"),
        serde_json::to_string(&expected.event).expect("JSON"),
    );
    assert_eq!((found.attempt, found.last_outcome.as_str()), (1, "http_500"));
    assert_eq!(found.state, State::Pending { next_at: DUE_AT });
    assert_eq!((found.created_at, found.updated_at), (T0, T0));
    let until = DUE_AT.plus_ms(LEASE_MS);
    assert_eq!(lease, Lease { delivery_id: expected.delivery_id, attempt: 1, until });
}

/// Queue delays are whole seconds: one second early is in time.
pub async fn an_item_is_due_a_second_early_and_not_before(subject: &impl Subject) {
    recorded(subject).await;
    let earliest = DUE_AT.minus_ms(DUE_TOLERANCE_MS);
    assert!(matches!(claim(subject, 1, earliest.minus_ms(1)).await, Claim::NotDue { .. }));
    claimed(subject, 1, earliest).await;
}

/// An early wake-up learns when to come again, and leaves the item free.
pub async fn an_early_claim_says_when_to_come_again(subject: &impl Subject) {
    recorded(subject).await;
    let Claim::NotDue { next_at, subscription_id } = claim(subject, 1, T0).await else {
        unreachable!("the claim of an item that is not due was not early")
    };
    assert_eq!((next_at, subscription_id), (DUE_AT, item().subscription_id));
    claimed(subject, 1, DUE_AT).await;
}

/// A stale wake-up, and one from the future, find nothing, early or late.
pub async fn a_claim_of_another_attempt_is_refused(subject: &impl Subject) {
    recorded(subject).await;
    for attempt in [0, 2, u32::MAX] {
        assert!(is_taken(subject, attempt, T0).await, "attempt {attempt}, early");
        assert!(is_taken(subject, attempt, DUE_AT).await, "attempt {attempt}, due");
    }
    claimed(subject, 1, DUE_AT).await;
}

/// A wake-up of a delivery that is done finds nothing, and leaves nothing behind.
pub async fn a_claim_of_nothing_is_refused(subject: &impl Subject) {
    assert!(is_taken(subject, 1, DUE_AT).await);
    assert_eq!(subject.due_at(&item().delivery_id).await, None);
    recorded(subject).await;
}

/// Of two wake-ups one gets the item, until the lease is over.
pub async fn a_leased_item_is_refused_until_its_lease_has_expired(subject: &impl Subject) {
    recorded(subject).await;
    let (_, lease) = claimed(subject, 1, DUE_AT).await;
    assert!(is_taken(subject, 1, DUE_AT).await, "at once");
    assert!(is_taken(subject, 1, lease.until).await, "in the last moment");
    let (_, next) = claimed(subject, 1, lease.until.plus_ms(1)).await;
    assert_ne!(next.until, lease.until);
}

/// A dead letter is never claimed.
pub async fn a_dead_item_is_refused_and_kept(subject: &impl Subject) {
    assert_eq!(subject.ports().record(&dead_item()).await, Ok(Recorded::New));
    assert!(is_taken(subject, 1, DUE_AT).await);
    assert!(is_there(subject).await);
}

/// What the target has is no longer in the ledger.
pub async fn a_delivered_item_is_gone(subject: &impl Subject) {
    recorded(subject).await;
    let (_, lease) = claimed(subject, 1, DUE_AT).await;
    settle(subject, &lease, &Settlement::Delivered, DUE_AT).await;
    assert!(is_taken(subject, 1, DUE_AT).await);
    assert!(!is_there(subject).await);
}

/// A failed attempt leaves the item free for the next one, at its own moment.
pub async fn an_item_settled_as_pending_is_due_at_its_new_moment(subject: &impl Subject) {
    recorded(subject).await;
    let (_, lease) = claimed(subject, 1, DUE_AT).await;
    let next_at = DUE_AT.plus_ms(60_000);
    settle(subject, &lease, &kept(2, State::Pending { next_at }), DUE_AT.plus_ms(7)).await;
    assert!(is_taken(subject, 1, next_at).await, "the attempt before");
    assert!(matches!(claim(subject, 2, DUE_AT).await, Claim::NotDue { .. }));
    // The lease of before would still run: it went when the item was settled.
    let (found, _) = claimed(subject, 2, next_at.minus_ms(DUE_TOLERANCE_MS)).await;
    assert_eq!((found.attempt, found.last_outcome.as_str()), (2, "http_503"));
    assert_eq!(found.state, State::Pending { next_at });
    assert_eq!((found.created_at, found.updated_at), (T0, DUE_AT.plus_ms(7)));
}

/// A delivery that is given up stays, and nobody gets it any more.
pub async fn an_item_settled_as_dead_is_kept_and_never_due(subject: &impl Subject) {
    recorded(subject).await;
    let (_, lease) = claimed(subject, 1, DUE_AT).await;
    settle(subject, &lease, &kept(2, State::Dead { reason: gone() }), DUE_AT).await;
    let later = DUE_AT.plus_ms(LEASE_MS * 2);
    assert!(is_taken(subject, 1, later).await);
    assert!(is_taken(subject, 2, later).await);
    assert!(is_there(subject).await);
}

/// Whoever comes back too late changes nothing, however the item would have been left.
pub async fn a_lease_that_was_lost_settles_nothing(subject: &impl Subject) {
    recorded(subject).await;
    let (_, lost) = claimed(subject, 1, DUE_AT).await;
    let later = lost.until.plus_ms(1);
    let (_, held) = claimed(subject, 1, later).await;
    let pending = State::Pending { next_at: later };
    let dead = State::Dead { reason: gone() };
    for settlement in [Settlement::Delivered, kept(2, pending), kept(2, dead)] {
        settle(subject, &lost, &settlement, later).await;
        assert!(is_there(subject).await);
        assert_eq!(subject.due_at(&item().delivery_id).await, Some(DUE_AT));
        assert!(is_taken(subject, 1, later).await, "the other lease holds");
        assert!(is_taken(subject, 2, later).await, "the attempt has not moved");
    }
    settle(subject, &held, &Settlement::Delivered, later).await;
    assert!(!is_there(subject).await);
}

/// A settlement that is repeated, because its answer got lost, changes nothing the second time.
pub async fn a_lease_that_was_used_settles_nothing_more(subject: &impl Subject) {
    recorded(subject).await;
    let (_, lease) = claimed(subject, 1, DUE_AT).await;
    let pending = kept(2, State::Pending { next_at: DUE_AT });
    settle(subject, &lease, &pending, DUE_AT).await;
    let (_, next) = claimed(subject, 2, DUE_AT).await;
    settle(subject, &lease, &pending, DUE_AT).await;
    settle(subject, &lease, &Settlement::Delivered, DUE_AT).await;
    assert!(is_there(subject).await);
    assert!(is_taken(subject, 2, DUE_AT).await, "the next lease holds");
    settle(subject, &next, &Settlement::Delivered, DUE_AT).await;
    settle(subject, &next, &Settlement::Delivered, DUE_AT).await;
    assert!(!is_there(subject).await);
}

/// A lease says who may write, not for how long: late, but undisturbed, is not lost.
pub async fn an_expired_lease_that_nobody_took_still_settles(subject: &impl Subject) {
    recorded(subject).await;
    let (_, lease) = claimed(subject, 1, DUE_AT).await;
    settle(subject, &lease, &Settlement::Delivered, lease.until.plus_ms(1)).await;
    assert!(!is_there(subject).await);
}

/// The index holds what waits, under the moment it waits for, and nothing else.
pub async fn only_pending_items_are_in_the_index_due(subject: &impl Subject) {
    let id = item().delivery_id;
    recorded(subject).await;
    assert_eq!(subject.due_at(&id).await, Some(DUE_AT));
    let (_, lease) = claimed(subject, 1, DUE_AT).await;
    let next_at = DUE_AT.plus_ms(1_000);
    settle(subject, &lease, &kept(2, State::Pending { next_at }), DUE_AT).await;
    assert_eq!(subject.due_at(&id).await, Some(next_at));
    let (_, lease) = claimed(subject, 2, next_at).await;
    settle(subject, &lease, &kept(3, State::Dead { reason: gone() }), next_at).await;
    assert_eq!(subject.due_at(&id).await, None);

    let other =
        LedgerItem { delivery_id: crate::samples::delivery_id("dead", "s1"), ..dead_item() };
    assert_eq!(subject.ports().record(&other).await, Ok(Recorded::New));
    assert_eq!(subject.due_at(&other.delivery_id).await, None);
}
