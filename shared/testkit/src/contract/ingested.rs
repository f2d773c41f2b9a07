//! What the table of ingested events has promised: for the world, and for the real one.
//!
//! As its parent, by [`ingested_contract!`](crate::ingested_contract). A table is looked at only
//! through ingest's ports.

use domain::ingest::{Begun, GivenBy, Ports, Posting};
use domain::limits::IDEMPOTENCY_S;
use domain::time::{Deadline, Timestamp};

use crate::samples::{event, property_of};
use crate::world::World;

/// A table of ingested events, to be held to its promises. It is empty when a promise begins.
pub trait Subject: Sync {
    /// The ports it is reached by.
    fn ports(&self) -> &impl Ports;
}

impl Subject for World {
    fn ports(&self) -> &impl Ports {
        self
    }
}

/// Makes a test of every promise. The expression gives a future of a fresh [`Subject`].
#[macro_export]
macro_rules! ingested_contract {
    ($subject:expr) => {
        $crate::ingested_contract! { @tests $subject;
            a_posting_is_new_once_and_pending_until_it_was_sent
            a_posting_that_was_sent_is_known_as_sent
            another_body_is_a_conflict_whatever_became_of_the_first
            two_scopes_with_the_same_id_do_not_meet
            an_id_is_known_for_a_day_and_then_belongs_to_nobody
            a_day_begins_anew_when_a_posting_was_sent
            a_mark_of_another_body_changes_nothing
            a_mark_of_an_unknown_id_makes_it_no_better_known
            answers_come_in_the_order_of_the_postings
        }
    };
    (@tests $subject:expr; $($promise:ident)+) => {
        $(
            #[tokio::test]
            async fn $promise() {
                $crate::contract::ingested::$promise(&$subject.await).await;
            }
        )+
    };
}

/// Far from today, so that a real table's time to live takes nothing away meanwhile.
const T0: Timestamp = Timestamp::from_ms(4_000_000_000_000);
const DAY_MS: u64 = IDEMPOTENCY_S * 1_000;

/// As far away as all these moments: whoever has the time answers.
const BY: Deadline = Deadline::at(T0);

/// The event `e1` of the property `p1`.
fn posting() -> Posting {
    Posting::of(&event("e1"), GivenBy::Producer)
}

/// The same event, with another body.
fn changed() -> Posting {
    Posting::of(&event("e1"), GivenBy::Us)
}

/// The ID `e1` in another property.
fn elsewhere() -> Posting {
    Posting { scope: property_of("p2"), ..changed() }
}

async fn begun(subject: &impl Subject, posting: Posting, now: Timestamp) -> Begun {
    let begun = subject.ports().begin(&[posting], now, BY).await;
    assert_eq!(begun.len(), 1);
    begun[0]
}

async fn mark_sent(subject: &impl Subject, posting: Posting, now: Timestamp) {
    subject.ports().mark_sent(&[posting], now, BY).await;
}

/// A crash between the two phases leaves a posting pending: it is to be sent.
pub async fn a_posting_is_new_once_and_pending_until_it_was_sent(subject: &impl Subject) {
    assert_eq!(begun(subject, posting(), T0).await, Begun::New);
    assert_eq!(begun(subject, posting(), T0).await, Begun::Pending);
    assert_eq!(begun(subject, posting(), T0.plus_ms(60_000)).await, Begun::Pending);
}

/// What was sent is not to be sent again.
pub async fn a_posting_that_was_sent_is_known_as_sent(subject: &impl Subject) {
    begun(subject, posting(), T0).await;
    mark_sent(subject, posting(), T0).await;
    assert_eq!(begun(subject, posting(), T0).await, Begun::Sent);
    mark_sent(subject, posting(), T0).await;
    assert_eq!(begun(subject, posting(), T0).await, Begun::Sent, "a mark can be repeated");
}

/// An ID belongs to the body that it was begun with, and asking in vain leaves it so.
pub async fn another_body_is_a_conflict_whatever_became_of_the_first(subject: &impl Subject) {
    begun(subject, posting(), T0).await;
    assert_eq!(begun(subject, changed(), T0).await, Begun::Conflict);
    assert_eq!(begun(subject, posting(), T0).await, Begun::Pending);
    mark_sent(subject, posting(), T0).await;
    assert_eq!(begun(subject, changed(), T0).await, Begun::Conflict);
    assert_eq!(begun(subject, posting(), T0).await, Begun::Sent);
}

/// A scope is a tenant: what one of them posts is nothing to the other.
pub async fn two_scopes_with_the_same_id_do_not_meet(subject: &impl Subject) {
    begun(subject, posting(), T0).await;
    mark_sent(subject, posting(), T0).await;
    assert_eq!(begun(subject, elsewhere(), T0).await, Begun::New);
    assert_eq!(begun(subject, posting(), T0).await, Begun::Sent);
}

/// To the second, whether or not the table has deleted the item by then.
pub async fn an_id_is_known_for_a_day_and_then_belongs_to_nobody(subject: &impl Subject) {
    begun(subject, posting(), T0).await;
    let last = T0.plus_ms(DAY_MS - 1);
    assert_eq!(begun(subject, changed(), last).await, Begun::Conflict);
    assert_eq!(begun(subject, changed(), T0.plus_ms(DAY_MS)).await, Begun::New);
    assert_eq!(begun(subject, posting(), T0.plus_ms(DAY_MS)).await, Begun::Conflict);
}

/// The day of a sent event is the one after it was sent; then the same body is new, too.
pub async fn a_day_begins_anew_when_a_posting_was_sent(subject: &impl Subject) {
    begun(subject, posting(), T0).await;
    let sent_at = T0.plus_ms(DAY_MS / 2);
    mark_sent(subject, posting(), sent_at).await;
    assert_eq!(begun(subject, posting(), sent_at.plus_ms(DAY_MS - 1)).await, Begun::Sent);
    assert_eq!(begun(subject, posting(), sent_at.plus_ms(DAY_MS)).await, Begun::New);
    assert_eq!(begun(subject, posting(), sent_at.plus_ms(DAY_MS)).await, Begun::Pending);
}

/// Whoever comes back after a day may find the ID with another body.
pub async fn a_mark_of_another_body_changes_nothing(subject: &impl Subject) {
    begun(subject, changed(), T0).await;
    mark_sent(subject, posting(), T0).await;
    assert_eq!(begun(subject, changed(), T0).await, Begun::Pending);
}

/// Only what was begun can have been sent.
pub async fn a_mark_of_an_unknown_id_makes_it_no_better_known(subject: &impl Subject) {
    mark_sent(subject, posting(), T0).await;
    assert_eq!(begun(subject, posting(), T0).await, Begun::New);
}

/// A request is a hundred events.
pub async fn answers_come_in_the_order_of_the_postings(subject: &impl Subject) {
    let of = |index: usize| Posting::of(&event(&format!("e{index}")), GivenBy::Producer);
    let all: Vec<Posting> = (0..100).map(of).collect();
    let every_third: Vec<Posting> = all.iter().step_by(3).cloned().collect();
    subject.ports().begin(&every_third, T0, BY).await;
    subject.ports().mark_sent(&every_third, T0, BY).await;
    let expected = |index: usize| if index.is_multiple_of(3) { Begun::Sent } else { Begun::New };
    let begun = subject.ports().begin(&all, T0, BY).await;
    assert_eq!(begun, (0..100).map(expected).collect::<Vec<_>>());
}
