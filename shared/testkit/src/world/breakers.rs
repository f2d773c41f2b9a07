//! Breakers in memory, with the conditions of the real ones; the contract suite compares them.

use std::collections::BTreeMap;

use domain::breaker::{Breaker, BreakerKey, BreakerWrite, Ports};
use domain::delivery::OurFault;
use domain::time::Timestamp;

use super::faults::Call;
use super::ports::Failed;
use super::{State, World};

impl Ports for World {
    async fn of(&self, key: &BreakerKey) -> Result<Breaker, OurFault> {
        let read = self.call(Call::Breaker, |state| state.breakers.of(key)).await;
        read.map_err(|Failed| OurFault::Ledger)
    }

    async fn write(
        &self,
        key: &BreakerKey,
        from: &Breaker,
        breaker: &Breaker,
    ) -> Result<BreakerWrite, OurFault> {
        let write = |state: &mut State| state.breakers.write(key, from, breaker);
        self.call(Call::WriteBreaker, write).await.map_err(|Failed| OurFault::Ledger)
    }

    async fn forget(&self, key: &BreakerKey, breaker: &Breaker) -> Result<(), OurFault> {
        let forget = |state: &mut State| state.breakers.forget(key, breaker);
        self.call(Call::ForgetBreaker, forget).await.map_err(|Failed| OurFault::Ledger)
    }
}

#[derive(Default)]
pub(super) struct Breakers(BTreeMap<BreakerKey, Breaker>);

impl Breakers {
    pub(super) fn of(&self, key: &BreakerKey) -> Breaker {
        self.0.get(key).cloned().unwrap_or_default()
    }

    pub(super) fn put(&mut self, key: BreakerKey, breaker: Breaker) {
        self.0.insert(key, breaker);
    }

    pub(super) fn all(&self) -> &BTreeMap<BreakerKey, Breaker> {
        &self.0
    }

    pub(super) fn write(
        &mut self,
        key: &BreakerKey,
        from: &Breaker,
        breaker: &Breaker,
    ) -> BreakerWrite {
        let current = self.of(key);
        if current.revision != from.revision {
            return BreakerWrite::Stands(current);
        }
        self.0.insert(key.clone(), breaker.clone());
        BreakerWrite::Written
    }

    pub(super) fn forget(&mut self, key: &BreakerKey, breaker: &Breaker) {
        if self.of(key).revision == breaker.revision {
            self.0.remove(key);
        }
    }

    /// Those that are to be looked at, earliest first, at most this many.
    pub(super) fn due(&self, now: Timestamp, most: usize) -> Vec<BreakerKey> {
        let due = |(key, breaker): (&BreakerKey, &Breaker)| {
            breaker.check_at.filter(|at| *at <= now).map(|at| (at, key.clone()))
        };
        let mut due: Vec<_> = self.0.iter().filter_map(due).collect();
        due.sort();
        due.into_iter().take(most).map(|(_, key)| key).collect()
    }

    pub(super) fn next_check_at(&self) -> Option<Timestamp> {
        self.0.values().filter_map(|breaker| breaker.check_at).min()
    }
}
