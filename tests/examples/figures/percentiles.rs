//! Percentiles of durations.

use std::time::Duration;

/// The smallest of these that `per_mille` of them do not exceed; zero of none.
pub(crate) fn percentile(of: &[Duration], per_mille: usize) -> Duration {
    let mut sorted = of.to_vec();
    sorted.sort();
    let rank = (sorted.len() * per_mille).div_ceil(1_000);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// A duration in milliseconds, to a hundredth.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
