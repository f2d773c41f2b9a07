//! How many times as fast the clock runs, as `--time-scale` says it.

use std::fmt;
use std::str::FromStr;

/// A day passes in a second; beyond that the work alone sets the pace.
const SCALE_MAX: u32 = 100_000;

/// How many times as fast as the machine's clock time passes while nobody works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeScale(u32);

/// It is none.
#[derive(Debug, thiserror::Error)]
#[error("a time scale is a whole number from 1 (real speed) to {SCALE_MAX}")]
pub struct NoTimeScale;

impl TimeScale {
    /// The machine's own speed.
    pub const REAL: Self = Self(1);

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether it is the machine's own speed.
    #[must_use]
    pub fn is_real(self) -> bool {
        self == Self::REAL
    }
}

impl FromStr for TimeScale {
    type Err = NoTimeScale;

    fn from_str(text: &str) -> Result<Self, NoTimeScale> {
        let scale = text.parse().ok().filter(|scale| (1..=SCALE_MAX).contains(scale));
        scale.map(Self).ok_or(NoTimeScale)
    }
}

impl fmt::Display for TimeScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_a_whole_number_within_its_bounds() {
        for (text, scale) in [("1", 1), ("60", 60), ("3600", 3_600), ("100000", 100_000)] {
            assert_eq!(text.parse::<TimeScale>().expect(text).get(), scale);
        }
        for bad in ["0", "-1", "1.5", "100001", "", "fast", "99999999999999"] {
            let error = bad.parse::<TimeScale>().expect_err(bad);
            assert!(error.to_string().contains("from 1 (real speed) to 100000"), "{bad}");
        }
    }
}
