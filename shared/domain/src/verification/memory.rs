//! What one execution environment remembers of handshakes: those that have just succeeded, until the
//! rows can be known to say so, and those that are under way.
//!
//! Many deliveries to an endpoint that is to be verified begin at once, of a batch or of an event that
//! somebody subscribed to for the first time. One of them shakes hands, the others wait for what comes
//! of it and take it for their own: one challenge, not one for each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::lock::Mutex as Turn;

use super::{Verification, VerifiedUrl};
use crate::egress::GuardedUrl;
use crate::id::SubscriptionId;
use crate::limits::{ENDPOINTS_REMEMBERED_MAX, SUBSCRIPTIONS_STALENESS_MAX_MS};
use crate::outcome::Outcome;
use crate::scope::Scope;
use crate::subscription::Subscription;
use crate::time::Timestamp;

/// What is remembered of handshakes. One for the life of an execution environment.
#[derive(Default)]
pub struct Memory {
    verified: Mutex<HashMap<Place, Timestamp>>,
    under_way: Mutex<HashMap<Place, Weak<Flight>>>,
}

/// A subscription's endpoint, as the row has it. No `Debug`: its query may hold a secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    scope: Scope,
    subscription_id: SubscriptionId,
    endpoint: String,
}

/// A handshake under way; what came of it, once that is known.
type Flight = Turn<Option<Result<(), Outcome>>>;

/// What came of a handshake, and whose it was.
pub(crate) enum Shaken {
    /// One's own.
    Own(Result<VerifiedUrl, Outcome>),
    /// A neighbour's, to the same endpoint and at the same time.
    Neighbour(Result<VerifiedUrl, Outcome>),
}

impl Place {
    pub(crate) fn of(subscription: &Subscription) -> Self {
        Self {
            scope: subscription.scope.clone(),
            subscription_id: subscription.id.clone(),
            endpoint: subscription.endpoint.clone(),
        }
    }
}

impl Memory {
    /// The URL as one that events may be posted to: by what the row says, or by a handshake that
    /// has succeeded here since the row was read.
    pub(crate) fn admit(
        &self,
        verification: Verification,
        place: &Place,
        url: GuardedUrl,
        now: Timestamp,
    ) -> Result<VerifiedUrl, GuardedUrl> {
        if self.is_verified(verification, place, now) { Ok(VerifiedUrl(url)) } else { Err(url) }
    }

    /// As [`Self::admit`], of a URL that nobody has judged yet.
    pub(crate) fn is_verified(
        &self,
        verification: Verification,
        place: &Place,
        now: Timestamp,
    ) -> bool {
        match verification {
            Verification::NotNeeded | Verification::Done => true,
            Verification::Pending => {
                // Rows are read again by then: the row is the truth, and who empties it has a reason.
                let is_young = |at: &Timestamp| {
                    now >= *at && now.since_ms(*at) < SUBSCRIPTIONS_STALENESS_MAX_MS
                };
                lock(&self.verified).get(place).is_some_and(is_young)
            }
        }
    }

    /// Remembers a handshake that has succeeded.
    pub(crate) fn note(&self, place: Place, now: Timestamp) {
        let mut verified = lock(&self.verified);
        if verified.len() >= ENDPOINTS_REMEMBERED_MAX {
            verified.clear();
        }
        verified.insert(place, now);
    }

    /// Shakes hands, or waits for a neighbour who does. When nothing came of the neighbour's, because
    /// it was cut off or for a fault of ours, the next in line begins one of its own.
    pub(crate) async fn shake<E>(
        &self,
        place: &Place,
        url: GuardedUrl,
        handshake: impl Future<Output = Result<Result<VerifiedUrl, Outcome>, E>>,
    ) -> Result<Shaken, E> {
        let flight = self.flight(place);
        let mut heard = flight.lock().await;
        if let Some(outcome) = *heard {
            return Ok(Shaken::Neighbour(outcome.map(|()| VerifiedUrl(url))));
        }
        let outcome = handshake.await?;
        *heard = Some(outcome.as_ref().map(|_| ()).map_err(|outcome| *outcome));
        // Whoever comes from now on begins another, if that is still called for.
        lock(&self.under_way).remove(place);
        Ok(Shaken::Own(outcome))
    }

    fn flight(&self, place: &Place) -> Arc<Flight> {
        let mut under_way = lock(&self.under_way);
        if let Some(flight) = under_way.get(place).and_then(Weak::upgrade) {
            return flight;
        }
        // Those that were cut off.
        under_way.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::new(Flight::default());
        under_way.insert(place.clone(), Arc::downgrade(&flight));
        flight
    }
}

/// Held for a look-up only, and across no wait. A panic elsewhere does not spoil what is remembered.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
