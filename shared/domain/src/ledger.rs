//! The ledger: deliveries that are not done. One that succeeds at once never gets here.
//!
//! An item is the truth about its delivery; a wake-up only claims it. Every change of a delivery
//! is a compare-and-set on (attempt, lease), so that of two twins one finds the claim taken.

pub mod entry;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::breaker::BreakerKey;
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
    /// Those of them that the schedule does not count: all that came before a redrive.
    pub uncharged: u32,
    /// What the last attempt came to, as a code; empty when there was none.
    pub last_outcome: String,
    /// Waiting, or given up.
    pub state: State,
    /// How it was given up before, where it was redriven: at most the last ten times, oldest first.
    pub history: Vec<Death>,
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
    /// To be tried again when the subscription's breaker has closed.
    Held {
        /// Which breaker that is.
        by: BreakerKey,
        /// Its place among those that wait: the earliest is released first.
        since: Timestamp,
    },
    /// Given up, kept for redrive.
    Dead {
        /// Why.
        reason: Reason,
    },
}

/// How a delivery was given up that was redriven afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Death {
    /// When.
    pub at: Timestamp,
    /// After how many attempts.
    pub attempt: u32,
    /// Why: the code of a [`Reason`].
    pub reason: String,
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
    /// A webhook secret of the subscription's row is not one that was sealed for it, so nothing can
    /// be signed with it.
    #[error("secret_unreadable")]
    SecretUnreadable,
    /// The subscription has no webhook secret, and the deployment no Ed25519 key: there is nothing
    /// to sign with.
    #[error("secret_missing")]
    SecretMissing,
    /// The subscription asks for encryption, and there is no key that can be encrypted to.
    #[error("encryption_key_unusable")]
    EncryptionKeyUnusable,
    /// The subscription asks for tokens by an algorithm for which the deployment has no current
    /// key. It is never signed by another one.
    #[error("signing_key_missing")]
    SigningKeyMissing,
}

impl Reason {
    /// The reason without what differs from target to target: one of a dozen, for metrics.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Exhausted(_) => "exhausted",
            Self::Final(code) if code == "http_410" => "gone",
            Self::Final(code) if code.starts_with("http_") => "http_final",
            Self::Final(_) => "endpoint_refused",
            Self::SubscriptionDisabled => "subscription_disabled",
            Self::Unreadable => "item_unreadable",
            Self::SubscriptionChanged => "subscription_changed",
            Self::SubscriptionDeleted => "subscription_deleted",
            Self::SubscriptionUnreadable => "subscription_unreadable",
            Self::SecretUnreadable => "secret_unreadable",
            Self::SecretMissing => "secret_missing",
            Self::EncryptionKeyUnusable => "encryption_key_unusable",
            Self::SigningKeyMissing => "signing_key_missing",
        }
    }
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

/// The partition of the due-time index that breakers lie in.
pub const BREAKER_BUCKET: u64 = DUE_BUCKETS;

/// The partition of the due-time index that the held deliveries of a subscription lie in. It is
/// their own, so that they are found oldest first, and nobody else reads past them.
#[must_use]
pub fn held_bucket(key: &BreakerKey) -> u64 {
    let digest = Sha256::digest(key.to_string());
    // 48 bits, which every reader of a JSON number keeps, above all other partitions.
    let bits = digest.iter().take(6).fold(0, |bits, octet| bits << 8 | u64::from(*octet));
    (1 << 48) + bits
}

/// When `DynamoDB` may forget an item, in epoch seconds. One that waits never.
#[must_use]
pub fn expires_at_s(state: &State, now: Timestamp) -> Option<u64> {
    match state {
        State::Pending { .. } | State::Held { .. } => None,
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
    fn a_reason_is_of_a_class_that_no_target_chooses() {
        for (code, class) in [
            ("http_410", "gone"),
            ("http_301", "http_final"),
            ("http_100", "http_final"),
            ("egress_blocked", "endpoint_refused"),
        ] {
            assert_eq!(Reason::Final(code.to_owned()).class(), class);
        }
        assert_eq!(Reason::Exhausted("http_503".to_owned()).class(), "exhausted");
        assert_eq!(Reason::SubscriptionDeleted.class(), Reason::SubscriptionDeleted.to_string());
    }

    #[test]
    fn a_pending_delivery_never_expires() {
        let now = Timestamp::from_ms(1_000);
        assert_eq!(expires_at_s(&State::Pending { next_at: now }, now), None);
        let dead = State::Dead { reason: Reason::SubscriptionDeleted };
        assert_eq!(expires_at_s(&dead, now), Some(1 + DEAD_LETTER_RETENTION_S));
    }
}
