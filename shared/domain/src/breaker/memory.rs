//! What one execution environment remembers of breakers: only of those that are not plainly
//! closed, so that healthy subscriptions cost nothing, and bounded, so that ill ones do not either.
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
    /// What is remembered of a breaker; `None` means: plainly closed, as far as is known here.
    pub(crate) fn seen(&self, key: &BreakerKey) -> Option<Seen> {
        self.lock().get(key).cloned()
    }

    /// Remembers a breaker as it stands at this moment.
    pub(crate) fn note(&self, key: &BreakerKey, breaker: &Breaker, at: Timestamp) {
        let mut all = self.lock();
        if breaker.is_plain() {
            all.remove(key);
            return;
        }
        if all.len() >= BREAKERS_REMEMBERED_MAX && !all.contains_key(key) {
            all.clear();
        }
        all.insert(key.clone(), Seen { breaker: breaker.clone(), at, successes: 0 });
    }

    /// Counts a success that is not worth a write.
    pub(crate) fn count_success(&self, key: &BreakerKey) {
        if let Some(seen) = self.lock().get_mut(key) {
            seen.successes = seen.successes.saturating_add(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BreakerKey, Seen>> {
        // Held for a look-up only, and across no wait. A panic elsewhere does not spoil a view.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
