//! The clock and the dice. The only module that reads either.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use domain::time::Timestamp;

/// The wall clock: what is compared across functions must come from one source, UTC epoch time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 is broken; zero makes everything stale and nothing late.
    let epoch_ms = since_epoch.map_or(0, |elapsed| elapsed.as_millis());
    Timestamp::from_ms(u64::try_from(epoch_ms).unwrap_or(u64::MAX))
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
