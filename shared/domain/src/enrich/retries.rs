//! How many questions may be put a second time: a token bucket, one an execution environment.
//!
//! A second question is safe (`target`), and still it is load. When a target refuses connections,
//! every login would double what it has to refuse; so a tenth of what is asked may be asked again,
//! and one a second in any case. What is not used is saved up, to a bound.

use std::sync::{Mutex, PoisonError};

use crate::limits::{ENRICH_RETRIES_PER_S, ENRICH_RETRIES_PERCENT, ENRICH_RETRIES_SAVED_MAX};
use crate::time::Timestamp;

/// What is left of the budget.
#[derive(Debug)]
pub(super) struct RetryBudget(Mutex<Bucket>);

/// In thousandths of a question, since a tenth of one is what a question adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    thousandths: u64,
    filled_at: Timestamp,
}

const ONE: u64 = 1_000;
const FULL: u64 = ENRICH_RETRIES_SAVED_MAX * ONE;

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Mutex::new(Bucket { thousandths: FULL, filled_at: Timestamp::from_ms(0) }))
    }
}

impl Bucket {
    /// With this much more, and with what the time since has brought.
    fn filled(self, more: u64, now: Timestamp) -> Self {
        // A second brings a thousand thousandths of each question that it allows. A clock that
        // jumped back brings nothing.
        let brought = now.since_ms(self.filled_at).saturating_mul(ENRICH_RETRIES_PER_S);
        let thousandths = self.thousandths.saturating_add(brought).saturating_add(more).min(FULL);
        Self { thousandths, filled_at: now }
    }
}

impl RetryBudget {
    /// A question is put for the first time.
    pub(super) fn count_question(&self, now: Timestamp) {
        self.change(|bucket| (bucket.filled(ONE * ENRICH_RETRIES_PERCENT / 100, now), ()));
    }

    /// Takes one from the budget; `false` when there is none.
    pub(super) fn take(&self, now: Timestamp) -> bool {
        self.change(|bucket| {
            let bucket = bucket.filled(0, now);
            match bucket.thousandths.checked_sub(ONE) {
                Some(thousandths) => (Bucket { thousandths, ..bucket }, true),
                None => (bucket, false),
            }
        })
    }

    fn change<T>(&self, step: impl FnOnce(Bucket) -> (Bucket, T)) -> T {
        // Held for a few additions. A panic elsewhere does not spoil a number.
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, result) = step(*bucket);
        *bucket = next;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::from_ms(1_795_428_000_000);

    /// A budget with nothing left at `T0`.
    fn spent() -> RetryBudget {
        let budget = RetryBudget::default();
        while budget.take(T0) {}
        budget
    }

    #[test]
    fn an_environment_that_was_frozen_can_replace_all_its_connections() {
        let budget = RetryBudget::default();
        let taken = (0..100).filter(|_| budget.take(T0)).count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn a_tenth_of_what_is_asked_is_asked_again() {
        let budget = spent();
        let asked_again = (0..1_000)
            .filter(|_| {
                budget.count_question(T0);
                budget.take(T0)
            })
            .count();
        assert_eq!(asked_again, 100);
    }

    #[test]
    fn one_a_second_is_always_there_and_no_more_are_saved_than_ten() {
        let budget = spent();
        assert!(!budget.take(T0.plus_ms(999)));
        assert!(budget.take(T0.plus_ms(1_000)));
        let late = T0.plus_ms(3_600_000);
        assert_eq!((0..100).filter(|_| budget.take(late)).count(), 10);
    }

    #[test]
    fn a_clock_that_jumps_back_brings_nothing() {
        let budget = spent();
        assert!(!budget.take(T0.minus_ms(60_000)));
        assert!(!budget.take(T0.minus_ms(59_001)));
    }
}
