//! When the keys are read again, and how long they are used when they cannot be. Pure: it is told
//! the time, and what a read has come to.

use std::sync::Arc;
use std::time::Duration;

use domain::limits::{SIGNING_KEYS_REFRESH_MS, SIGNING_KEYS_STALE_MS};
use domain::time::Timestamp;

use super::SigningKeys;

/// After a failed refresh the keys we have are used on, and the secret is asked again this much later.
const REFRESH_AFTER_FAILURE_MS: u64 = 30 * 1_000;

/// How long a refresh may take while there are keys to go on with.
const REFRESH_PATIENCE: Duration = Duration::from_millis(300);

/// How long the first read may take; and how long its failure is remembered, so that the hundred
/// deliveries of a batch do not each wait for the same outage.
const FIRST_READ_PATIENCE: Duration = Duration::from_millis(1_500);
/// See [`FIRST_READ_PATIENCE`].
const FIRST_READ_AFTER_FAILURE_MS: u64 = 1_000;

/// What is known of the keys.
pub(super) struct Memory<K = SigningKeys> {
    known: Option<Known<K>>,
    asked_at: Timestamp,
    ask_at: Timestamp,
}

struct Known<K> {
    keys: Arc<K>,
    read_at: Timestamp,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on with what is known, be it nothing.
    GoOn,
    /// Read the secret, for this long at most.
    Read(Duration),
}

impl<K> Memory<K> {
    /// Nothing is known, and it is time to ask.
    pub(super) fn new() -> Self {
        let never = Timestamp::from_ms(0);
        Self { known: None, asked_at: never, ask_at: never }
    }

    /// Whether it is time to read the secret. Whoever is told to, and is cancelled in the middle of
    /// it, has asked for all while there are keys.
    pub(super) fn step(&mut self, now: Timestamp) -> Step {
        if self.known.as_ref().is_some_and(|known| is_stale(known.read_at, now)) {
            self.known = None;
        }
        // A clock that jumped back makes it time to.
        if self.asked_at <= now && now < self.ask_at {
            return Step::GoOn;
        }
        if self.known.is_none() {
            return Step::Read(FIRST_READ_PATIENCE);
        }
        (self.asked_at, self.ask_at) = (now, now.plus_ms(REFRESH_AFTER_FAILURE_MS));
        Step::Read(REFRESH_PATIENCE)
    }

    /// Keys that were asked for at this moment.
    pub(super) fn learn(&mut self, keys: K, asked_at: Timestamp) {
        self.known = Some(Known { keys: Arc::new(keys), read_at: asked_at });
        (self.asked_at, self.ask_at) = (asked_at, asked_at.plus_ms(SIGNING_KEYS_REFRESH_MS));
    }

    /// They could not be read, or are none. From `now`: the read may have taken longer than its
    /// failure is remembered.
    pub(super) fn fail(&mut self, now: Timestamp) {
        if self.known.is_none() {
            (self.asked_at, self.ask_at) = (now, now.plus_ms(FIRST_READ_AFTER_FAILURE_MS));
        }
    }

    /// The keys to use.
    pub(super) fn keys(&self) -> Option<Arc<K>> {
        self.known.as_ref().map(|known| Arc::clone(&known.keys))
    }
}

/// What was read so long ago may be published no more.
fn is_stale(read_at: Timestamp, now: Timestamp) -> bool {
    read_at.plus_ms(SIGNING_KEYS_STALE_MS) <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_428_000_000);

    /// Asks at these moments, in milliseconds from now, of a secret that says this, or nothing.
    fn ask(memory: &mut Memory<&'static str>, at_ms: u64, says: Option<&'static str>) -> bool {
        let now = NOW.plus_ms(at_ms);
        let is_read = memory.step(now) != Step::GoOn;
        match says {
            Some(keys) if is_read => memory.learn(keys, now),
            None if is_read => memory.fail(now),
            Some(_) | None => {}
        }
        is_read
    }

    fn known(memory: &Memory<&'static str>) -> Option<&'static str> {
        memory.keys().map(|keys| *keys)
    }

    #[test]
    fn keys_are_read_at_the_first_need_and_every_five_minutes() {
        let mut memory = Memory::new();
        assert_eq!(memory.step(NOW), Step::Read(FIRST_READ_PATIENCE));
        memory.learn("a", NOW);
        assert!(!ask(&mut memory, 299_999, Some("b")));
        assert_eq!(known(&memory), Some("a"));
        assert_eq!(memory.step(NOW.plus_ms(300_000)), Step::Read(REFRESH_PATIENCE));
        memory.learn("b", NOW.plus_ms(300_000));
        assert_eq!(known(&memory), Some("b"));
        assert!(!ask(&mut memory, 599_999, None));
    }

    #[test]
    fn a_refresh_that_fails_leaves_the_keys_and_is_repeated_after_half_a_minute() {
        let mut memory = Memory::new();
        assert!(ask(&mut memory, 0, Some("a")));
        assert!(ask(&mut memory, 300_000, None));
        assert!(!ask(&mut memory, 329_999, None));
        assert!(ask(&mut memory, 330_000, None));
        assert_eq!(known(&memory), Some("a"));
        // Cancelled: nobody says what came of it, and nobody asks again at once.
        assert_eq!(memory.step(NOW.plus_ms(360_000)), Step::Read(REFRESH_PATIENCE));
        assert_eq!(memory.step(NOW.plus_ms(360_001)), Step::GoOn);
        assert!(ask(&mut memory, 390_000, Some("b")));
        assert_eq!(known(&memory), Some("b"));
    }

    #[test]
    fn keys_that_could_not_be_read_for_a_day_sign_no_more() {
        let mut memory = Memory::new();
        assert!(ask(&mut memory, 0, Some("a")));
        let mut at_ms = 300_000;
        while at_ms < SIGNING_KEYS_STALE_MS {
            ask(&mut memory, at_ms, None);
            assert_eq!(known(&memory), Some("a"), "{at_ms}");
            at_ms += 30_000;
        }
        assert!(ask(&mut memory, SIGNING_KEYS_STALE_MS, None));
        assert_eq!(known(&memory), None);
        assert!(ask(&mut memory, SIGNING_KEYS_STALE_MS + 1_000, Some("b")));
        assert_eq!(known(&memory), Some("b"));
    }

    #[test]
    fn without_keys_a_failure_is_remembered_for_a_second() {
        let mut memory = Memory::new();
        assert!(ask(&mut memory, 0, None));
        assert!(!ask(&mut memory, 999, None));
        assert!(ask(&mut memory, 1_000, None));
        assert_eq!(known(&memory), None);
    }

    #[test]
    fn a_clock_that_jumped_back_does_not_keep_old_keys() {
        let mut memory = Memory::new();
        assert!(ask(&mut memory, 3_600_000, Some("a")));
        assert!(ask(&mut memory, 0, Some("b")));
        assert_eq!(known(&memory), Some("b"));
    }
}
