//! When to try again: the schedule, its jitter and the target's own wish.

use crate::limits::QUEUE_DELAY_MAX_S;
use crate::time::Timestamp;

/// The stack's retry schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// The documented waits, then 1, 3, 6, 12, 24 and 24 hours: 12 attempts over about three days.
    Patient,
    /// The documented waits only (30, 60, 120, 300, 900 s): 6 attempts.
    Documented,
}

/// Seconds between one attempt and the next. The first five are the documented ones.
const WAITS_S: [u64; 11] = [30, 60, 120, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400];
const DOCUMENTED_ATTEMPTS: u32 = 6;

/// What a target asked for with `Retry-After`, in milliseconds from its reply on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RetryAfter(u64);

/// No wish of a target makes us wait longer than a day.
const RETRY_AFTER_MAX_MS: u64 = 24 * 60 * 60 * 1_000;

impl RetryAfter {
    /// Reads the header (RFC 9110 §10.2.3): seconds, or an HTTP date. `None` for anything else.
    #[must_use]
    pub fn parse(value: &str, now: Timestamp) -> Option<Self> {
        let value = value.trim();
        let wait_ms = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            // Digits beyond u64 mean "very long".
            value.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000)
        } else {
            let date = httpdate::parse_http_date(value).ok()?;
            let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
            let at = Timestamp::from_ms(u64::try_from(since_epoch.as_millis()).ok()?);
            at.since_ms(now)
        };
        Some(Self(wait_ms.min(RETRY_AFTER_MAX_MS)))
    }
}

/// A throw of the dice: any number, evenly distributed.
#[derive(Clone, Copy, Debug)]
pub struct Dice(pub u32);

impl Schedule {
    /// How many attempts it allows in all.
    #[must_use]
    pub const fn attempts_max(self) -> u32 {
        match self {
            Self::Patient => 12,
            Self::Documented => DOCUMENTED_ATTEMPTS,
        }
    }

    /// How long to wait after the attempt of this number (counted from 1), in milliseconds; `None`
    /// when it was the last one.
    ///
    /// The scheduled wait is moved by up to 20 % either way; chance alone does not move one that a
    /// queue message can carry beyond what it can carry. A `Retry-After` lengthens it, to at most
    /// twice the scheduled wait and at most 24 h; it never shortens it.
    #[must_use]
    pub fn wait_ms(self, attempt: u32, asked: Option<RetryAfter>, dice: Dice) -> Option<u64> {
        if attempt >= self.attempts_max() {
            return None;
        }
        let index = usize::try_from(attempt.checked_sub(1)?).ok()?;
        let base_ms = WAITS_S.get(index)? * 1_000;
        let spread_ms = base_ms * 2 / 5;
        let moved_ms =
            base_ms - spread_ms / 2 + spread_ms * u64::from(dice.0) / u64::from(u32::MAX);
        let carried_ms = u64::from(QUEUE_DELAY_MAX_S) * 1_000;
        let jittered_ms = if base_ms <= carried_ms { moved_ms.min(carried_ms) } else { moved_ms };
        let asked_ms = asked.map_or(0, |RetryAfter(ms)| ms.clamp(base_ms, base_ms * 2));
        let wait_ms = if asked_ms > base_ms { asked_ms.max(jittered_ms) } else { jittered_ms };
        Some(wait_ms.min(RETRY_AFTER_MAX_MS * 6 / 5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_documented_schedule_is_the_beginning_of_the_patient_one() {
        let waits = |schedule: Schedule| -> Vec<u64> {
            let wait = |attempt| schedule.wait_ms(attempt, None, Dice(u32::MAX / 2));
            (1..).map_while(wait).map(|ms| ms.div_ceil(1_000)).collect()
        };
        assert_eq!(waits(Schedule::Documented), [30, 60, 120, 300, 900]);
        assert_eq!(waits(Schedule::Patient), WAITS_S);
        assert_eq!(Schedule::Patient.wait_ms(0, None, Dice(0)), None);
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let now = Timestamp::from_ms(1_795_428_000_000);
        let read = |value: &str| RetryAfter::parse(value, now).map(|RetryAfter(ms)| ms);
        assert_eq!(read("120"), Some(120_000));
        assert_eq!(read("Mon, 23 Nov 2026 10:01:00 GMT"), Some(60_000));
        assert_eq!(read("Mon, 23 Nov 2020 10:01:00 GMT"), Some(0));
        assert_eq!(read(&"9".repeat(400)), Some(RETRY_AFTER_MAX_MS));
        for bad in ["", "-1", "1.5", "soon", "1e9", "٣"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_wait_stays_within_its_bounds(attempt in 1u32..12, dice: u32, asked in proptest::option::of(0u64..=u64::MAX)) {
            let asked = asked.map(|s| RetryAfter(s.min(RETRY_AFTER_MAX_MS)));
            let base_ms = WAITS_S[attempt as usize - 1] * 1_000;
            let wait_ms = Schedule::Patient.wait_ms(attempt, asked, Dice(dice));
            let wait_ms = wait_ms.expect("not the last attempt");
            prop_assert!(wait_ms >= base_ms * 4 / 5);
            prop_assert!(wait_ms <= base_ms * 2);
            if asked.is_none() {
                prop_assert!(wait_ms <= base_ms * 6 / 5);
            }
        }
    }
}
