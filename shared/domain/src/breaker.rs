//! The breaker of a subscription: closed, open, half-open; and what follows from where it stands.
//!
//! A target that is down is left alone: its deliveries are held, and no attempt of theirs is
//! burnt. When the breaker has been open for a while, one delivery's next attempt is let through
//! as a probe; its success closes the breaker, and what is held drains, slowly at first. A probe is
//! an attempt like any other, on its delivery's own schedule: one that fails is charged.
//!
//! ```text
//!            5 failures in a row, or 70 % of 10 and more in 5 min
//!   closed ──────────────────────────────────────────────────────► open
//!     ▲                                              probe fails ▲   │ its time is over:
//!     │ probe succeeds                          (twice the time) │   ▼ one probe
//!     └────────────────────────────────────────────────────── half-open ─┐
//!                                     the prober is gone: another probe ▲─┘
//! ```
//!
//! Everything here is arithmetic on one value, at a [`Tempo`]: deliveries can wait for a target,
//! logins cannot. A delivery's breaker is shared between execution environments as an item of the
//! ledger's table, written by compare-and-set on its revision; what an environment remembers of it
//! stands in [`memory`]. A subscription that never fails has no such item, and nothing is read or
//! written for it. Logins have breakers of their own (`enrich::gate`): nothing is held by them.

mod key;
pub mod memory;
mod ports;

use serde::{Deserialize, Serialize};

use crate::limits::{
    BREAKER_DISABLE_AFTER_MS, BREAKER_DISABLE_OPENINGS_MIN, BREAKER_FAILURES_MAX,
    BREAKER_LINGER_MS, BREAKER_WINDOW_ATTEMPTS_MIN, BREAKER_WINDOW_FAILURES_MIN_PERCENT,
    BREAKER_WINDOW_MS, DRAIN_RELEASE_MAX, DRAIN_RELEASE_START,
};
use crate::time::Timestamp;

pub use key::BreakerKey;
pub use ports::{BreakerWrite, Ports};

/// Where a subscription's breaker stands. The default is closed, with nothing to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Breaker {
    /// Closed, open or half-open.
    pub phase: Phase,
    /// Since when nothing but failures was told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// When the sweeper is to look at it; `None` when there is nothing for it to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_at: Option<Timestamp>,
    /// Changes with every write; 0 has never been written, and the first is a moment, so that none
    /// of a breaker that was forgotten comes again.
    pub revision: u64,
}

/// The three phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Phase {
    /// Attempts are made.
    Closed {
        /// Failures in a row.
        failures: u32,
        /// What was told of lately.
        window: Window,
        /// Since when held deliveries are being released; `None` when there are none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        draining_since: Option<Timestamp>,
    },
    /// No attempt is made.
    Open {
        /// Before this.
        until: Timestamp,
        /// How often it has opened in a row.
        openings: u32,
    },
    /// One attempt is being made, as a probe.
    HalfOpen {
        /// When the prober has ended, or is gone.
        probe_until: Timestamp,
        /// How often it has opened in a row.
        openings: u32,
    },
}

/// Attempts told of since a moment, for the share of those that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    began_at: Timestamp,
    attempts: u32,
    failures: u32,
}

/// How long a breaker's phases last. What opens it is the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tempo {
    /// How long it is open at first, in milliseconds; doubled with every probe that fails.
    pub open_ms: u64,
    /// The longest it is open before the next probe, in milliseconds.
    pub open_max_ms: u64,
    /// When a prober that has not been heard of is gone, in milliseconds.
    pub probe_ms: u64,
}

/// Whether an attempt may be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Pass,
    /// It may not: a delivery is held, a login goes by its policy.
    Hold,
    /// It may, as the probe, for whoever writes this.
    Probe(Breaker),
}

/// A change that operators hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Too many failures, or a failed probe: no attempt is made.
    Opened {
        /// Before this nothing is tried.
        until: Timestamp,
        /// How often it has opened in a row.
        openings: u32,
    },
    /// A probe succeeded: attempts are made again, and held deliveries drain.
    Closed,
}

/// What the sweeper does about a breaker whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Wake one delivery: it will be the probe.
    Probe,
    /// Wake at most this many, those held longest first.
    Drain(usize),
}

impl Default for Phase {
    fn default() -> Self {
        Self::Closed { failures: 0, window: Window::EMPTY, draining_since: None }
    }
}

impl Phase {
    /// `closed`, `open` or `half_open`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
        }
    }
}

impl Window {
    /// One that begins with the next failure: it was over long ago.
    const EMPTY: Self = Self { began_at: Timestamp::from_ms(0), attempts: 0, failures: 0 };

    /// With this many more attempts that succeeded, and then one that failed.
    fn with_failure(self, successes: u32, now: Timestamp) -> Self {
        // A clock that jumped back begins anew, too.
        let is_over = now < self.began_at || now.since_ms(self.began_at) >= BREAKER_WINDOW_MS;
        let base = if is_over { Self { began_at: now, attempts: 0, failures: 0 } } else { self };
        Self {
            began_at: base.began_at,
            attempts: base.attempts.saturating_add(successes).saturating_add(1),
            failures: base.failures.saturating_add(1),
        }
    }

    fn is_bad(self) -> bool {
        let percent = u64::from(self.failures) * 100;
        self.attempts >= BREAKER_WINDOW_ATTEMPTS_MIN
            && percent >= u64::from(self.attempts) * BREAKER_WINDOW_FAILURES_MIN_PERCENT
    }
}

impl Breaker {
    /// Whether an attempt may be made now.
    #[must_use]
    pub fn admits(&self, now: Timestamp, tempo: Tempo) -> Admission {
        match self.phase {
            Phase::Closed { .. } => Admission::Pass,
            // A moment that nobody can have meant is over.
            Phase::Open { until, .. } if now < until && until <= tempo.latest(now) => {
                Admission::Hold
            }
            Phase::HalfOpen { probe_until, .. }
                if now < probe_until && probe_until <= tempo.latest(now) =>
            {
                Admission::Hold
            }
            Phase::Open { openings, .. } | Phase::HalfOpen { openings, .. } => {
                let probe_until = now.plus_ms(tempo.probe_ms);
                let phase = Phase::HalfOpen { probe_until, openings };
                Admission::Probe(self.next(phase, self.failing_since, Some(probe_until), now))
            }
        }
    }

    /// After an attempt failed, and this many others had succeeded before that nobody was told of.
    /// `None` when it changes nothing: the breaker is open already.
    #[must_use]
    pub fn failed(&self, successes: u32, now: Timestamp, tempo: Tempo) -> Option<Self> {
        let Phase::Closed { failures, window, draining_since } = self.phase else { return None };
        let is_unbroken = successes == 0;
        let failures = if is_unbroken { failures.saturating_add(1) } else { 1 };
        let window = window.with_failure(successes, now);
        let failing_since = self.failing_since.filter(|_| is_unbroken).or(Some(now));
        if failures >= BREAKER_FAILURES_MAX || window.is_bad() {
            let until = now.plus_ms(tempo.open_ms);
            let phase = Phase::Open { until, openings: 1 };
            return Some(self.next(phase, failing_since, Some(until), now));
        }
        let phase = Phase::Closed { failures, window, draining_since };
        Some(self.next(phase, failing_since, self.check_at, now))
    }

    /// After an attempt succeeded. `None` when it changes nothing that is worth a write.
    #[must_use]
    pub fn succeeded(&self, now: Timestamp) -> Option<Self> {
        match self.phase {
            Phase::Closed { failures: 1.., window, draining_since } => {
                let window = Window { attempts: window.attempts.saturating_add(1), ..window };
                let phase = Phase::Closed { failures: 0, window, draining_since };
                Some(self.next(phase, None, self.check_at, now))
            }
            // An attempt that had begun before it opened says nothing about now.
            Phase::Closed { .. } | Phase::Open { .. } | Phase::HalfOpen { .. } => None,
        }
    }

    /// After a probe succeeded. `None` when another prober has taken over.
    #[must_use]
    pub fn probe_succeeded(&self, probe: &Self, now: Timestamp) -> Option<Self> {
        self.is_probed_by(probe).then(|| self.draining(now))
    }

    /// After a probe failed. `None` when another prober has taken over.
    #[must_use]
    pub fn probe_failed(&self, probe: &Self, now: Timestamp, tempo: Tempo) -> Option<Self> {
        let Phase::HalfOpen { openings, .. } = self.phase else { return None };
        if !self.is_probed_by(probe) {
            return None;
        }
        let until = now.plus_ms(tempo.open_after_ms(openings));
        let phase = Phase::Open { until, openings: openings.saturating_add(1) };
        Some(self.next(phase, self.failing_since, Some(until), now))
    }

    /// After it was found that nothing can be attempted any more: what is held is let go, to become
    /// dead letters. `None` when nothing is held.
    #[must_use]
    pub fn let_go(&self, now: Timestamp) -> Option<Self> {
        match self.phase {
            Phase::Closed { .. } => None,
            Phase::Open { .. } | Phase::HalfOpen { .. } => Some(self.draining(now)),
        }
    }

    /// Since when nothing but failures was told of, when that is five days ago and many probes
    /// have failed: nobody waits for this target any more.
    #[must_use]
    pub fn hopeless_since(&self, now: Timestamp) -> Option<Timestamp> {
        let openings = match self.phase {
            Phase::Closed { .. } => return None,
            Phase::Open { openings, .. } | Phase::HalfOpen { openings, .. } => openings,
        };
        let is_hopeless = |since: &Timestamp| {
            now.since_ms(*since) >= BREAKER_DISABLE_AFTER_MS
                && openings >= BREAKER_DISABLE_OPENINGS_MIN
        };
        self.failing_since.filter(is_hopeless)
    }

    /// What stands in for an item that cannot be read: closed, to be looked at by the sweeper, since
    /// it may hold deliveries.
    #[must_use]
    pub fn unreadable(revision: u64) -> Self {
        Self { check_at: Some(Timestamp::from_ms(0)), revision, ..Self::default() }
    }

    /// What the step from here to `next` is, for those who want to hear of it.
    #[must_use]
    pub fn change_to(&self, next: &Self) -> Option<Change> {
        match (self.phase, next.phase) {
            (_, Phase::Open { until, openings }) => Some(Change::Opened { until, openings }),
            (Phase::HalfOpen { .. }, Phase::Closed { .. }) => Some(Change::Closed),
            (
                Phase::Closed { .. } | Phase::Open { .. } | Phase::HalfOpen { .. },
                Phase::Closed { .. } | Phase::HalfOpen { .. },
            ) => None,
        }
    }

    /// What the sweeper is to release now that the time of [`Self::check_at`] has come.
    #[must_use]
    pub fn release(&self, now: Timestamp) -> Option<Release> {
        if self.check_at.is_none_or(|at| now < at) {
            return None;
        }
        match self.phase {
            Phase::Open { .. } | Phase::HalfOpen { .. } => Some(Release::Probe),
            Phase::Closed { draining_since, .. } => {
                let age_ms = draining_since.map_or(0, |since| now.since_ms(since));
                Some(Release::Drain(drain_rate(age_ms)))
            }
        }
    }

    /// After the sweeper has released deliveries; `is_empty` when there was nothing more to
    /// release. `None` when nothing has been held for long: the item may go.
    ///
    /// A breaker with nothing held is looked at again after twice its age: a delivery may have been
    /// held late, by somebody with another clock, or seen late by an index that lags.
    #[must_use]
    pub fn released(&self, is_empty: bool, now: Timestamp) -> Option<Self> {
        let (phase, resting_since) = match self.phase {
            Phase::Closed { failures, window, draining_since } => {
                let since = draining_since.unwrap_or(now);
                (Phase::Closed { failures, window, draining_since: Some(since) }, since)
            }
            Phase::Open { until, .. } => (self.phase, until),
            Phase::HalfOpen { probe_until, .. } => (self.phase, probe_until),
        };
        let age_ms = if is_empty { now.since_ms(resting_since) } else { 0 };
        let check_at = now.plus_ms(age_ms.max(CHECK_EVERY_MS));
        let next = self.next(phase, self.failing_since, Some(check_at), now);
        (age_ms < BREAKER_LINGER_MS).then_some(next)
    }

    /// Whether there is nothing to tell of it that the default does not say.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let Phase::Closed { failures: 0, draining_since: None, .. } = self.phase else {
            return false;
        };
        true
    }

    fn is_probed_by(&self, probe: &Self) -> bool {
        matches!(self.phase, Phase::HalfOpen { .. }) && self.phase == probe.phase
    }

    fn draining(&self, now: Timestamp) -> Self {
        let phase = Phase::Closed { failures: 0, window: Window::EMPTY, draining_since: Some(now) };
        self.next(phase, None, Some(now), now)
    }

    fn next(
        &self,
        phase: Phase,
        failing_since: Option<Timestamp>,
        check_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let revision = if self.revision == 0 { now.as_ms() } else { self.revision + 1 };
        Self { phase, failing_since, check_at, revision }
    }
}

/// Once a tick of the sweeper, which comes every minute, or a little earlier.
const CHECK_EVERY_MS: u64 = 45_000;
const MINUTE_MS: u64 = 60_000;

impl Tempo {
    /// The latest end of a phase that can be meant, with some minutes for clocks that differ.
    fn latest(self, now: Timestamp) -> Timestamp {
        now.plus_ms(self.open_max_ms.max(self.probe_ms) + 10 * MINUTE_MS)
    }

    /// How long a breaker stays open that has opened this often already.
    fn open_after_ms(self, openings: u32) -> u64 {
        (self.open_ms << openings.min(16)).min(self.open_max_ms)
    }
}

/// How many held deliveries are released a minute, this long after the breaker closed: few at
/// first, twice as many each minute, up to a bound. Who has just come back is not run over.
fn drain_rate(age_ms: u64) -> usize {
    let minutes = usize::try_from(age_ms / MINUTE_MS).unwrap_or(usize::MAX).min(16);
    (DRAIN_RELEASE_START << minutes).min(DRAIN_RELEASE_MAX)
}

#[cfg(test)]
mod tests;
