//! How much memory this process has resident, as Linux counts it; unknown elsewhere.

use std::fmt;

/// An amount of memory.
#[derive(Clone, Copy)]
pub(crate) struct Memory(Option<u64>);

impl Memory {
    /// Resident now.
    pub(crate) fn now() -> Self {
        Self(kib_of("VmRSS:"))
    }

    /// The most that was resident since [`Self::forget_peak`].
    pub(crate) fn peak() -> Self {
        Self(kib_of("VmHWM:"))
    }

    /// From now on, what was resident before counts no more
    /// (<https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html>).
    pub(crate) fn forget_peak() {
        // Where it cannot be written, it is not known either.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }

    /// How much more this is.
    pub(crate) fn above(self, before: Self) -> Self {
        Self(self.0.zip(before.0).map(|(now, before)| now.saturating_sub(before)))
    }
}

fn kib_of(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let value = status.lines().find_map(|it| it.strip_prefix(line))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(kib) => f.pad(&format!("{}.{} MiB", kib / 1_024, kib % 1_024 * 10 / 1_024)),
            None => f.pad("unknown"),
        }
    }
}
