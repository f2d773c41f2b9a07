//! What is played and when, and what it would come to without a breaker.

use domain::retry::{Dice, Schedule};
use domain::time::Timestamp;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// How long after the target is back the demo gives up: a breaker probes every half hour at the
/// least, and a drain of so few takes minutes.
const GIVE_UP_MS: u64 = 3 * HOUR_MS;

/// No chance: the scheduled wait itself.
const NO_JITTER: Dice = Dice(u32::MAX / 2);

/// An outage.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Events posted, one at the beginning of the outage and the others [`Plan::every_ms`] apart.
    pub events: u32,
    /// Milliseconds between two events.
    pub every_ms: u64,
    /// Milliseconds that the target is down.
    pub down_ms: u64,
}

/// What the demo does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Posts the event of this number.
    Post(u32),
    /// Puts the target back into service.
    PutBack,
    /// Waits no longer.
    GiveUp,
}

/// What deliveries come to that nobody holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unheld {
    /// Attempts in all.
    pub(super) attempts: u32,
    /// When the last delivery ends, in milliseconds since the outage began.
    pub(super) ended_ms: u64,
}

impl Plan {
    /// Thirty events in an hour, for a target that is down for six.
    pub const SIX_HOURS: Self = Self { events: 30, every_ms: 2 * MINUTE_MS, down_ms: 6 * HOUR_MS };

    /// What is to be done in an outage that begins then, in the order of time.
    pub(super) fn agenda(self, began_at: Timestamp) -> Vec<(Timestamp, Act)> {
        let posts = self.posts().map(|(number, at_ms)| (at_ms, Act::Post(number)));
        let end = [(self.down_ms, Act::PutBack), (self.down_ms + GIVE_UP_MS, Act::GiveUp)];
        let mut agenda: Vec<_> = posts.chain(end).collect();
        agenda.sort_by_key(|(at_ms, _)| *at_ms);
        agenda.into_iter().map(|(at_ms, act)| (began_at.plus_ms(at_ms), act)).collect()
    }

    /// When each event is posted, in milliseconds since the beginning.
    fn posts(self) -> impl Iterator<Item = (u32, u64)> {
        (1..=self.events).map(move |number| (number, u64::from(number - 1) * self.every_ms))
    }

    /// What it would come to without a breaker, every delivery on its own schedule.
    pub(super) fn unheld(self, schedule: Schedule) -> Unheld {
        let mut all = Unheld { attempts: 0, ended_ms: 0 };
        for (_, posted_ms) in self.posts() {
            let (mut attempt, mut at_ms) = (1, posted_ms);
            while at_ms < self.down_ms
                && let Some(wait_ms) = schedule.wait_ms(attempt, None, NO_JITTER)
            {
                attempt += 1;
                at_ms += wait_ms;
            }
            all.attempts += attempt;
            all.ended_ms = all.ended_ms.max(at_ms);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unheld(events: u32, down_ms: u64, schedule: Schedule) -> Unheld {
        Plan { events, every_ms: MINUTE_MS, down_ms }.unheld(schedule)
    }

    #[test]
    fn every_delivery_is_tried_until_its_schedule_meets_a_target_that_is_back() {
        // At 0, 30 s and 90 s, and at last at 210 s.
        let one = unheld(1, 100_000, Schedule::Patient);
        assert_eq!(one.attempts, 4);
        assert!(one.ended_ms.abs_diff(210_000) < 10, "{one:?}");
        let up = unheld(2, 0, Schedule::Patient);
        assert_eq!(up, Unheld { attempts: 2, ended_ms: MINUTE_MS });
    }

    #[test]
    fn a_schedule_that_ends_in_the_outage_ends() {
        assert_eq!(unheld(1, u64::MAX, Schedule::Documented).attempts, 6);
    }

    #[test]
    fn an_agenda_is_in_the_order_of_time() {
        let plan = Plan { events: 3, every_ms: MINUTE_MS, down_ms: MINUTE_MS + 1 };
        let acts: Vec<Act> =
            plan.agenda(Timestamp::from_ms(0)).into_iter().map(|(_, act)| act).collect();
        assert_eq!(acts, [Act::Post(1), Act::Post(2), Act::PutBack, Act::Post(3), Act::GiveUp]);
    }
}
