//! An execution environment: what one of them remembers, and how wrong its clock is.

use std::sync::{Arc, Mutex, PoisonError};

use domain::delivery::Memory;
use domain::limits::SUBSCRIPTIONS_STALENESS_MAX_MS;
use domain::scope::Scope;
use domain::subscription::Subscriptions;
use domain::time::Timestamp;

/// What lives as long as a process does. A crash takes it away.
#[derive(Default)]
pub struct Environment {
    ahead_ms: u64,
    memory: Memory,
    subscriptions: Mutex<Option<Read>>,
}

struct Read {
    scope: Scope,
    at: Timestamp,
    subscriptions: Arc<Subscriptions>,
}

impl Environment {
    /// An environment whose clock is this much ahead of the world's.
    #[must_use]
    pub fn ahead_by(ahead_ms: u64) -> Self {
        Self { ahead_ms, ..Self::default() }
    }

    /// What it remembers between two messages.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// How much its clock is ahead of the world's.
    pub(super) const fn ahead_ms(&self) -> u64 {
        self.ahead_ms
    }

    /// What its clock shows.
    pub(super) fn now(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(self.ahead_ms)
    }

    /// What it has read of a scope, where that is not too old.
    pub(super) fn remembered(&self, scope: &Scope, now: Timestamp) -> Option<Arc<Subscriptions>> {
        let read = self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |read: &&Read| {
            read.scope == *scope && now.since_ms(read.at) < SUBSCRIPTIONS_STALENESS_MAX_MS
        };
        read.as_ref().filter(is_fresh).map(|read| Arc::clone(&read.subscriptions))
    }

    pub(super) fn remember(&self, scope: &Scope, at: Timestamp, read: &Arc<Subscriptions>) {
        let read = Read { scope: scope.clone(), at, subscriptions: Arc::clone(read) };
        *self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
    }
}
