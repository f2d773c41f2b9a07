//! A ledger item as people look at it: everything but the event, and what lists are filtered by.
//!
//! An entry is read from attributes or from an index; the event, which may hold personal data, is
//! never loaded for it.

use super::Death;
use crate::id::{DeliveryId, EventId, SubscriptionId};
use crate::scope::Scope;
use crate::time::Timestamp;

/// A ledger item without its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// Whose events.
    pub scope: Scope,
    /// To which subscription of the scope.
    pub subscription_id: SubscriptionId,
    /// Of which event.
    pub event_id: EventId,
    /// Attempts made so far.
    pub attempt: u32,
    /// What the last attempt came to, as a code; empty when there was none.
    pub last_outcome: String,
    /// Where the delivery stands.
    pub standing: Standing,
    /// How it was given up before, oldest first. Lists leave it empty; a look at one item does not.
    pub history: Vec<Death>,
    /// When the delivery first failed.
    pub created_at: Timestamp,
    /// When the item was last written: of a dead letter, when it was given up.
    pub updated_at: Timestamp,
}

/// Where a delivery stands, as told: a [`super::State`] of any release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// To be tried again.
    Pending {
        /// Not before this.
        next_at: Timestamp,
    },
    /// Waiting for its subscription's breaker to close.
    Held {
        /// Since when.
        since: Timestamp,
    },
    /// Given up.
    Dead {
        /// Why: the code of a [`super::Reason`].
        reason: String,
    },
}

impl Standing {
    /// Which of the three.
    #[must_use]
    pub const fn kind(&self) -> StandingKind {
        match self {
            Self::Pending { .. } => StandingKind::Pending,
            Self::Held { .. } => StandingKind::Held,
            Self::Dead { .. } => StandingKind::Dead,
        }
    }
}

/// One of the three ways to stand in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandingKind {
    /// See [`Standing::Pending`].
    Pending,
    /// See [`Standing::Held`].
    Held,
    /// See [`Standing::Dead`].
    Dead,
}

impl StandingKind {
    /// `pending`, `held` or `dead`, as the table has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Dead => "dead",
        }
    }
}

/// Which entries are meant; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this subscription. The index `bySubscription` finds them; without it the whole table is
    /// read.
    pub subscription_id: Option<SubscriptionId>,
    /// Of this scope.
    pub scope: Option<Scope>,
    /// Of this event.
    pub event_id: Option<EventId>,
    /// Given up for this reason.
    pub reason: Option<ReasonPattern>,
    /// Last written at this moment or later.
    pub since: Option<Timestamp>,
    /// Last written at this moment or earlier.
    pub until: Option<Timestamp>,
    /// Standing so.
    pub standing: Option<StandingKind>,
}

impl Filter {
    /// Whether an entry is meant.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, found: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        let reason = match &entry.standing {
            Standing::Dead { reason } => Some(reason.as_str()),
            Standing::Pending { .. } | Standing::Held { .. } => None,
        };
        is(self.subscription_id.as_ref(), &entry.subscription_id)
            && is(self.scope.as_ref(), &entry.scope)
            && is(self.event_id.as_ref(), &entry.event_id)
            && is(self.standing.as_ref(), &entry.standing.kind())
            && self.reason.as_ref().is_none_or(|wanted| reason.is_some_and(|it| wanted.matches(it)))
            && self.since.is_none_or(|since| entry.updated_at >= since)
            && self.until.is_none_or(|until| entry.updated_at <= until)
    }
}

/// A reason's whole code, or its first part: `exhausted` means every `exhausted:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonPattern(pub String);

impl ReasonPattern {
    /// Whether a reason's code is meant.
    #[must_use]
    pub fn matches(&self, code: &str) -> bool {
        code.strip_prefix(self.0.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            delivery_id: DeliveryId::try_from("dlv_1".to_owned()).expect("an ID"),
            scope: Scope::try_from("PROPERTY#p1".to_owned()).expect("a scope"),
            subscription_id: SubscriptionId::parse("s1").expect("an ID"),
            event_id: EventId::parse("e1").expect("an ID"),
            attempt: 12,
            last_outcome: "http_503".to_owned(),
            standing: Standing::Dead { reason: "exhausted:http_503".to_owned() },
            history: Vec::new(),
            created_at: Timestamp::from_ms(1_000),
            updated_at: Timestamp::from_ms(5_000),
        }
    }

    #[test]
    fn a_reason_is_meant_by_its_code_or_by_its_first_part() {
        let matches = |pattern: &str, code| ReasonPattern(pattern.to_owned()).matches(code);
        assert!(matches("exhausted", "exhausted:http_503"));
        assert!(matches("exhausted:http_503", "exhausted:http_503"));
        assert!(matches("http_410", "http_410"));
        for (pattern, code) in [
            ("exhaust", "exhausted:http_503"),
            ("http_4", "http_410"),
            ("http_503", "exhausted:http_503"),
        ] {
            assert!(!matches(pattern, code), "{pattern} {code}");
        }
    }

    #[test]
    fn an_empty_filter_means_everything_and_each_part_narrows_it() {
        assert!(Filter::default().matches(&entry()));
        let at = |ms| Some(Timestamp::from_ms(ms));
        let other = Scope::try_from("CLIENT#p1".to_owned()).expect("a scope");
        let reason = |text: &str| Some(ReasonPattern(text.to_owned()));
        for (filter, is_meant) in [
            (
                Filter { subscription_id: SubscriptionId::parse("s2").ok(), ..Filter::default() },
                false,
            ),
            (Filter { scope: Some(other), ..Filter::default() }, false),
            (Filter { event_id: EventId::parse("e1").ok(), ..Filter::default() }, true),
            (Filter { reason: reason("exhausted"), ..Filter::default() }, true),
            (Filter { reason: reason("http_410"), ..Filter::default() }, false),
            (Filter { since: at(5_000), until: at(5_000), ..Filter::default() }, true),
            (Filter { since: at(5_001), ..Filter::default() }, false),
            (Filter { until: at(4_999), ..Filter::default() }, false),
            (Filter { standing: Some(StandingKind::Dead), ..Filter::default() }, true),
            (Filter { standing: Some(StandingKind::Held), ..Filter::default() }, false),
        ] {
            assert_eq!(filter.matches(&entry()), is_meant, "{filter:?}");
        }
    }

    #[test]
    fn what_waits_was_not_given_up_for_any_reason() {
        let standing = Standing::Pending { next_at: Timestamp::from_ms(9) };
        let filter =
            Filter { reason: Some(ReasonPattern("exhausted".to_owned())), ..Filter::default() };
        assert!(!filter.matches(&Entry { standing, ..entry() }));
    }
}
