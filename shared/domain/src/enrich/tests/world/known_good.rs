//! What the world remembers of users. Its table is the one of requests, as far as trouble goes.

use std::collections::BTreeMap;

use super::{State, World};
use crate::delivery::OurFault;
use crate::enrich::Ports as _;
use crate::enrich::last_known_good::{Known, Place, Ports, Remembered, User};
use crate::id::Sub;
use crate::time::{Deadline, Timestamp};

#[derive(Default)]
pub(super) struct KnownGood {
    pub(super) is_on: bool,
    goods: BTreeMap<Place, Remembered>,
    refused: BTreeMap<User, Timestamp>,
    revoked: BTreeMap<Sub, Timestamp>,
    reads: usize,
    /// Saves that have not landed.
    under_way: Vec<Remembered>,
    is_late: bool,
}

impl World {
    pub(in super::super) fn remember_good(&self, is_on: bool) {
        self.lock().known_good.is_on = is_on;
    }

    /// How often the table was read since this was last asked.
    pub(in super::super) fn reads(&self) -> usize {
        std::mem::take(&mut self.lock().known_good.reads)
    }

    /// Saves are under way until they [`land`](Self::land).
    pub(in super::super) fn delay_saves(&self) {
        self.lock().known_good.is_late = true;
    }

    pub(in super::super) fn land(&self) {
        let known_good = &mut self.lock().known_good;
        known_good.is_late = false;
        for remembered in std::mem::take(&mut known_good.under_way) {
            known_good.save(remembered);
        }
    }

    /// As delivery does it.
    pub(in super::super) fn revoke_user(&self, sub: &str, at: Timestamp) {
        let sub = Sub::parse(sub).expect("a user");
        assert_eq!(self.play(self.revoke(&sub, at)), Ok(()));
    }
}

impl KnownGood {
    fn save(&mut self, remembered: Remembered) {
        let at = remembered.good.at;
        if self.goods.get(&remembered.place).is_none_or(|there| there.good.at < at) {
            self.goods.insert(remembered.place.clone(), remembered);
        }
    }
}

impl Ports for World {
    async fn known(&self, place: &Place, from: Timestamp, by: Deadline) -> Option<Known> {
        let from = from.max(self.now());
        self.sleep_until(from).await;
        let read = |state: &mut State| {
            let known_good = &mut state.known_good;
            known_good.reads += 1;
            Known {
                good: known_good.goods.get(place).map(|remembered| remembered.good.clone()),
                refused_at: known_good.refused.get(&place.user).copied(),
                revoked_at: known_good.revoked.get(&place.user.sub).copied(),
            }
        };
        self.table_call(by, read).await
    }

    fn save(&self, remembered: Vec<Remembered>) {
        let known_good = &mut self.lock().known_good;
        for one in remembered {
            if known_good.is_late {
                known_good.under_way.push(one);
            } else {
                known_good.save(one);
            }
        }
    }

    async fn refuse(&self, user: &User, at: Timestamp, by: Deadline) -> bool {
        let mark = |state: &mut State| {
            let mark = state.known_good.refused.entry(user.clone()).or_insert(at);
            *mark = at.max(*mark);
        };
        self.table_call(by, mark).await.is_some()
    }

    async fn revoke(&self, sub: &Sub, at: Timestamp) -> Result<(), OurFault> {
        let mark = |state: &mut State| {
            let mark = state.known_good.revoked.entry(sub.clone()).or_insert(at);
            *mark = at.max(*mark);
        };
        self.table_call(Deadline::at(Timestamp::LAST), mark).await.ok_or(OurFault::KnownGood)
    }
}
