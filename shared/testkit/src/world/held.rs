//! Which deliveries breakers have held, and from when until when: the ledger itself forgets.

use std::collections::BTreeMap;

use domain::id::DeliveryId;
use domain::ledger::State as Stands;
use domain::time::Timestamp;

use super::World;

#[derive(Default)]
pub(super) struct Held(BTreeMap<DeliveryId, Vec<(Timestamp, Timestamp)>>);

impl Held {
    /// Notes what state an item has been left in, where that is held.
    pub(super) fn note(&mut self, delivery_id: &DeliveryId, state: &Stands, now: Timestamp) {
        match state {
            Stands::Held { .. } => {
                let stretches = self.0.entry(delivery_id.clone()).or_default();
                stretches.push((now, Timestamp::LAST));
            }
            Stands::Pending { .. } | Stands::Dead { .. } => {}
        }
    }

    /// Notes that an item is held no more.
    pub(super) fn end(&mut self, delivery_id: &DeliveryId, now: Timestamp) {
        let stretches = self.0.get_mut(delivery_id);
        if let Some((_, until)) = stretches.and_then(|stretches| stretches.last_mut()) {
            *until = now;
        }
    }
}

impl World {
    /// From when until when breakers held which deliveries, in the order of time; for ever, where
    /// the sweeper has not released one.
    #[must_use]
    pub fn held(&self) -> BTreeMap<DeliveryId, Vec<(Timestamp, Timestamp)>> {
        self.lock().held.0.clone()
    }
}
