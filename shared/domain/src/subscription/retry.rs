//! How long and how often a subscription's target is tried. When, says `crate::retry`.

use super::row::{Row, RowProblem};
use crate::limits::{ATTEMPT_TIMEOUT_DEFAULT_MS, ATTEMPT_TIMEOUT_MAX_MS, ATTEMPT_TIMEOUT_MIN_MS};

/// A subscription's own limits for its deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// One attempt, in milliseconds.
    pub timeout_ms: u32,
    /// Attempts in all, where the subscription wants fewer than the schedule gives.
    pub attempts_max: Option<u32>,
}

impl RetryPolicy {
    pub(super) fn read(row: &mut Row) -> Result<Self, RowProblem> {
        let mut retry = row.object("retry")?.unwrap_or_default();
        let range = (ATTEMPT_TIMEOUT_MIN_MS, ATTEMPT_TIMEOUT_MAX_MS);
        let timeout_ms = retry.number("timeoutMs", range, "retry.timeoutMs", "500 to 15,000")?;
        let attempts_max = retry.number("attemptsMax", (1, 12), "retry.attemptsMax", "1 to 12")?;
        let timeout_ms = timeout_ms.unwrap_or(ATTEMPT_TIMEOUT_DEFAULT_MS);
        Ok(Self { timeout_ms, attempts_max })
    }
}
