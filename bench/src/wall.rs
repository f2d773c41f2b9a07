//! The clocks that measure: moments that several processes of one machine compare, and spans.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Microseconds since the epoch.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "moments of several processes are compared")]
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A moment that spans are measured from.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "how long something takes is measured")]
pub fn now() -> Instant {
    Instant::now()
}
