//! Points in time as values. Nothing here reads a clock: "now" is always an argument.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
///
/// In JSON a number, as the ledger and the queue messages keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last moment of the year 9999: nothing that we keep is later.
    pub const LAST: Self = Self(253_402_300_799_999);

    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_ms(epoch_ms: u64) -> Self {
        Self(epoch_ms)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch: a JWT `NumericDate` (RFC 7519 §2).
    #[must_use]
    pub const fn as_s(self) -> u64 {
        self.0 / 1_000
    }

    /// Later by `ms`, never overflowing.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Earlier by `ms`, never before the epoch.
    #[must_use]
    pub const fn minus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// Milliseconds from `earlier` to here; 0 when `earlier` is the later one.
    #[must_use]
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads RFC 3339, for example `2026-11-23T10:00:00Z` or `…T11:00:00.250+01:00`.
    ///
    /// `None` for anything else, and for years before 1970.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(parsed.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    /// As RFC 3339 in UTC, to the millisecond; the last moment of the year 9999 for what is later.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let at_ms = i128::from(self.min(Self::LAST).0);
        let at = OffsetDateTime::from_unix_timestamp_nanos(at_ms * 1_000_000);
        let text = at.ok().and_then(|at| at.format(&Rfc3339).ok());
        text.unwrap_or_else(|| self.0.to_string())
    }
}

/// The last moment at which work may still be going on. Work that ends later did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Timestamp);

impl Deadline {
    /// At this very moment.
    #[must_use]
    pub const fn at(moment: Timestamp) -> Self {
        Self(moment)
    }

    /// The moment itself.
    #[must_use]
    pub const fn moment(self) -> Timestamp {
        self.0
    }

    /// Milliseconds left at `now`; 0 once it has passed.
    #[must_use]
    pub const fn left_ms(self, now: Timestamp) -> u64 {
        self.0.since_ms(now)
    }

    /// The earlier of the two.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        self.min(other)
    }

    /// What was complete at this moment, if that was before the deadline.
    #[must_use]
    pub fn in_time<T>(self, work: T, complete_at: Timestamp) -> Option<InTime<T>> {
        (self.left_ms(complete_at) > 0).then_some(InTime(work))
    }
}

/// What was complete before its deadline: [`Deadline::in_time`] is the only way to have one. Who
/// takes this and nothing else cannot count what came late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InTime<T>(T);

impl<T> InTime<T> {
    /// It.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// A look at it.
    pub const fn get(&self) -> &T {
        &self.0
    }
}

/// Lambda's deadline of an invocation, as the Runtime API gives it in epoch milliseconds.
///
/// `cargo lambda watch` always sends 600000, ten minutes past midnight of 1 January 1970. A
/// deadline that lies more than a day in the past therefore means "unknown", not "expired".
#[must_use]
pub fn invocation_deadline(lambda_deadline_ms: u64, now: Timestamp) -> Option<Deadline> {
    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
    let deadline = Timestamp::from_ms(lambda_deadline_ms);
    (now.since_ms(deadline) < DAY_MS).then_some(Deadline(deadline))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_is_read_to_the_millisecond() {
        let utc = Timestamp::parse_rfc3339("2026-11-23T10:00:00Z");
        assert_eq!(utc, Some(Timestamp::from_ms(1_795_428_000_000)));
        let offset = Timestamp::parse_rfc3339("2026-11-23T11:00:00.250+01:00");
        assert_eq!(offset, utc.map(|at| at.plus_ms(250)));
        for bad in ["", "2026-11-23", "2026-11-23 10:00", "1969-12-31T23:59:58Z", "tomorrow"] {
            assert_eq!(Timestamp::parse_rfc3339(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_moment_is_written_as_rfc3339_and_read_back_as_itself() {
        for ms in [0, 1_795_428_000_250, 253_402_300_799_999] {
            let moment = Timestamp::from_ms(ms);
            assert_eq!(Timestamp::parse_rfc3339(&moment.to_rfc3339()), Some(moment));
        }
        assert_eq!(Timestamp::from_ms(1_795_428_000_000).to_rfc3339(), "2026-11-23T10:00:00Z");
        assert_eq!(Timestamp::from_ms(u64::MAX).to_rfc3339(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_is_complete_at_its_deadline_or_later_is_not_there() {
        let deadline = Deadline::at(Timestamp::from_ms(100));
        let at = |ms| deadline.in_time("answer", Timestamp::from_ms(ms)).map(InTime::into_inner);
        assert_eq!([at(99), at(100), at(101)], [Some("answer"), None, None]);
    }

    #[test]
    fn a_deadline_in_1970_is_unknown_and_one_just_missed_is_not() {
        let now = Timestamp::from_ms(1_795_428_000_000);
        assert_eq!(invocation_deadline(600_000, now), None);
        assert_eq!(
            invocation_deadline(now.minus_ms(5).as_ms(), now).map(|d| d.left_ms(now)),
            Some(0)
        );
        assert_eq!(
            invocation_deadline(now.plus_ms(30_000).as_ms(), now).map(|d| d.left_ms(now)),
            Some(30_000)
        );
    }
}
