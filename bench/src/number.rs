//! Counts as the floating-point numbers that ratios are made of.

/// A count, far below the 2^52 up to which it is exact.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "what is counted here is far below 2^52")]
pub const fn float(count: u64) -> f64 {
    count as f64
}

/// The same, of things in memory.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "what is counted here is far below 2^52")]
pub const fn length(count: usize) -> f64 {
    count as f64
}

/// KiB as MiB.
#[must_use]
pub fn mib(kib: u64) -> f64 {
    float(kib) / 1_024.0
}
