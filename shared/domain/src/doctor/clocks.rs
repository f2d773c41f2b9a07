//! Clocks: this machine's, against what others say the time is.

use super::{Check, Finding, State};
use crate::limits::{CLOCK_OFF_MAX_MS, CLOCK_OFF_TOLD_MS};
use crate::time::Timestamp;

/// A question and its answer, with the answer's `Date`.
#[derive(Clone, Copy)]
pub struct Heard {
    /// When it was asked, by this machine's clock.
    pub asked_at: Timestamp,
    /// When the answer was there, by the same.
    pub heard_at: Timestamp,
    /// The time by the other's clock, cut off to whole seconds.
    pub date: Timestamp,
}

/// How far two clocks are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Apart {
    Ahead(u64),
    Behind(u64),
}

impl Heard {
    /// Of an answer with this `Date` (RFC 9110 §6.6.1); `None` where it is none.
    #[must_use]
    pub fn read(asked_at: Timestamp, heard_at: Timestamp, date: &str) -> Option<Self> {
        let date = httpdate::parse_http_date(date).ok()?;
        let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
        let date = Timestamp::from_ms(u64::try_from(since_epoch.as_millis()).ok()?);
        Some(Self { asked_at, heard_at, date })
    }

    /// The least that this machine's clock is off by: the other's second is a second wide, and the
    /// answer was under way.
    fn apart(&self) -> Apart {
        let ahead_ms = self.asked_at.since_ms(self.date.plus_ms(999));
        if ahead_ms > 0 {
            Apart::Ahead(ahead_ms)
        } else {
            Apart::Behind(self.date.since_ms(self.heard_at))
        }
    }
}

/// Judges this machine's clock by that of somebody else; `None` where nobody has said the time.
#[must_use]
pub fn judge(whose: &str, heard: Option<Heard>) -> Finding {
    let check = Check::Clocks;
    let Some(heard) = heard else {
        let advice = "see above why there was no answer";
        return check.finding(whose, State::Warning, "no answer said what the time is", advice);
    };
    let (off_ms, side) = match heard.apart() {
        Apart::Ahead(ms) => (ms, "ahead"),
        Apart::Behind(ms) => (ms, "behind"),
    };
    let said = format!("this machine's clock is {} s {side}", off_ms.div_ceil(1_000));
    let advice = "set this machine's clock, by NTP for example";
    if off_ms <= CLOCK_OFF_TOLD_MS {
        check.ok(whose, "this machine's clock tells the same time")
    } else if off_ms <= CLOCK_OFF_MAX_MS {
        check.finding(whose, State::Warning, said, advice)
    } else {
        let said = format!("{said}: AWS refuses what is signed five minutes off");
        check.finding(whose, State::Failed, said, advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_428_000_000);

    fn judged(date: Timestamp) -> (State, String) {
        let heard = Heard { asked_at: NOW, heard_at: NOW.plus_ms(300), date };
        let finding = judge("AWS", Some(heard));
        (finding.state, finding.said)
    }

    #[test]
    fn a_clock_is_off_by_no_less_than_it_must_be() {
        for date in [NOW, NOW.minus_ms(999), NOW.plus_ms(300)] {
            assert_eq!(judged(date).0, State::Ok);
        }
        assert_eq!(judged(NOW.minus_ms(999 + 5_000)).0, State::Ok);
        let ahead = judged(NOW.minus_ms(999 + 5_001));
        assert_eq!(ahead, (State::Warning, "this machine's clock is 6 s ahead".to_owned()));
        let behind = judged(NOW.plus_ms(300 + 60_000));
        assert_eq!(behind, (State::Warning, "this machine's clock is 60 s behind".to_owned()));
        for date in [NOW.minus_ms(999 + 300_001), NOW.plus_ms(300 + 300_001)] {
            let (state, said) = judged(date);
            assert!(state == State::Failed && said.contains("AWS refuses"), "{said}");
        }
    }

    #[test]
    fn dates_are_read_as_servers_write_them() {
        let read = |date| Heard::read(NOW, NOW, date).map(|heard| heard.date);
        assert_eq!(read("Mon, 23 Nov 2026 10:00:00 GMT"), Some(NOW));
        assert_eq!(read("yesterday"), None);
    }

    #[test]
    fn a_slow_answer_is_no_wrong_clock() {
        let heard =
            Heard { asked_at: NOW, heard_at: NOW.plus_ms(20_000), date: NOW.plus_ms(9_000) };
        assert_eq!(judge("AWS", Some(heard)).state, State::Ok);
        assert_eq!(judge("AWS", None).state, State::Warning);
    }
}
