//! The ledger: deliveries that are not done. One that succeeds at once never gets here.
//!
//! An item is the truth about its delivery; a wake-up only claims it. Every change of a delivery
//! is a compare-and-set on (attempt, lease), so that of two twins one finds the claim taken.

use sha2::{Digest as _, Sha256};

use crate::event::Event;
use crate::id::{DeliveryId, SubscriptionId};
use crate::limits::{DEAD_LETTER_RETENTION_S, DUE_BUCKETS};
use crate::time::Timestamp;

/// A delivery that is not done. No `Debug`: it holds the whole event.
#[derive(Clone)]
pub struct LedgerItem {
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// To which subscription; its scope is the event's.
    pub subscription_id: SubscriptionId,
    /// Of what.
    pub event: Event,
    /// Attempts made so far.
    pub attempt: u32,
    /// What the last of them came to, as a code.
    pub last_outcome: String,
    /// Waiting, or given up.
    pub state: State,
    /// When the delivery first failed.
    pub created_at: Timestamp,
    /// When this was last written.
    pub updated_at: Timestamp,
}

/// Where a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// To be tried again.
    Pending {
        /// Not before this.
        next_at: Timestamp,
    },
    /// Given up, kept for redrive.
    Dead {
        /// Why.
        reason: Reason,
    },
}

/// Why a delivery was given up. The code is what lists are filtered by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The schedule, or the subscription's own limit, is used up.
    #[error("exhausted:{0}")]
    Exhausted(String),
    /// The outcome cannot become better: `http_410`, `http_301`, `egress_blocked` …
    #[error("{0}")]
    Final(String),
    /// The subscription was switched off while the delivery waited.
    #[error("subscription_disabled")]
    SubscriptionDisabled,
    /// The item itself cannot be read by this release. It is kept as it is.
    #[error("item_unreadable")]
    Unreadable,
    /// The subscription no longer listens to events of this kind.
    #[error("subscription_changed")]
    SubscriptionChanged,
    /// The subscription is no longer there.
    #[error("subscription_deleted")]
    SubscriptionDeleted,
    /// The subscription's row cannot be read any more.
    #[error("subscription_unreadable")]
    SubscriptionUnreadable,
}

/// A claim on an item: while the lease lasts, and nobody else has moved the attempt, it is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Of which delivery.
    pub delivery_id: DeliveryId,
    /// The attempt count that was found.
    pub attempt: u32,
    /// Until when.
    pub until: Timestamp,
}

/// What a wake-up found.
pub enum Claim {
    /// The item is ours.
    Claimed(Box<LedgerItem>, Lease),
    /// It is not due yet: a wake-up came early.
    NotDue {
        /// When it is.
        next_at: Timestamp,
        /// Whose wake-up that is.
        subscription_id: SubscriptionId,
    },
    /// Someone else has it, or it has moved on, or it is done.
    Taken,
    /// It is ours, and cannot be read.
    Unreadable(Lease),
}

/// How a claimed item is left.
pub enum Settlement {
    /// Delivered: the item goes.
    Delivered,
    /// The attempt failed, or the delivery is given up: the item stays, changed.
    Kept {
        /// Attempts made so far.
        attempt: u32,
        /// What the last one came to.
        last_outcome: String,
        /// Waiting, or given up.
        state: State,
    },
}

/// The partition of the due-time index that a delivery belongs to: 0 to 15, evenly spread.
#[must_use]
pub fn due_bucket(delivery_id: &DeliveryId) -> u64 {
    let digest = Sha256::digest(delivery_id.as_str());
    u64::from(digest[0]) % DUE_BUCKETS
}

/// When `DynamoDB` may forget an item, in epoch seconds. A pending one never.
#[must_use]
pub fn expires_at_s(state: &State, now: Timestamp) -> Option<u64> {
    match state {
        State::Pending { .. } => None,
        State::Dead { .. } => Some(now.as_s() + DEAD_LETTER_RETENTION_S),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_codes() {
        assert_eq!(Reason::Exhausted("http_503".into()).to_string(), "exhausted:http_503");
        assert_eq!(Reason::Final("egress_blocked".into()).to_string(), "egress_blocked");
    }

    #[test]
    fn a_pending_delivery_never_expires() {
        let now = Timestamp::from_ms(1_000);
        assert_eq!(expires_at_s(&State::Pending { next_at: now }, now), None);
        let dead = State::Dead { reason: Reason::SubscriptionDeleted };
        assert_eq!(expires_at_s(&dead, now), Some(1 + DEAD_LETTER_RETENTION_S));
    }
}
