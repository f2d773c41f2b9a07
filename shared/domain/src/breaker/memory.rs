//! What one execution environment remembers of breakers and of the attempts that it told nobody of.
//! Bounded, so that ill subscriptions do not cost more than healthy ones, which cost a counter.
//!
//! It is a view, not the truth: the truth is the item in the ledger's table.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Breaker, BreakerKey};
use crate::limits::BREAKERS_REMEMBERED_MAX;
use crate::time::Timestamp;

/// Breakers by subscription, as last seen. One for the life of an execution environment.
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<BreakerKey, Seen>>);

/// A breaker as it was when it was last read or written.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) breaker: Breaker,
    pub(crate) at: Timestamp,
    /// Attempts that succeeded since, of which nobody was told.
    pub(crate) successes: u32,
}

impl Memory {
    /// What is remembered of a breaker; `None` means: closed, as far as is known here.
    pub(crate) fn seen(&self, key: &BreakerKey) -> Option<Seen> {
        self.lock().get(key).cloned()
    }

    /// Remembers a breaker as it stood at this moment, unless a later one is known: of two answers
    /// that come out of order the older one is no news. One that is gone is.
    pub(crate) fn note(&self, key: &BreakerKey, breaker: &Breaker, at: Timestamp) {
        let is_old = |seen: Seen| breaker.revision != 0 && breaker.revision < seen.breaker.revision;
        if !self.seen(key).is_some_and(is_old) {
            self.take_back(key, breaker, at);
        }
    }

    /// Remembers a breaker in the place of a later one that was not written after all.
    pub(crate) fn take_back(&self, key: &BreakerKey, breaker: &Breaker, at: Timestamp) {
        self.put(key, Seen { breaker: breaker.clone(), at, successes: 0 });
    }

    /// Counts a success that is not worth a write. The next failure will tell of it.
    pub(crate) fn count_success(&self, key: &BreakerKey) {
        let unread = Seen { breaker: Breaker::default(), at: Timestamp::from_ms(0), successes: 0 };
        let seen = self.seen(key).unwrap_or(unread);
        self.put(key, Seen { successes: seen.successes.saturating_add(1), ..seen });
    }

    fn put(&self, key: &BreakerKey, seen: Seen) {
        let mut all = self.lock();
        if all.len() >= BREAKERS_REMEMBERED_MAX && !all.contains_key(key) {
            all.clear();
        }
        all.insert(key.clone(), seen);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BreakerKey, Seen>> {
        // Held for a look-up only, and across no wait. A panic elsewhere does not spoil a view.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
