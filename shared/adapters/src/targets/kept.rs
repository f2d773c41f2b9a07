//! Connections that are kept between requests.
//!
//! Lambda freezes an execution environment between two invocations, for minutes or hours. The other
//! end hangs up meanwhile, and where a load balancer or a NAT gateway forgets the connection, nobody
//! says so: a request on it would wait for nothing. So the age of a kept connection is taken by the
//! wall clock, which no freeze stops, when it is wanted and not by a timer; a timer sleeps as
//! long as its process does. One that looks young and is dead all the same shows it by its
//! first request: see [`super::failure::Progress`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::limits::{KEPT_CONNECTIONS_MAX, KEPT_IDLE_MAX_MS};
use domain::time::Timestamp;

/// Things that are kept, by origin; the latest is taken first.
pub(super) struct Kept<T>(Mutex<All<T>>);

struct All<T> {
    by_origin: HashMap<String, Vec<(Timestamp, T)>>,
    count: usize,
    swept_at: Timestamp,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        let swept_at = Timestamp::from_ms(0);
        Self(Mutex::new(All { by_origin: HashMap::new(), count: 0, swept_at }))
    }
}

impl<T> Kept<T> {
    /// The one that was used last, unless that is too long ago.
    pub(super) fn take(&self, origin: &str, now: Timestamp) -> Option<T> {
        let mut all = self.lock();
        let (since, kept) = all.by_origin.get_mut(origin)?.pop()?;
        all.count -= 1;
        if is_young(since, now) {
            return Some(kept);
        }
        // Those beneath it are older.
        let older = all.by_origin.remove(origin).map_or(0, |older| older.len());
        all.count -= older;
        None
    }

    /// Keeps one that has just been used. When there are too many, it goes.
    pub(super) fn put(&self, origin: &str, kept: T, now: Timestamp) {
        let mut all = self.lock();
        if now < all.swept_at || now.since_ms(all.swept_at) >= SWEEP_EVERY_MS {
            all.sweep(now);
        }
        if all.count < KEPT_CONNECTIONS_MAX {
            all.count += 1;
            all.by_origin.entry(origin.to_owned()).or_default().push((now, kept));
        }
    }

    fn lock(&self) -> MutexGuard<'_, All<T>> {
        // Held for a look-up only, and across no wait.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Between two looks at all that is kept.
const SWEEP_EVERY_MS: u64 = 1_000;

impl<T> All<T> {
    fn sweep(&mut self, now: Timestamp) {
        self.by_origin.retain(|_, kept| {
            kept.retain(|(since, _)| is_young(*since, now));
            !kept.is_empty()
        });
        self.count = self.by_origin.values().map(Vec::len).sum();
        self.swept_at = now;
    }
}

/// One from the future is of a clock that jumped back: nobody knows its age.
fn is_young(since: Timestamp, now: Timestamp) -> bool {
    now >= since && now.since_ms(since) < KEPT_IDLE_MAX_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::from_ms(1_795_428_000_000);

    #[test]
    fn f26_what_was_kept_over_a_freeze_is_not_used() {
        let kept = Kept::default();
        for name in ["old", "new"] {
            kept.put("https://a", name, T0);
        }
        let frozen_for_ms = 10 * 60 * 1_000;
        assert_eq!(kept.take("https://a", T0.plus_ms(frozen_for_ms)), None);
        assert_eq!(kept.take("https://a", T0), None, "nor is what was beneath it");
        kept.put("https://a", "fresh", T0);
        assert_eq!(kept.take("https://a", T0.minus_ms(1)), None, "of unknown age");
    }

    #[test]
    fn the_latest_is_taken_first_and_each_once_and_only_for_its_origin() {
        let kept = Kept::default();
        kept.put("https://a", 1, T0);
        kept.put("https://a", 2, T0.plus_ms(1));
        let now = T0.plus_ms(KEPT_IDLE_MAX_MS - 1);
        assert_eq!(kept.take("https://b", now), None);
        assert_eq!(kept.take("https://a", now), Some(2));
        assert_eq!(kept.take("https://a", now), Some(1));
        assert_eq!(kept.take("https://a", now), None);
    }

    #[test]
    fn they_are_bounded_and_those_that_nobody_wants_any_more_make_room() {
        let kept = Kept::default();
        for n in 0..KEPT_CONNECTIONS_MAX + 5 {
            kept.put(&format!("https://{n}"), n, T0);
        }
        assert_eq!(kept.lock().count, KEPT_CONNECTIONS_MAX);
        kept.put("https://late", 0, T0.plus_ms(KEPT_IDLE_MAX_MS));
        assert_eq!(kept.lock().count, 1);
        assert_eq!(kept.take("https://late", T0.plus_ms(KEPT_IDLE_MAX_MS)), Some(0));
        assert_eq!(kept.lock().count, 0);
    }
}
