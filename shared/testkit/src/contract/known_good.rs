//! What the table of last known good claims has promised: for the world, and for the real one.
//!
//! As its parent, by [`known_good_contract!`](crate::known_good_contract). A table is looked at only
//! through the ports.

use domain::enrich::last_known_good::{Giver, Good, Known, Place, Ports, Remembered, User};
use domain::id::{ClientId, Sub};
use domain::time::{Deadline, Timestamp};

use crate::samples::subscription_id;
use crate::world::World;

/// A table of last known good claims, to be held to its promises. It is empty when a promise begins.
pub trait Subject: Sync {
    /// The ports it is reached by.
    fn ports(&self) -> &impl Ports;

    /// Saves a memory, and returns when that is done.
    fn save(&self, memory: Remembered) -> impl Future<Output = ()>;
}

impl Subject for World {
    fn ports(&self) -> &impl Ports {
        self
    }

    async fn save(&self, memory: Remembered) {
        Ports::save(self, vec![memory]);
    }
}

/// Makes a test of every promise. The expression gives a future of a fresh [`Subject`].
#[macro_export]
macro_rules! known_good_contract {
    ($subject:expr) => {
        $crate::known_good_contract! { @tests $subject;
            what_was_saved_is_known_whole
            a_memory_moves_forward_only
            a_refusal_is_of_one_client_and_moves_forward_only
            the_end_of_access_is_at_every_client_and_moves_forward_only
            users_clients_and_subscriptions_do_not_meet
            a_memory_that_lands_late_does_not_outlive_a_mark
        }
    };
    (@tests $subject:expr; $($promise:ident)+) => {
        $(
            #[tokio::test]
            async fn $promise() {
                $crate::contract::known_good::$promise(&$subject.await).await;
            }
        )+
    };
}

/// Far from today, so that a real table's time to live takes nothing away meanwhile.
const T0: Timestamp = Timestamp::from_ms(4_000_000_000_000);

/// As far away as all these moments: whoever has the time answers.
const BY: Deadline = Deadline::at(T0);

/// Long past: nothing is waited for.
const FROM: Timestamp = Timestamp::from_ms(0);

fn sub(name: &str) -> Sub {
    Sub::parse(name).expect("a user")
}

fn user(name: &str, client: &str) -> User {
    User { sub: sub(name), client_id: ClientId::parse(client).expect("a client ID") }
}

fn place(name: &str, client: &str, subscription: &str) -> Place {
    Place { user: user(name, client), subscription_id: subscription_id(subscription) }
}

/// The user `u1` at the client `c1`, by the target of `s1`.
fn here() -> Place {
    place("u1", "c1", "s1")
}

fn good(n: u64, at: Timestamp) -> Good {
    let claims = format!(r#"{{"beta":true,"groups":["a","b"],"n":{n},"tier":"gold"}}"#);
    Good::read(&claims, at, Giver::stored("a giver")).expect("claims")
}

async fn save(subject: &impl Subject, place: Place, n: u64, at: Timestamp) {
    subject.save(Remembered { place, good: good(n, at), until: at.plus_ms(60_000) }).await;
}

async fn known(subject: &impl Subject, place: &Place) -> Known {
    subject.ports().known(place, FROM, BY).await.expect("a table that can be read")
}

async fn refuse(subject: &impl Subject, client: &str, at: Timestamp) {
    assert!(subject.ports().refuse(&user("u1", client), at, BY).await);
}

/// All claims, of every kind, with their moment and their giver.
pub async fn what_was_saved_is_known_whole(subject: &impl Subject) {
    assert!(known(subject, &here()).await.good.is_none());
    save(subject, here(), 1, T0).await;
    let known = known(subject, &here()).await;
    assert!(known.good == Some(good(1, T0)));
    assert_eq!((known.refused_at, known.revoked_at), (None, None));
}

/// A write that lands late changes nothing.
pub async fn a_memory_moves_forward_only(subject: &impl Subject) {
    save(subject, here(), 2, T0).await;
    for (n, at) in [(1, T0.minus_ms(1)), (3, T0)] {
        save(subject, here(), n, at).await;
        assert!(known(subject, &here()).await.good == Some(good(2, T0)));
    }
    save(subject, here(), 4, T0.plus_ms(1)).await;
    assert!(known(subject, &here()).await.good == Some(good(4, T0.plus_ms(1))));
}

/// What one client's target thinks of a user is nothing to another client.
pub async fn a_refusal_is_of_one_client_and_moves_forward_only(subject: &impl Subject) {
    refuse(subject, "c1", T0).await;
    refuse(subject, "c1", T0.minus_ms(1)).await;
    for subscription in ["s1", "s2"] {
        let known = known(subject, &place("u1", "c1", subscription)).await;
        assert_eq!((known.refused_at, known.revoked_at), (Some(T0), None));
    }
    assert_eq!(known(subject, &place("u1", "c2", "s1")).await.refused_at, None);
    assert_eq!(known(subject, &place("u2", "c1", "s1")).await.refused_at, None);
    refuse(subject, "c1", T0.plus_ms(1)).await;
    assert_eq!(known(subject, &here()).await.refused_at, Some(T0.plus_ms(1)));
}

/// A user is gone everywhere.
pub async fn the_end_of_access_is_at_every_client_and_moves_forward_only(subject: &impl Subject) {
    for (at, stands) in [(T0, T0), (T0.minus_ms(1), T0), (T0.plus_ms(1), T0.plus_ms(1))] {
        assert_eq!(subject.ports().revoke(&sub("u1"), at).await, Ok(()));
        for client in ["c1", "c2"] {
            let known = known(subject, &place("u1", client, "s1")).await;
            assert_eq!((known.refused_at, known.revoked_at), (None, Some(stands)));
        }
    }
    assert_eq!(known(subject, &place("u2", "c1", "s1")).await.revoked_at, None);
}

/// Each place has its own memory.
pub async fn users_clients_and_subscriptions_do_not_meet(subject: &impl Subject) {
    let places =
        [here(), place("u2", "c1", "s1"), place("u1", "c2", "s1"), place("u1", "c1", "s2")];
    for (n, place) in (0..).zip(&places) {
        save(subject, place.clone(), n, T0).await;
    }
    for (n, place) in (0..).zip(&places) {
        assert!(known(subject, place).await.good == Some(good(n, T0)), "{n}");
    }
}

/// The writes of a login arrive in any order with those of others.
pub async fn a_memory_that_lands_late_does_not_outlive_a_mark(subject: &impl Subject) {
    let giver = Giver::stored("a giver");
    let is_usable =
        async |now: Timestamp| known(subject, &here()).await.usable(&giver, now, 60).is_some();
    let later = T0.plus_ms(10);
    refuse(subject, "c1", later).await;
    save(subject, here(), 1, T0).await;
    assert!(!is_usable(later).await);
    save(subject, here(), 2, later.plus_ms(1)).await;
    assert!(is_usable(later.plus_ms(1)).await, "allowed since");
    assert_eq!(subject.ports().revoke(&sub("u1"), later.plus_ms(2)).await, Ok(()));
    assert!(!is_usable(later.plus_ms(2)).await);
}
