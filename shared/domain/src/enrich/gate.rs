//! The breakers in the path of a login: whether a target may be asked, and what that teaches.
//!
//! The model is delivery's (`breaker`), at another tempo. While a breaker is open, nobody waits for
//! its target: the policy answers at once. Half-open, one login asks, as the probe, and waits no
//! longer than it would have; the others take the policy until it is back.
//!
//! **Kept by each execution environment for itself**, and not in the ledger's table. A login does
//! not wait for a table; Lambda freezes what goes on after the answer, so a write has to be part of
//! the login's time, of which a failure has left nothing; and what opens and closes within seconds is
//! not worth telling through rows that are read every thirty. It costs this: Lambda gives an
//! environment one login at a time, so each finds out for itself, by five logins that take their
//! policy after their whole budget. Whoever wants them to share what they know gives
//! [`Breakers`] a second source where it admits: nothing else needs to change. Delivery's breakers
//! and their sweeper know nothing of these, as nothing is held by them.
//!
//! **What counts**: a failure is no reply in time, no connection, and a status that says trouble. Any
//! other reply is a success, whatever is in it: an answer that does not verify proves that
//! somebody answers, and if it opened a breaker, whoever can spoil answers could turn a block into
//! the policy's allow. A key set that cannot be had is no fault of the endpoint's. A question that
//! was abandoned, or that a hurried caller left too little time for, says nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::breaker::{Admission, Breaker, BreakerKey, Change};
use crate::limits::{BREAKERS_REMEMBERED_MAX, ENRICH_TEMPO};
use crate::time::Timestamp;

/// The breakers of targets that have failed. A target that never does costs nothing.
#[derive(Debug, Default)]
pub(super) struct Breakers(Mutex<HashMap<BreakerKey, Known>>);

#[derive(Debug, Default)]
struct Known {
    breaker: Breaker,
    /// Questions that succeeded since it last changed. The next failure tells it of them.
    successes: u32,
}

/// A question may be put. What came of it is to be told; when it is not, it was as good as not put.
pub(super) struct Pass<'a> {
    breakers: &'a Breakers,
    key: &'a BreakerKey,
    probe: Option<Probe>,
}

/// The one question that a half-open breaker lets through.
struct Probe {
    /// The breaker as it stood before.
    before: Breaker,
    /// And since.
    breaker: Breaker,
}

/// What a question teaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    /// The target is there.
    Succeeded,
    /// It is not, or has too much to do.
    Failed,
    /// Nothing about the target.
    Nothing,
}

impl Breakers {
    /// Whether a target may be asked now; `None` when its breaker is open, or another login is asking
    /// for all.
    pub(super) fn admit<'a>(&'a self, key: &'a BreakerKey, now: Timestamp) -> Option<Pass<'a>> {
        let mut all = self.lock();
        let probe = match all.get_mut(key) {
            None => None,
            Some(known) => match known.breaker.admits(now, ENRICH_TEMPO) {
                Admission::Pass => None,
                Admission::Hold => return None,
                Admission::Probe(breaker) => {
                    let before = std::mem::replace(&mut known.breaker, breaker.clone());
                    Some(Probe { before, breaker })
                }
            },
        };
        drop(all);
        Some(Pass { breakers: self, key, probe })
    }

    fn succeeded(&self, key: &BreakerKey, now: Timestamp) {
        let mut all = self.lock();
        let Some(known) = all.get_mut(key) else { return };
        match known.breaker.succeeded(now) {
            Some(next) => *known = Known { breaker: next, successes: 0 },
            None => known.successes = known.successes.saturating_add(1),
        }
    }

    fn failed(&self, key: &BreakerKey, now: Timestamp) -> Option<Change> {
        let mut all = self.lock();
        if all.len() >= BREAKERS_REMEMBERED_MAX && !all.contains_key(key) {
            all.clear();
        }
        let known = all.entry(key.clone()).or_default();
        let next = known.breaker.failed(known.successes, now, ENRICH_TEMPO)?;
        known.change_to(next)
    }

    fn probe_succeeded(&self, key: &BreakerKey, probe: &Breaker, now: Timestamp) -> Option<Change> {
        let mut all = self.lock();
        let known = all.get(key)?;
        let next = known.breaker.probe_succeeded(probe, now)?;
        let change = known.breaker.change_to(&next);
        // Nothing is held, so nothing drains: there is no more to remember.
        all.remove(key);
        change
    }

    fn probe_failed(&self, key: &BreakerKey, probe: &Breaker, now: Timestamp) -> Option<Change> {
        let mut all = self.lock();
        let known = all.get_mut(key)?;
        let next = known.breaker.probe_failed(probe, now, ENRICH_TEMPO)?;
        known.change_to(next)
    }

    /// A probe has not been made after all: the next login makes it.
    fn give_back(&self, key: &BreakerKey, probe: Probe) {
        if let Some(known) = self.lock().get_mut(key)
            && known.breaker == probe.breaker
        {
            known.breaker = probe.before;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BreakerKey, Known>> {
        // Held for a look-up only, and across no wait. A panic elsewhere does not spoil a view.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn change_to(&mut self, next: Breaker) -> Option<Change> {
        let change = self.breaker.change_to(&next);
        *self = Self { breaker: next, successes: 0 };
        change
    }
}

impl Pass<'_> {
    /// Tells the breaker what came of the question, and says what that has changed.
    pub(super) fn tell(mut self, lesson: Lesson, now: Timestamp) -> Option<Change> {
        let Self { breakers, key, .. } = self;
        match lesson {
            Lesson::Nothing => None,
            Lesson::Succeeded => {
                if let Some(probe) = self.probe.take() {
                    return breakers.probe_succeeded(key, &probe.breaker, now);
                }
                breakers.succeeded(key, now);
                None
            }
            Lesson::Failed => match self.probe.take() {
                Some(probe) => breakers.probe_failed(key, &probe.breaker, now),
                None => breakers.failed(key, now),
            },
        }
    }
}

/// Whoever drops the question, a race that is decided or an invocation that ends, blocks no probe.
impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Some(probe) = self.probe.take() {
            self.breakers.give_back(self.key, probe);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ClientId, SubscriptionId};
    use crate::scope::Scope;

    const T0: Timestamp = Timestamp::from_ms(1_795_428_000_000);

    fn key() -> BreakerKey {
        let scope = Scope::Client(ClientId::parse("c").expect("valid"));
        BreakerKey::new(&scope, &SubscriptionId::parse("s").expect("valid"))
    }

    fn told(breakers: &Breakers, lesson: Lesson, now: Timestamp) -> Option<Change> {
        breakers.admit(&key(), now).expect("admitted").tell(lesson, now)
    }

    /// A breaker that has just opened.
    fn open() -> Breakers {
        let breakers = Breakers::default();
        for _ in 0..4 {
            assert_eq!(told(&breakers, Lesson::Failed, T0), None);
        }
        let until = T0.plus_ms(ENRICH_TEMPO.open_ms);
        let opened = Change::Opened { until, openings: 1 };
        assert_eq!(told(&breakers, Lesson::Failed, T0), Some(opened));
        breakers
    }

    #[test]
    fn f24_five_failures_in_a_row_open_it_and_nothing_else_does() {
        let breakers = open();
        assert!(breakers.admit(&key(), T0).is_none());
        let breakers = Breakers::default();
        for _ in 0..9 {
            for _ in 0..4 {
                assert_eq!(told(&breakers, Lesson::Failed, T0), None);
            }
            for _ in 0..4 {
                assert_eq!(told(&breakers, Lesson::Succeeded, T0), None);
                assert_eq!(told(&breakers, Lesson::Nothing, T0), None);
            }
        }
    }

    #[test]
    fn f24_seven_of_ten_open_it_though_never_five_in_a_row() {
        let breakers = Breakers::default();
        let lesson = |n| if n % 3 == 2 { Lesson::Succeeded } else { Lesson::Failed };
        let opens_after = (0..100).position(|n| told(&breakers, lesson(n), T0).is_some());
        assert_eq!(opens_after, Some(9), "the tenth is the seventh that fails");
    }

    #[test]
    fn half_open_one_login_probes_and_the_others_take_the_policy() {
        let breakers = open();
        let later = T0.plus_ms(ENRICH_TEMPO.open_ms);
        let key = key();
        let probe = breakers.admit(&key, later).expect("the probe");
        assert!(breakers.admit(&key, later).is_none(), "one at a time");
        assert_eq!(probe.tell(Lesson::Succeeded, later), Some(Change::Closed));
        assert_eq!(told(&breakers, Lesson::Failed, later), None, "closed, with nothing to tell");
    }

    #[test]
    fn a_probe_that_fails_opens_it_for_longer() {
        let breakers = open();
        let later = T0.plus_ms(ENRICH_TEMPO.open_ms);
        let until = later.plus_ms(2 * ENRICH_TEMPO.open_ms);
        let opened = Change::Opened { until, openings: 2 };
        assert_eq!(told(&breakers, Lesson::Failed, later), Some(opened));
        assert!(breakers.admit(&key(), until.minus_ms(1)).is_none());
    }

    #[test]
    fn a_probe_that_is_dropped_or_says_nothing_is_made_by_the_next_login() {
        let breakers = open();
        let later = T0.plus_ms(ENRICH_TEMPO.open_ms);
        drop(breakers.admit(&key(), later).expect("the probe"));
        assert_eq!(told(&breakers, Lesson::Nothing, later), None);
        assert_eq!(told(&breakers, Lesson::Succeeded, later), Some(Change::Closed));
    }

    #[test]
    fn a_prober_that_was_replaced_changes_nothing() {
        let breakers = open();
        let later = T0.plus_ms(ENRICH_TEMPO.open_ms);
        let key = key();
        let lost = breakers.admit(&key, later).expect("the probe");
        let much_later = later.plus_ms(ENRICH_TEMPO.probe_ms);
        let current = breakers.admit(&key, much_later).expect("another probe");
        assert_eq!(lost.tell(Lesson::Succeeded, much_later), None);
        assert!(breakers.admit(&key, much_later).is_none());
        assert_eq!(current.tell(Lesson::Succeeded, much_later), Some(Change::Closed));
    }
}
