//! `Retry-After`, as a target says it: seconds or a date. A46.
//!
//! An attack is eight octets of a moment, and the header's value. A wish in seconds is taken at its
//! word, up to a day; a date as far as it lies ahead, up to a day; and whatever is wished, the next
//! attempt comes neither sooner than the schedule has it nor later than twice that.

use domain::retry::{Dice, RetryAfter, Schedule};
use domain::time::Timestamp;
use testkit::answers::fuzz::Broken;
use testkit::samples::START;

use crate::{Corpus, Target, Verdict, broken, must};

/// See the module's head.
pub(super) struct AskedWait {
    corpus: Corpus,
}

const VALUES: [&str; 24] = [
    "0",
    "120",
    "86400",
    "86401",
    "1e9",
    "-1",
    "+1",
    "1.5",
    "soon",
    "",
    " 60 ",
    "٣",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775808",
    "Mon, 23 Nov 2026 10:01:00 GMT",
    "Mon, 23 Nov 2026 09:59:59 GMT",
    "Monday, 23-Nov-26 10:01:00 GMT",
    "Mon Nov 23 10:01:00 2026",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Sun, 29 Feb 2032 12:00:00 GMT",
    "Mon, 23 Nov 2026 10:01:00 +0100",
    "Mon, 32 Nov 2026 25:61:61 GMT",
];

const WORDS: [&str; 30] = [
    "0",
    "1",
    "9",
    "60",
    "86400",
    "99999999999999999999",
    "-",
    "+",
    ".",
    ",",
    ":",
    " ",
    "\t",
    "GMT",
    "UTC",
    "Mon",
    "Tue",
    "Sunday",
    "Feb",
    "29",
    "30",
    "31",
    "2026",
    "2027",
    "2032",
    "1969",
    "10000",
    "24",
    "60",
    "\u{0}",
];

const DAY_S: u64 = 24 * 60 * 60;

impl AskedWait {
    pub(super) fn new() -> Self {
        let at = |now: Timestamp, value: &str| {
            [now.as_ms().to_le_bytes().as_slice(), value.as_bytes()].concat()
        };
        let seeds = VALUES.iter().flat_map(|value| [at(START, value), at(Timestamp::LAST, value)]);
        Self { corpus: Corpus::new(seeds, WORDS) }
    }
}

impl Target for AskedWait {
    fn name(&self) -> &'static str {
        "retry_after"
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        let (moment, value) = octets.split_at(octets.len().min(8));
        let moment = <[u8; 8]>::try_from(moment).map_or(START.as_ms(), u64::from_le_bytes);
        let now = Timestamp::from_ms(moment);
        let Ok(value) = std::str::from_utf8(value) else { return Ok("not UTF-8".into()) };
        let asked = RetryAfter::parse(value, now);
        check_waits(asked)?;
        let trimmed = value.trim();
        let is_seconds = !trimmed.is_empty() && trimmed.bytes().all(|it| it.is_ascii_digit());
        let Some(asked) = asked else {
            must(!is_seconds, "seconds were not understood")?;
            return Ok("not understood".into());
        };
        must(Some(asked) <= seconds(DAY_S), "more than a day")?;
        if is_seconds {
            let said = trimmed.parse::<u64>().unwrap_or(u64::MAX).min(DAY_S);
            must(Some(asked) == seconds(said), "other seconds than were said")?;
            return Ok("taken: seconds".into());
        }
        if let Some(at_s) = imf_fixdate(trimmed) {
            let ahead_ms = (at_s * 1_000).saturating_sub(now.as_ms());
            let (least, most) = (ahead_ms / 1_000, ahead_ms.div_ceil(1_000));
            let is_right =
                Some(asked) >= seconds(least.min(DAY_S)) && Some(asked) <= seconds(most.min(DAY_S));
            must(is_right, "another moment than was said")?;
            return Ok("taken: a date".into());
        }
        let is_date = trimmed.len() >= 24 && trimmed.is_ascii();
        must(is_date, "what is neither seconds nor a date was taken")?;
        Ok("taken: a date of another form".into())
    }
}

/// The wish for so many seconds.
fn seconds(s: u64) -> Option<RetryAfter> {
    RetryAfter::parse(&s.to_string(), START)
}

/// Whatever is asked, each wait lies within the schedule's bounds.
fn check_waits(asked: Option<RetryAfter>) -> Result<(), Broken> {
    for attempt in 0..=Schedule::Patient.attempts_max() {
        for dice in [0, u32::MAX / 2, u32::MAX] {
            let plain = Schedule::Patient.wait_ms(attempt, None, Dice(u32::MAX / 2));
            match (plain, Schedule::Patient.wait_ms(attempt, asked, Dice(dice))) {
                (None, None) => {}
                (Some(plain), Some(wait)) => {
                    // Dice in the middle are half a unit short of it.
                    let base = plain + 1;
                    must(wait >= base / 5 * 4 && wait <= base * 2, "a wait out of bounds")?;
                }
                (Some(_), None) | (None, Some(_)) => return broken("another number of attempts"),
            }
        }
    }
    Ok(())
}

/// The seconds since the epoch of a date in the preferred form (RFC 9110 §5.6.7) and of the years
/// in which everybody agrees; `None` of any other text.
fn imf_fixdate(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let is_shaped = text.is_ascii() && text.len() == 29 && text.ends_with(" GMT");
    let number = |from: usize, digits: usize| -> Option<u64> {
        let digits = text.get(from..from + digits)?;
        digits.bytes().all(|it| it.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    if !is_shaped {
        return None;
    }
    let month = MONTHS.iter().position(|month| Some(*month) == text.get(8..11))?;
    let (day, year) = (number(5, 2)?, number(12, 4)?);
    let (h, m, s) = (number(17, 2)?, number(20, 2)?, number(23, 2)?);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days_of = |month: usize| match month {
        1 => 28 + u64::from(is_leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    if !(1970..=9999).contains(&year)
        || !(1..=days_of(month)).contains(&day)
        || h > 23
        || m > 59
        || s > 59
    {
        return None;
    }
    let of_years: u64 = (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum();
    let days = of_years + (0..month).map(days_of).sum::<u64>() + day - 1;
    let weekday = DAYS.iter().position(|name| Some(*name) == text.get(..3))?;
    let is_its_day = usize::try_from(days % 7).is_ok_and(|rest| rest == weekday);
    is_its_day.then_some(days * 86_400 + h * 3_600 + m * 60 + s)
}
