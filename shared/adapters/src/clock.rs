//! The clock and the dice. The only module that reads either.

#[cfg(feature = "skip-time")]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use domain::time::{Deadline, Timestamp};

/// The wall clock: what is compared across functions must come from one source, UTC epoch time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 is broken; zero makes everything stale and nothing late.
    let epoch_ms = since_epoch.map_or(0, |elapsed| elapsed.as_millis());
    let now = Timestamp::from_ms(u64::try_from(epoch_ms).unwrap_or(u64::MAX));
    #[cfg(feature = "skip-time")]
    let now = now.plus_ms(SKIPPED_MS.load(Ordering::Relaxed));
    now
}

/// How far this process's clock is ahead of the machine's.
#[cfg(feature = "skip-time")]
static SKIPPED_MS: AtomicU64 = AtomicU64::new(0);

/// Moves this process's clock on. For the laptop, which skips time in which nothing happens; no
/// function that is deployed has it.
#[cfg(feature = "skip-time")]
pub fn skip_ms(ms: u64) {
    SKIPPED_MS.fetch_add(ms, Ordering::Relaxed);
}

/// What work came to, if it came to something by the deadline.
pub(crate) async fn within<T>(deadline: Deadline, work: impl Future<Output = T>) -> Option<T> {
    let left = Duration::from_millis(deadline.left_ms(now()));
    tokio::time::timeout(left, work).await.ok()
}

/// Fresh random octets.
///
/// # Panics
///
/// When the operating system has no randomness to give; nothing safe can be done then.
#[must_use]
pub fn dice<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    SystemRandom::new().fill(&mut octets).expect("the operating system gives randomness");
    octets
}
