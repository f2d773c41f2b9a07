//! What is remembered of users, with the conditions of the real table; the contract suite compares
//! them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use domain::delivery::OurFault;
use domain::enrich::last_known_good::{Good, Known, Place, Ports, Remembered, User};
use domain::id::Sub;
use domain::time::{Deadline, Timestamp};

use super::faults::Call;
use super::ports::Failed;
use super::{State, World};

impl World {
    /// Lets claims be remembered. A new world does not.
    pub fn remember_good(&self) {
        self.lock().remembers_good = true;
    }

    /// When a user's access ended, as far as that is marked.
    #[must_use]
    pub fn revoked_at(&self, sub: &Sub) -> Option<Timestamp> {
        self.lock().known_good.revoked.get(sub).copied()
    }

    /// The world, if it remembers anything.
    pub(super) fn remembering(&self) -> Option<&Self> {
        self.lock().remembers_good.then_some(self)
    }
}

/// A world that is not told otherwise has none.
#[derive(Default)]
pub(super) struct KnownGood {
    goods: BTreeMap<Place, Good>,
    refused: BTreeMap<User, Timestamp>,
    revoked: BTreeMap<Sub, Timestamp>,
}

impl Ports for World {
    /// Nobody waits here: time moves only when it is told to.
    async fn known(&self, place: &Place, _: Timestamp, _: Deadline) -> Option<Known> {
        self.call(Call::KnownGood, |state| state.known_good.of(place)).await.ok()
    }

    fn save(&self, memories: Vec<Remembered>) {
        for memory in memories {
            let save = |state: &mut State| state.known_good.save(memory);
            // Whoever hears of a failure can do nothing about it.
            let _heard = self.take_effect(Call::SaveGood, save);
        }
    }

    async fn refuse(&self, user: &User, at: Timestamp, _: Deadline) -> bool {
        let mark = |state: &mut State| forward(state.known_good.refused.entry(user.clone()), at);
        self.call(Call::MarkRefused, mark).await.is_ok()
    }

    async fn revoke(&self, sub: &Sub, at: Timestamp) -> Result<(), OurFault> {
        let mark = |state: &mut State| forward(state.known_good.revoked.entry(sub.clone()), at);
        self.call(Call::MarkRevoked, mark).await.map_err(|Failed| OurFault::KnownGood)
    }
}

impl KnownGood {
    fn of(&self, place: &Place) -> Known {
        Known {
            good: self.goods.get(place).cloned(),
            refused_at: self.refused.get(&place.user).copied(),
            revoked_at: self.revoked.get(&place.user.sub).copied(),
        }
    }

    fn save(&mut self, memory: Remembered) {
        let Remembered { place, good, .. } = memory;
        match self.goods.entry(place) {
            Entry::Occupied(mut there) if there.get().at < good.at => {
                there.insert(good);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(good);
            }
        }
    }
}

fn forward<K: Ord>(mark: Entry<'_, K, Timestamp>, at: Timestamp) {
    let there = mark.or_insert(at);
    *there = at.max(*there);
}
