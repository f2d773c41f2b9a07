//! What this process has resident, as Linux counts it.

use std::fmt;

use crate::Failure;

/// An amount of memory, in KiB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Resident(u64);

impl Resident {
    /// Now. Only Linux says it in this way.
    pub(super) fn now() -> Result<Self, Failure> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmRSS")?;
        Ok(Self(kib.parse()?))
    }

    /// How far it is from another, either way, in per cent of that, rounded up.
    pub(super) fn drift_percent(self, before: Self) -> u64 {
        (self.0.abs_diff(before.0) * 100).div_ceil(before.0.max(1))
    }
}

impl fmt::Display for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} MiB", self.0 / 1_024, self.0 % 1_024 * 10 / 1_024)
    }
}
