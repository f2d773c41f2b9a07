//! What the table of logins has promised: for the world, and for the real one.
//!
//! As its parent, by [`logins_contract!`](crate::logins_contract). A table is looked at only through
//! the ports.

use domain::enrich::Decision;
use domain::enrich::once::{Asking, Kept, Ports, Taken, Turn};
use domain::limits::ENRICH_REPEAT_MS;
use domain::time::{Deadline, Timestamp};
use futures_util::future::join;

use crate::samples::{decision, login_event};
use crate::world::World;

/// A table of logins, to be held to its promises. It is empty when a promise begins.
pub trait Subject: Sync {
    /// The ports it is reached by.
    fn ports(&self) -> &impl Ports;

    /// A deadline that will have passed soon.
    fn soon(&self) -> Deadline;
}

impl Subject for World {
    fn ports(&self) -> &impl Ports {
        self
    }

    fn soon(&self) -> Deadline {
        Deadline::at(self.now())
    }
}

/// Makes a test of every promise. The expression gives a future of a fresh [`Subject`].
#[macro_export]
macro_rules! logins_contract {
    ($subject:expr) => {
        $crate::logins_contract! { @tests $subject;
            a_request_is_taken_by_one_until_the_end_of_its_turn
            a_decision_is_known_whole_until_its_time
            whoever_waits_hears_what_was_decided
            an_owner_that_has_lost_its_turn_changes_nothing
            another_login_under_the_same_id_is_told_apart
            two_clients_with_the_same_id_do_not_meet
        }
    };
    (@tests $subject:expr; $($promise:ident)+) => {
        $(
            #[tokio::test]
            async fn $promise() {
                $crate::contract::logins::$promise(&$subject.await).await;
            }
        )+
    };
}

/// Far from today, so that a real table's time to live takes nothing away meanwhile.
const T0: Timestamp = Timestamp::from_ms(4_000_000_000_000);
const TURN_MS: u64 = 1_540;

/// As far away as all these moments: whoever has the time answers.
const BY: Deadline = Deadline::at(T0);

/// A login of the client `c1`.
fn asking() -> Asking {
    Asking::of(&login_event("c1", "r1", "192.0.2.1"))
}

fn turn(owner: &str, now: Timestamp) -> Turn {
    Turn { owner: owner.to_owned(), until: now.plus_ms(TURN_MS) }
}

async fn take(subject: &impl Subject, asking: &Asking, owner: &str, now: Timestamp) -> Taken {
    subject.ports().take(asking, &turn(owner, now), now, BY).await
}

async fn is_mine(subject: &impl Subject, asking: &Asking, owner: &str, now: Timestamp) -> bool {
    matches!(take(subject, asking, owner, now).await, Taken::Mine)
}

async fn keep(subject: &impl Subject, owner: &str, now: Timestamp) -> Kept {
    let until = now.plus_ms(ENRICH_REPEAT_MS);
    subject.ports().keep(&asking(), &decision(owner), until, BY).await
}

/// The ID of the decision that is known; none when there is none.
async fn decided(subject: &impl Subject, now: Timestamp) -> Option<String> {
    match take(subject, &asking(), "whoever asks", now).await {
        Taken::Decided(decision) => Some(decision.decision_id),
        Taken::Mine | Taken::Deciding { .. } | Taken::AnotherLogin | Taken::Unknown => None,
    }
}

fn text(decision: &Decision) -> String {
    serde_json::to_string(decision).expect("JSON")
}

/// Of two that ask at once one decides; when it has not by the end of its turn, the other may.
pub async fn a_request_is_taken_by_one_until_the_end_of_its_turn(subject: &impl Subject) {
    assert!(is_mine(subject, &asking(), "d1", T0).await);
    let until = T0.plus_ms(TURN_MS);
    for now in [T0, until.minus_ms(1)] {
        let taken = take(subject, &asking(), "d2", now).await;
        assert!(matches!(taken, Taken::Deciding { until: end } if end == until));
    }
    assert!(is_mine(subject, &asking(), "d1", T0).await, "a call that was repeated");
    assert!(is_mine(subject, &asking(), "d2", until).await);
    let taken = take(subject, &asking(), "d3", until).await;
    let next = until.plus_ms(TURN_MS);
    assert!(matches!(taken, Taken::Deciding { until: end } if end == next));
}

/// Whoever asks again gets all of it, for a while.
pub async fn a_decision_is_known_whole_until_its_time(subject: &impl Subject) {
    assert!(is_mine(subject, &asking(), "d1", T0).await);
    let decided_at = T0.plus_ms(300);
    assert_eq!(keep(subject, "d1", decided_at).await, Kept::Kept);
    let until = decided_at.plus_ms(ENRICH_REPEAT_MS);
    for now in [decided_at, until.minus_ms(1)] {
        let Taken::Decided(known) = take(subject, &asking(), "d2", now).await else {
            unreachable!("a decision was noted")
        };
        assert_eq!(text(&known), text(&decision("d1")));
    }
    assert!(is_mine(subject, &asking(), "d2", until).await);
    assert_eq!(decided(subject, until).await, None, "nothing is left of the decision before");
}

/// One waits while another decides; and nobody waits for longer than it has time.
pub async fn whoever_waits_hears_what_was_decided(subject: &impl Subject) {
    assert!(is_mine(subject, &asking(), "d1", T0).await);
    let in_vain = subject.ports().decided(&asking(), subject.soon()).await;
    assert!(in_vain.is_none());
    let asking = asking();
    let waits = subject.ports().decided(&asking, BY);
    let (heard, _) = join(waits, keep(subject, "d1", T0)).await;
    assert_eq!(heard.as_ref().map(text), Some(text(&decision("d1"))));
    let other = Asking::of(&login_event("c1", "r1", "192.0.2.2"));
    assert!(subject.ports().decided(&other, subject.soon()).await.is_none(), "of another login");
}

/// Whoever was thought to have crashed and comes back does not decide for those who took its place.
pub async fn an_owner_that_has_lost_its_turn_changes_nothing(subject: &impl Subject) {
    assert_eq!(keep(subject, "nobody", T0).await, Kept::Lost);
    assert!(is_mine(subject, &asking(), "d1", T0).await, "nothing is made of nothing");
    let later = T0.plus_ms(TURN_MS);
    assert!(is_mine(subject, &asking(), "d2", later).await);
    assert_eq!(keep(subject, "d1", later).await, Kept::Lost);
    assert_eq!(decided(subject, later).await, None);
    assert_eq!(keep(subject, "d2", later).await, Kept::Kept);
    assert_eq!(decided(subject, later).await.as_deref(), Some("d2"));
    keep(subject, "d1", later).await;
    assert_eq!(decided(subject, later).await.as_deref(), Some("d2"));
}

/// While it is decided and afterwards; then the ID is free.
pub async fn another_login_under_the_same_id_is_told_apart(subject: &impl Subject) {
    let other = Asking::of(&login_event("c1", "r1", "192.0.2.2"));
    assert!(is_mine(subject, &asking(), "d1", T0).await);
    assert!(matches!(take(subject, &other, "d2", T0).await, Taken::AnotherLogin));
    keep(subject, "d1", T0).await;
    assert!(matches!(take(subject, &other, "d2", T0).await, Taken::AnotherLogin));
    assert_eq!(decided(subject, T0).await.as_deref(), Some("d1"), "and is left alone");
    assert!(is_mine(subject, &other, "d2", T0.plus_ms(ENRICH_REPEAT_MS)).await);
}

/// A scope is a tenant: what one of them asks is nothing to the other.
pub async fn two_clients_with_the_same_id_do_not_meet(subject: &impl Subject) {
    let elsewhere = Asking::of(&login_event("c2", "r1", "192.0.2.1"));
    assert!(is_mine(subject, &asking(), "d1", T0).await);
    assert!(is_mine(subject, &elsewhere, "d2", T0).await);
    keep(subject, "d1", T0).await;
    let taken = take(subject, &elsewhere, "d3", T0).await;
    assert!(matches!(taken, Taken::Deciding { .. }));
}
