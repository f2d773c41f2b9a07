//! Connections that are kept between requests.
//!
//! Lambda freezes an execution environment between two invocations, for minutes or hours. The other
//! end hangs up meanwhile, and where a load balancer or a NAT gateway forgets the connection, nobody
//! says so: a request on it would wait for nothing. So the age of a kept connection is taken by the
//! wall clock, which no freeze stops, when it is wanted and not by a timer; a timer sleeps as
//! long as its process does. One that looks young and is dead all the same shows it by its
//! first request.
//!
//! A kept connection goes to an address that was found, and to targets judged, when it was opened, and
//! to no other: using it again reaches nothing new, wherever its name leads by now. Some time after it
//! was opened it is used no more, so that a name that has moved is looked up again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::limits::KEPT_CONNECTIONS_MAX;
use domain::time::Timestamp;

/// Things that are kept, by origin; the latest is taken first.
pub(crate) struct Kept<T> {
    ages: Ages,
    all: Mutex<All<T>>,
}

/// How long one is kept.
#[derive(Clone, Copy)]
pub(crate) struct Ages {
    /// Without use.
    pub(crate) idle_max_ms: u64,
    /// At all, however busy it is.
    pub(crate) age_max_ms: u64,
}

struct All<T> {
    by_origin: HashMap<String, Vec<Entry<T>>>,
    count: usize,
    swept_at: Timestamp,
}

struct Entry<T> {
    opened_at: Timestamp,
    used_at: Timestamp,
    kept: T,
}

impl<T> Kept<T> {
    /// Nothing yet.
    pub(crate) fn new(ages: Ages) -> Self {
        let swept_at = Timestamp::from_ms(0);
        Self { ages, all: Mutex::new(All { by_origin: HashMap::new(), count: 0, swept_at }) }
    }

    /// The one that was used last of those that are young. What is too old goes.
    pub(crate) fn take(&self, origin: &str, now: Timestamp) -> Option<T> {
        let mut all = self.lock();
        loop {
            let entry = all.by_origin.get_mut(origin)?.pop()?;
            all.count -= 1;
            if entry.is_young(self.ages, now) {
                return Some(entry.kept);
            }
        }
    }

    /// Keeps one that has just been used. When there are too many, it goes.
    pub(crate) fn put(&self, origin: &str, kept: T, opened_at: Timestamp, now: Timestamp) {
        let mut all = self.lock();
        if now < all.swept_at || now.since_ms(all.swept_at) >= SWEEP_EVERY_MS {
            all.sweep(self.ages, now);
        }
        if all.count < KEPT_CONNECTIONS_MAX {
            all.count += 1;
            all.by_origin.entry(origin.to_owned()).or_default().push(Entry {
                opened_at,
                used_at: now,
                kept,
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, All<T>> {
        // Held for a look-up only, and across no wait.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Between two looks at all that is kept.
const SWEEP_EVERY_MS: u64 = 1_000;

impl<T> All<T> {
    fn sweep(&mut self, ages: Ages, now: Timestamp) {
        self.by_origin.retain(|_, kept| {
            kept.retain(|entry| entry.is_young(ages, now));
            !kept.is_empty()
        });
        self.count = self.by_origin.values().map(Vec::len).sum();
        self.swept_at = now;
    }
}

impl<T> Entry<T> {
    fn is_young(&self, ages: Ages, now: Timestamp) -> bool {
        is_within(self.used_at, ages.idle_max_ms, now)
            && is_within(self.opened_at, ages.age_max_ms, now)
    }
}

/// One from the future is of a clock that jumped back: nobody knows its age.
fn is_within(since: Timestamp, ms: u64, now: Timestamp) -> bool {
    now >= since && now.since_ms(since) < ms
}

#[cfg(test)]
mod tests {
    use domain::limits::{KEPT_AGE_MAX_MS, KEPT_IDLE_MAX_MS};

    use super::*;

    const T0: Timestamp = Timestamp::from_ms(1_795_428_000_000);

    fn none<T>() -> Kept<T> {
        Kept::new(Ages { idle_max_ms: KEPT_IDLE_MAX_MS, age_max_ms: KEPT_AGE_MAX_MS })
    }

    #[test]
    fn f26_what_was_kept_over_a_freeze_is_not_used() {
        let kept = none();
        for name in ["old", "new"] {
            kept.put("https://a", name, T0, T0);
        }
        let frozen_for_ms = 10 * 60 * 1_000;
        assert_eq!(kept.take("https://a", T0.plus_ms(frozen_for_ms)), None);
        assert_eq!(kept.take("https://a", T0), None, "nor is what was beneath it");
        kept.put("https://a", "fresh", T0, T0);
        assert_eq!(kept.take("https://a", T0.minus_ms(1)), None, "of unknown age");
    }

    #[test]
    fn the_latest_is_taken_first_and_each_once_and_only_for_its_origin() {
        let kept = none();
        kept.put("https://a", 1, T0, T0);
        kept.put("https://a", 2, T0, T0.plus_ms(1));
        let now = T0.plus_ms(KEPT_IDLE_MAX_MS - 1);
        assert_eq!(kept.take("https://b", now), None);
        assert_eq!(kept.take("https://a", now), Some(2));
        assert_eq!(kept.take("https://a", now), Some(1));
        assert_eq!(kept.take("https://a", now), None);
    }

    #[test]
    fn a14_a_connection_that_is_never_idle_is_used_for_a_minute_and_no_longer() {
        let kept = none();
        let mut now = T0;
        let mut uses = 0;
        kept.put("https://a", "first", T0, now);
        while kept.take("https://a", now).is_some() {
            uses += 1;
            kept.put("https://a", "first", T0, now);
            now = now.plus_ms(KEPT_IDLE_MAX_MS / 2);
        }
        assert_eq!(now.since_ms(T0), KEPT_AGE_MAX_MS);
        assert_eq!(uses, 6);
        assert_eq!(kept.lock().count, 0);
    }

    #[test]
    fn one_that_is_too_old_does_not_hide_a_younger_one() {
        let kept = none();
        let now = T0.plus_ms(KEPT_AGE_MAX_MS);
        kept.put("https://a", "younger", now.minus_ms(2), now.minus_ms(2));
        kept.put("https://a", "older", T0, now.minus_ms(1));
        assert_eq!(kept.take("https://a", now), Some("younger"));
    }

    #[test]
    fn they_are_bounded_and_those_that_nobody_wants_any_more_make_room() {
        let kept = none();
        for n in 0..KEPT_CONNECTIONS_MAX + 5 {
            kept.put(&format!("https://{n}"), n, T0, T0);
        }
        assert_eq!(kept.lock().count, KEPT_CONNECTIONS_MAX);
        kept.put("https://late", 0, T0, T0.plus_ms(KEPT_IDLE_MAX_MS));
        assert_eq!(kept.lock().count, 1);
        assert_eq!(kept.take("https://late", T0.plus_ms(KEPT_IDLE_MAX_MS)), Some(0));
        assert_eq!(kept.lock().count, 0);
    }
}
