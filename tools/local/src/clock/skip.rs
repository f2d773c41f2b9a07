//! How far the clock may be moved on: arithmetic on what is known.

use std::time::Duration;

use super::TimeScale;

/// How far to move the clock on, in milliseconds, after so much real time in which nobody worked;
/// `until_due_ms` is how far away the next thing is that is due.
pub(super) fn skip_ms(elapsed: Duration, until_due_ms: Option<u64>, scale: TimeScale) -> u64 {
    // The clock has moved on by itself for as long as it took.
    let more = elapsed.saturating_mul(scale.get() - 1);
    let more_ms = u64::try_from(more.as_millis()).unwrap_or(u64::MAX);
    until_due_ms.map_or(more_ms, |until_due_ms| more_ms.min(until_due_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(elapsed_ms: u64, until_due_ms: Option<u64>, scale: &str) -> u64 {
        let scale = scale.parse().expect("a scale");
        skip_ms(Duration::from_millis(elapsed_ms), until_due_ms, scale)
    }

    #[test]
    fn waiting_is_shortened_by_the_scale() {
        assert_eq!(skip(10, None, "60"), 590);
        assert_eq!(skip(10, Some(60_000), "3600"), 35_990);
        assert_eq!(skip(0, None, "3600"), 0);
    }

    #[test]
    fn at_real_speed_nothing_is_skipped() {
        assert_eq!(skip(10, None, "1"), 0);
    }

    #[test]
    fn what_is_due_next_is_not_skipped() {
        assert_eq!(skip(10, Some(30_000), "3600"), 30_000);
        assert_eq!(skip(10, Some(1), "3600"), 1);
        assert_eq!(skip(10, Some(0), "3600"), 0, "it is due");
    }
}
