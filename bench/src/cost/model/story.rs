//! What becomes of a delivery that goes wrong, in attempts, wake-ups and writes of the ledger.
//!
//! DynamoDB bills a write by the whole item, before or after, whichever is larger; and a write of an
//! index for each entry that changes: two where a key of it changes, one where anything else does that
//! the index holds (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html>). The
//! index `due` has the key `nextAt`, `bySubscription` the key `updatedAt`.

use domain::limits::{DEAD_LETTER_RETENTION_S, QUEUE_DELAY_MAX_S};
use domain::retry::{Dice, Schedule};

use crate::cost::inputs::Inputs;
use crate::cost::scenario::Failure;

/// Neither early nor late.
const MEAN: Dice = Dice(u32::MAX / 2);

/// Entries of an index that are written beside an item.
const PUT: f64 = 2.0;
/// A lease is in neither index.
const CLAIM: f64 = 0.0;
/// Another `nextAt`, another `updatedAt`.
const KEEP: f64 = 4.0;
/// Gone from `due`, another `updatedAt`.
const DIE: f64 = 3.0;
const REMOVE: f64 = 2.0;
/// `wokenUntil` is held by `due`.
const MARK: f64 = 1.0;
/// Another bucket of `due`; `state` and `nextAt` are held by `bySubscription`.
const RELEASE: f64 = 3.0;

/// One delivery that goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Story {
    /// Whether a first attempt is made, and fails.
    pub(super) fails_first: bool,
    /// Attempts after that, each a wake-up and a claim …
    pub(super) retries: f64,
    /// … of which so many fail.
    pub(super) failures: f64,
    /// Wake-ups that delivery sends, one by one.
    pub(super) wakes: f64,
    /// Wake-ups that the sweeper sends, in batches.
    pub(super) swept: f64,
    /// Writes of the item, each billed by all of it.
    pub(super) item_writes: f64,
    /// Writes of index entries.
    pub(super) index_writes: f64,
    /// Writes of the breaker.
    pub(super) breaker_writes: f64,
    /// How long its item is kept, in days.
    pub(super) days: f64,
}

impl Story {
    pub(super) fn of(failure: Failure, inputs: &Inputs) -> Self {
        match failure {
            // Put, claimed, removed; the breaker is told of a failure and of a success.
            Failure::Retried => Self {
                fails_first: true,
                retries: 1.0,
                wakes: 1.0,
                item_writes: 3.0,
                index_writes: PUT + CLAIM + REMOVE,
                breaker_writes: 2.0,
                ..Self::default()
            },
            // Put, released, claimed, removed. The breaker is written for few of those that it holds.
            Failure::Held => Self {
                fails_first: false,
                retries: 1.0,
                swept: 1.0,
                item_writes: 4.0,
                index_writes: PUT + RELEASE + CLAIM + REMOVE,
                days: inputs.assumed.held_days.value,
                ..Self::default()
            },
            Failure::Exhausted => Self::exhausted(Schedule::Patient),
        }
    }

    fn exhausted(schedule: Schedule) -> Self {
        let waits_ms: Vec<u64> =
            (1..).map_while(|attempt| schedule.wait_ms(attempt, None, MEAN)).collect();
        let retries: f64 = waits_ms.iter().map(|_| 1.0).sum();
        let delayed_ms = u64::from(QUEUE_DELAY_MAX_S) * 1_000;
        let wakes: f64 = waits_ms.iter().filter(|wait| **wait <= delayed_ms).map(|_| 1.0).sum();
        let swept = retries - wakes;
        let waiting_s: f64 = waits_ms.iter().map(|wait| seconds(wait / 1_000)).sum();
        Self {
            fails_first: true,
            retries,
            failures: retries,
            wakes,
            swept,
            // Put; claimed and kept for each retry, of which the last is its death; marked.
            item_writes: 1.0 + 2.0 * retries + swept,
            index_writes: PUT + CLAIM * retries + KEEP * (retries - 1.0) + DIE + MARK * swept,
            breaker_writes: 1.0 + retries,
            days: (waiting_s + seconds(DEAD_LETTER_RETENTION_S)) / 86_400.0,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "some days")]
const fn seconds(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_schedule_is_the_domain_s() {
        let story = Story::exhausted(Schedule::Patient);
        let expected = Story {
            fails_first: true,
            retries: 11.0,
            failures: 11.0,
            wakes: 5.0,
            swept: 6.0,
            // 1 put, 11 claims, 10 kept, 1 dead, 6 marks.
            item_writes: 29.0,
            index_writes: 2.0 + 40.0 + 3.0 + 6.0,
            breaker_writes: 12.0,
            days: story.days,
        };
        assert_eq!(story, expected);
        // Some three days, and thirty as a dead letter.
        assert!((32.9..33.0).contains(&story.days), "{}", story.days);
        let documented = Story::exhausted(Schedule::Documented);
        assert_eq!(documented, Story { retries: 5.0, failures: 5.0, wakes: 5.0, ..documented });
        assert!(documented.swept.abs() < 1e-9);
    }
}
