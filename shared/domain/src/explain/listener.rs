//! One subscription's part of an explanation: what is known, and what follows from it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::breaker::{Admission, Breaker};
use crate::id::{DeliveryId, SubscriptionId};
use crate::ledger::Reason;
use crate::ledger::entry::Standing;
use crate::limits::DELIVERY_TEMPO;
use crate::redrive::Found;
use crate::subscription::{Mismatch, UnreadableRow};
use crate::time::Timestamp;

/// A subscription of the event's scope.
#[derive(Clone)]
pub struct Listener {
    /// Which.
    pub subscription_id: SubscriptionId,
    /// The delivery of the event to it; `None` when the event has no ID.
    pub delivery_id: Option<DeliveryId>,
    /// Why the event is not for it, as its row stands now; `None` when it is.
    pub mismatch: Option<Mismatch>,
    /// When and why we have disabled it, where we have.
    pub disablement: Option<Disablement>,
    /// Its breaker; closed where nothing depends on it.
    pub breaker: Breaker,
    /// The delivery's item in the ledger, where there is one.
    pub found: Option<Found>,
    /// What is next.
    pub prospect: Prospect,
}

/// A row that cannot be read. It fails no neighbour, and gets nothing.
#[derive(Clone)]
pub struct UnreadableListener {
    /// What is wrong with it.
    pub row: UnreadableRow,
    /// Its subscription, where its `sk` is one.
    pub subscription_id: Option<SubscriptionId>,
    /// The delivery of the event to it.
    pub delivery_id: Option<DeliveryId>,
    /// The delivery's item in the ledger, from when the row could be read.
    pub found: Option<Found>,
}

/// When and why a subscription was disabled by us (`disabledAt`, `disabledReason`).
#[derive(Clone, PartialEq, Eq)]
pub struct Disablement {
    /// When.
    pub at: Option<Timestamp>,
    /// `gone` or `failing`; whatever the row says.
    pub reason: String,
}

impl Disablement {
    /// Those of disabled rows, by their `sk`. Somebody who switches a row on again need not remove
    /// what we have written.
    pub(super) fn all_of(rows: &[Map<String, Value>]) -> BTreeMap<String, Self> {
        let of_row = |row: &Map<String, Value>| {
            let is_off = row.get("enabled") == Some(&Value::Bool(false));
            let reason = row.get("disabledReason").filter(|_| is_off)?.as_str()?.to_owned();
            let at = row.get("disabledAt").and_then(Value::as_u64).map(Timestamp::from_ms);
            Some((row.get("sk")?.as_str()?.to_owned(), Self { at, reason }))
        };
        rows.iter().filter_map(of_row).collect()
    }
}

/// What is next for an event at a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// Nothing: the event is not for it, and nothing is in the ledger.
    NotMeant,
    /// Posted now, it would be attempted at once.
    WouldBeAttempted,
    /// Posted now, it would be held: the breaker is open. An environment that has not heard of that
    /// yet makes one attempt all the same.
    WouldBeHeld,
    /// Nothing is in the ledger: it was delivered, or it was not attempted yet, or never posted.
    NothingRecorded,
    /// It waits for its next attempt.
    Waiting {
        /// Not before this.
        next_at: Timestamp,
    },
    /// It waits for its next attempt, and would be held then: the breaker is open.
    WaitingToBeHeld {
        /// When it finds out.
        next_at: Timestamp,
    },
    /// It waits until the breaker closes.
    Held {
        /// Since when.
        since: Timestamp,
    },
    /// It will be given up when its turn comes: nobody listens to it any more.
    WillBeGivenUp {
        /// Why: a [`Reason`].
        reason: Reason,
    },
    /// It was given up.
    Dead {
        /// Why: a [`Reason`]'s code.
        reason: String,
    },
    /// The ledger's item cannot be read by this release.
    ItemUnreadable,
}

impl Prospect {
    /// What follows from what is known of a subscription.
    pub(super) fn of(
        mismatch: Option<&Mismatch>,
        delivery_id: Option<&DeliveryId>,
        found: Option<&Found>,
        breaker: &Breaker,
        now: Timestamp,
    ) -> Self {
        let is_held_back = match breaker.admits(now, DELIVERY_TEMPO) {
            Admission::Hold => true,
            Admission::Pass | Admission::Probe(_) => false,
        };
        match (found, mismatch) {
            (None | Some(Found::NotThere), Some(_)) => Self::NotMeant,
            (None | Some(Found::NotThere), None) => match delivery_id {
                Some(_) => Self::NothingRecorded,
                None if is_held_back => Self::WouldBeHeld,
                None => Self::WouldBeAttempted,
            },
            (Some(Found::Unreadable), _) => Self::ItemUnreadable,
            (Some(Found::Entry(entry)), mismatch) => match (&entry.standing, mismatch) {
                (Standing::Dead { reason }, _) => Self::Dead { reason: reason.clone() },
                (Standing::Pending { .. } | Standing::Held { .. }, Some(mismatch)) => {
                    Self::WillBeGivenUp { reason: reason_of(mismatch) }
                }
                (Standing::Held { since }, None) => Self::Held { since: *since },
                (Standing::Pending { next_at }, None) if is_held_back => {
                    Self::WaitingToBeHeld { next_at: *next_at }
                }
                (Standing::Pending { next_at }, None) => Self::Waiting { next_at: *next_at },
            },
        }
    }

    /// A code for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotMeant => "not_meant",
            Self::WouldBeAttempted => "would_be_attempted",
            Self::WouldBeHeld => "would_be_held",
            Self::NothingRecorded => "nothing_recorded",
            Self::Waiting { .. } => "waiting",
            Self::WaitingToBeHeld { .. } => "waiting_to_be_held",
            Self::Held { .. } => "held",
            Self::WillBeGivenUp { .. } => "will_be_given_up",
            Self::Dead { .. } => "dead",
            Self::ItemUnreadable => "item_unreadable",
        }
    }
}

/// Why a delivery that waits is given up at its turn, as `delivery` does it.
const fn reason_of(mismatch: &Mismatch) -> Reason {
    match mismatch {
        Mismatch::Disabled => Reason::SubscriptionDisabled,
        Mismatch::Scope
        | Mismatch::Category
        | Mismatch::EventType
        | Mismatch::ChangedAttributes
        | Mismatch::Match(_) => Reason::SubscriptionChanged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::Phase;

    const NOW: Timestamp = Timestamp::from_ms(1_795_428_000_000);

    fn open() -> Breaker {
        let phase = Phase::Open { until: NOW.plus_ms(1), openings: 1 };
        Breaker { phase, ..Breaker::default() }
    }

    fn delivery_id() -> DeliveryId {
        DeliveryId::try_from("dlv_1".to_owned()).expect("an ID")
    }

    #[test]
    fn an_open_breaker_holds_what_would_be_posted_until_its_time_is_over() {
        let prospect = |breaker: &Breaker, now| Prospect::of(None, None, None, breaker, now);
        assert_eq!(prospect(&Breaker::default(), NOW), Prospect::WouldBeAttempted);
        assert_eq!(prospect(&open(), NOW), Prospect::WouldBeHeld);
        assert_eq!(prospect(&open(), NOW.plus_ms(1)), Prospect::WouldBeAttempted);
    }

    #[test]
    fn nobody_says_of_an_event_with_an_id_that_it_was_not_delivered() {
        let id = delivery_id();
        for breaker in [open(), Breaker::default()] {
            let prospect = Prospect::of(None, Some(&id), None, &breaker, NOW);
            assert_eq!(prospect, Prospect::NothingRecorded);
        }
        let found = Some(&Found::Unreadable);
        let prospect = Prospect::of(None, Some(&id), found, &Breaker::default(), NOW);
        assert_eq!(prospect, Prospect::ItemUnreadable);
    }

    #[test]
    fn only_a_row_that_is_off_says_why_we_switched_it_off() {
        let row = |enabled: bool| {
            let row = serde_json::json!({
                "sk": "SUBSCRIPTION#s1", "enabled": enabled, "disabledReason": "gone",
                "disabledAt": NOW,
            });
            row.as_object().expect("an object").clone()
        };
        assert!(Disablement::all_of(&[row(true)]).is_empty());
        let known = Disablement::all_of(&[row(false)]);
        let disablement = known.get("SUBSCRIPTION#s1").expect("it is off");
        assert_eq!((disablement.at, disablement.reason.as_str()), (Some(NOW), "gone"));
    }
}
