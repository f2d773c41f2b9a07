//! What became of a delivery, and what that means for its subscription.

use crate::breaker::Change;
use crate::egress::Refused;
use crate::event_type::EventType;
use crate::id::{DeliveryId, EventId, SubscriptionId};
use crate::ledger::Reason;
use crate::outcome::Outcome;
use crate::scope::Scope;
use crate::time::Timestamp;
use crate::trace::Trace;

/// What became of one delivery: one log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// Of which event.
    pub event_id: EventId,
    /// Of which type.
    pub kind: EventType,
    /// Of which scope.
    pub scope: Scope,
    /// When its event was accepted.
    pub accepted_at: Timestamp,
    /// The trace of its event, where it has one.
    pub trace: Option<Trace>,
    /// To which subscription.
    pub subscription_id: SubscriptionId,
    /// The number of the attempt that was made, or of the last one when none was.
    pub attempt: u32,
    /// What came of it, where one was made.
    pub outcome: Option<Outcome>,
    /// What came of the handshake before it, where one was called for.
    pub handshake: Option<Handshake>,
    /// Why its URL was refused, where it was.
    pub refused: Option<Refused>,
    /// How long it took.
    pub elapsed_ms: u64,
    /// Where that leaves the delivery.
    pub disposition: Disposition,
    /// What it changed about the subscription's breaker.
    pub breaker: Option<Change>,
    /// Why it ended the subscription, where it did.
    pub ended: Option<Ended>,
}

/// What came of the handshake of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// The endpoint has shown that it wants notifications; the event followed.
    Echoed,
    /// It has not, and the outcome says how; nothing followed.
    Failed,
}

/// Why a subscription is disabled. Never silently: it is logged as an error, and the row says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its target answered 410: it wants nothing more.
    Gone,
    /// Five days of nothing but failures.
    Failing {
        /// Since when.
        since: Timestamp,
    },
}

impl Ended {
    /// `gone` or `failing`, the row's `disabledReason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing { .. } => "failing",
        }
    }
}

/// Whether a subscription's breaker has opened. Its row says so to all environments, which read it
/// anyway: they then look at the breaker itself before a first attempt, and tell it of successes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It has opened.
    Begins,
    /// It is closed again.
    Ends,
}

impl Disposition {
    /// In logs and metrics: `delivered`, `retrying`, `held`, `dead` or `in_ledger`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retrying { .. } => "retrying",
            Self::Held { .. } => "held",
            Self::Dead(_) => "dead",
            Self::InLedger => "in_ledger",
        }
    }
}

/// Where an attempt leaves its delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The target has it.
    Delivered,
    /// It will be tried again.
    Retrying {
        /// Not before this.
        next_at: Timestamp,
    },
    /// It waits until the subscription's breaker closes.
    Held {
        /// Its place among those that wait: the earliest is released first.
        since: Timestamp,
    },
    /// It is a dead letter.
    Dead(Reason),
    /// The ledger had an item of the delivery already: the record reached us a second time. What
    /// the item says counts.
    InLedger,
}
