//! Redrive: a dead letter is tried again, as the same delivery.
//!
//! The item becomes pending by compare-and-set; it keeps its delivery ID, its event and so its
//! `jti`, and its attempts count on; the schedule begins anew; how it was given up is added to its
//! history. Nothing is sent: the sweeper, which comes by every minute, finds it due and wakes it.
//!
//! Many at once are spread over time by their due moments ([`Pace`]), so that fresh events are not
//! crowded out and nobody has to stay connected. A redrive may be cut off anywhere and repeated:
//! what was redriven is no longer dead, and is not found again.

use std::collections::BTreeMap;
use std::future::Future;

use futures_util::future::join_all;

use crate::delivery::OurFault;
use crate::id::{DeliveryId, SubscriptionId};
use crate::ledger::Death;
use crate::ledger::entry::{Entry, Filter, Standing};
use crate::limits::HISTORY_MAX;
use crate::scope::Scope;
use crate::time::Timestamp;

/// What operators' work on the ledger needs from outside.
pub trait Ports: Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// A page of the entries that are meant, without their histories: of one subscription oldest
    /// first, else in no order.
    fn page(
        &self,
        filter: &Filter,
        after: Option<&Position>,
    ) -> impl Future<Output = Result<Page, OurFault>> + Send;

    /// The item of a delivery as it stands now, without its event.
    fn find(
        &self,
        delivery_id: &DeliveryId,
    ) -> impl Future<Output = Result<Found, OurFault>> + Send;

    /// How a subscription stands now.
    fn audience(
        &self,
        scope: &Scope,
        subscription_id: &SubscriptionId,
    ) -> impl Future<Output = Result<Audience, OurFault>> + Send;

    /// Makes a dead letter pending, if it still stands as it was found. `false` when it does not.
    fn revive(
        &self,
        found: &Entry,
        revival: &Revival,
    ) -> impl Future<Output = Result<bool, OurFault>> + Send;
}

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The key of the last item looked at, whatever it is.
    pub key: String,
    /// When that item was last written; of a list by subscription.
    pub updated_at: Option<Timestamp>,
}

/// Entries of a list, and where to go on.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Those that are meant.
    pub entries: Vec<Entry>,
    /// Keys of items that cannot be read, whether they are meant or not.
    pub unreadable: Vec<String>,
    /// Items looked at.
    pub looked_at: usize,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
}

/// What a look at one delivery found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The item.
    Entry(Box<Entry>),
    /// No item: the delivery was made, or its dead letter has expired, or there never was one.
    NotThere,
    /// An item that this release cannot read.
    Unreadable,
}

/// Whether anybody listens to a subscription's deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// It is enabled.
    Listening,
    /// It is switched off.
    Disabled,
    /// It is not there any more.
    Deleted,
    /// Its row does not say.
    Unreadable,
}

/// What a dead letter becomes. Its attempts so far are all uncharged: the schedule begins anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revival {
    /// When it is redriven.
    pub now: Timestamp,
    /// When it is due.
    pub due_at: Timestamp,
    /// How it was given up so far, oldest first.
    pub history: Vec<Death>,
}

/// What came of the redrive of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It will be tried again.
    Redriven {
        /// Within a minute after this.
        due_at: Timestamp,
    },
    /// It is not in the ledger.
    NotThere,
    /// It was not given up: it waits for its next attempt already.
    Pending {
        /// Attempts made so far.
        attempt: u32,
        /// Not before this.
        next_at: Timestamp,
    },
    /// It was not given up: it waits for its subscription's breaker to close.
    Held {
        /// Attempts made so far.
        attempt: u32,
        /// Since when.
        since: Timestamp,
    },
    /// Somebody else changed it at the same moment.
    ChangedMeanwhile,
    /// It stays a dead letter: its subscription is switched off.
    SubscriptionDisabled,
    /// It stays a dead letter: its subscription is not there any more.
    SubscriptionDeleted,
    /// It stays a dead letter: its subscription's row cannot be read.
    SubscriptionUnreadable,
    /// It stays as it is: this release cannot read it.
    Unreadable,
}

impl Answer {
    /// The answer's code, for counting.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Redriven { .. } => "redriven",
            Self::NotThere => "not_in_ledger",
            Self::Pending { .. } => "already_pending",
            Self::Held { .. } => "already_held",
            Self::ChangedMeanwhile => "changed_meanwhile",
            Self::SubscriptionDisabled => "subscription_disabled",
            Self::SubscriptionDeleted => "subscription_deleted",
            Self::SubscriptionUnreadable => "subscription_unreadable",
            Self::Unreadable => "item_unreadable",
        }
    }
}

/// When the deliveries of one redrive are due: one after the other, so many a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    start: Timestamp,
    per_minute: u32,
    taken: u64,
}

impl Pace {
    /// From `start` on, `per_minute` a minute; at least one.
    #[must_use]
    pub const fn new(start: Timestamp, per_minute: u32) -> Self {
        let per_minute = if per_minute == 0 { 1 } else { per_minute };
        Self { start, per_minute, taken: 0 }
    }

    /// The moment of the delivery of this number, counted from 0.
    #[must_use]
    pub const fn moment(&self, number: u64) -> Timestamp {
        self.start.plus_ms(number.saturating_mul(60_000) / self.per_minute as u64)
    }

    fn take(&mut self) -> Timestamp {
        let moment = self.moment(self.taken);
        self.taken += 1;
        moment
    }
}

/// Redrives these deliveries, all at once, and says of each, in the same order, what came of it.
/// One that fails fails alone.
pub async fn run(
    delivery_ids: &[DeliveryId],
    pace: &mut Pace,
    ports: &impl Ports,
) -> Vec<Result<Answer, OurFault>> {
    let found = join_all(delivery_ids.iter().map(|id| ports.find(id))).await;
    let audiences = audiences(&found, ports).await;
    let now = ports.now();
    let steps = found.into_iter().map(|found| Ok(judge(found?, &audiences, now, pace)));
    let steps: Vec<Result<Step, OurFault>> = steps.collect();
    join_all(steps.into_iter().map(|step| async { take(step?, ports).await })).await
}

/// What is to be done with what was found.
enum Step {
    Answer(Result<Answer, OurFault>),
    Revive(Box<Entry>, Revival),
}

type Audiences = BTreeMap<(Scope, SubscriptionId), Result<Audience, OurFault>>;

/// How the subscriptions of the dead letters stand, each asked once.
async fn audiences(found: &[Result<Found, OurFault>], ports: &impl Ports) -> Audiences {
    let mut keys: Vec<(Scope, SubscriptionId)> = found
        .iter()
        .filter_map(|found| match found {
            Ok(Found::Entry(entry)) => Some(key_of(entry)),
            Ok(Found::NotThere | Found::Unreadable) | Err(_) => None,
        })
        .collect();
    keys.sort();
    keys.dedup();
    let heard = keys.iter().map(|(scope, subscription)| ports.audience(scope, subscription));
    let heard = join_all(heard).await;
    keys.into_iter().zip(heard).collect()
}

fn key_of(entry: &Entry) -> (Scope, SubscriptionId) {
    (entry.scope.clone(), entry.subscription_id.clone())
}

/// The pace counts what is to be revived, not what was asked for.
fn judge(found: Found, audiences: &Audiences, now: Timestamp, pace: &mut Pace) -> Step {
    let entry = match found {
        Found::Entry(entry) => entry,
        Found::NotThere => return Step::Answer(Ok(Answer::NotThere)),
        Found::Unreadable => return Step::Answer(Ok(Answer::Unreadable)),
    };
    let attempt = entry.attempt;
    let reason = match &entry.standing {
        Standing::Pending { next_at } => {
            return Step::Answer(Ok(Answer::Pending { attempt, next_at: *next_at }));
        }
        Standing::Held { since } => {
            return Step::Answer(Ok(Answer::Held { attempt, since: *since }));
        }
        Standing::Dead { reason } => reason.clone(),
    };
    // Revived all the same, it would be given up again within a minute, for this very reason.
    match audiences.get(&key_of(&entry)).copied().unwrap_or(Err(OurFault::Subscriptions)) {
        Err(fault) => Step::Answer(Err(fault)),
        Ok(Audience::Disabled) => Step::Answer(Ok(Answer::SubscriptionDisabled)),
        Ok(Audience::Deleted) => Step::Answer(Ok(Answer::SubscriptionDeleted)),
        Ok(Audience::Unreadable) => Step::Answer(Ok(Answer::SubscriptionUnreadable)),
        Ok(Audience::Listening) => {
            let death = Death { at: entry.updated_at, attempt, reason };
            let history = remembered(&entry.history, death);
            let revival = Revival { now, due_at: pace.take(), history };
            Step::Revive(entry, revival)
        }
    }
}

async fn take(step: Step, ports: &impl Ports) -> Result<Answer, OurFault> {
    match step {
        Step::Answer(answer) => answer,
        Step::Revive(entry, revival) => Ok(if ports.revive(&entry, &revival).await? {
            Answer::Redriven { due_at: revival.due_at }
        } else {
            Answer::ChangedMeanwhile
        }),
    }
}

/// A history with one more death, the newest that fit.
fn remembered(history: &[Death], death: Death) -> Vec<Death> {
    let forgotten = (history.len() + 1).saturating_sub(HISTORY_MAX);
    history.iter().skip(forgotten).cloned().chain([death]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn death(attempt: u32) -> Death {
        Death { at: Timestamp::from_ms(1), attempt, reason: "exhausted:timeout".to_owned() }
    }

    #[test]
    fn a89_a_thousand_a_minute_are_sixty_milliseconds_apart() {
        let start = Timestamp::from_ms(1_000_000);
        let mut pace = Pace::new(start, 1_000);
        let moments: Vec<u64> = (0..4).map(|_| pace.take().since_ms(start)).collect();
        assert_eq!(moments, [0, 60, 120, 180]);
        assert_eq!(pace.moment(100_000).since_ms(start), 100 * 60_000);
        assert_eq!(Pace::new(start, 0), Pace::new(start, 1), "a pace of nothing never ends");
    }

    #[test]
    fn a_history_keeps_the_newest_deaths() {
        assert_eq!(remembered(&[], death(1)), [death(1)]);
        let full: Vec<Death> = (1..=10).map(death).collect();
        let next = remembered(&full, death(11));
        assert_eq!(next.len(), HISTORY_MAX);
        assert_eq!((next[0].attempt, next[9].attempt), (2, 11));
    }

    proptest! {
        #[test]
        fn no_minute_holds_more_than_its_share(per_minute in 1u32..=10_000, first in 0u64..1_000_000) {
            let pace = Pace::new(Timestamp::from_ms(0), per_minute);
            let a_share_later = pace.moment(first + u64::from(per_minute));
            let waited_ms = a_share_later.since_ms(pace.moment(first));
            prop_assert!((59_999..=60_001).contains(&waited_ms));
        }
    }
}
