//! The clock and the dice. The only module that reads either.

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
    Timestamp::from_ms(u64::try_from(epoch_ms).unwrap_or(u64::MAX))
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
