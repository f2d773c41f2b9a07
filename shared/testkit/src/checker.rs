//! The checker: reads one history and says where it breaks the promise.
//!
//! The promise: an event that was answered 202 is, for every subscription it matches, finally
//! accepted by its target or a dead letter with a reason; nothing comes from nowhere, or goes where
//! nobody is subscribed any more, or where an endpoint
//! has yet to echo its challenge, or in the clear where a key is named; nothing comes twice unless a crash, a fault or a duplicate
//! explains it that happened to just that ([`Repeat`]); no attempt comes too early, or too late
//! where nothing stands in its way; none is made beyond the schedule; in the end nothing is left
//! waiting. It knows nothing of how the history came about, and so believes nothing of it. In the
//! spirit of Jepsen's total-queue.

mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use history::{Dead, History, Interval, Pair, Post, Repeat};

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// Accepted, and neither delivered nor a dead letter.
    Lost(Pair),
    /// Posted or dead-lettered, and nobody had submitted it, or was subscribed there and then.
    Unexpected(Pair),
    /// Posted to an endpoint that had yet to show that it wants it.
    Unverified(Pair),
    /// Posted in the clear to an endpoint whose subscription names a key.
    InClear(Pair),
    /// A challenge was posted in the clear to such an endpoint.
    ChallengedInClear(String),
    /// An attempt was made more often than what happened to it explains.
    Repeated(Pair, u32),
    /// An attempt came sooner after the one before than four fifths of the schedule.
    TooEarly(Pair, u32),
    /// An attempt came much later than the schedule says, and nothing stood in its way.
    TooLate(Pair, u32),
    /// An attempt beyond the last one.
    TooMany(Pair, u32),
    /// A dead letter without a reason, or with one that nothing has given.
    Unexplained(Pair),
    /// Still pending or held when everything had come to rest.
    Pending(Pair),
    /// Messages were left on a queue.
    Queued(usize),
    /// So many records were unreadable, and fewer were set aside, or more than is explained.
    SetAside {
        /// How many could not be read.
        garbage: usize,
        /// How many were set aside.
        set_aside: usize,
    },
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(pair) => write!(f, "lost: {pair}"),
            Self::Unexpected(pair) => write!(f, "unexpected: {pair}"),
            Self::Unverified(pair) => write!(f, "posted before its endpoint has echoed: {pair}"),
            Self::InClear(pair) => write!(f, "posted in the clear: {pair}"),
            Self::ChallengedInClear(endpoint) => write!(f, "challenged in the clear: {endpoint}"),
            Self::Repeated(pair, attempt) => write!(f, "repeated: {pair}, attempt {attempt}"),
            Self::TooEarly(pair, attempt) => write!(f, "too early: {pair}, attempt {attempt}"),
            Self::TooLate(pair, attempt) => write!(f, "too late: {pair}, attempt {attempt}"),
            Self::TooMany(pair, attempt) => write!(f, "too many: {pair}, attempt {attempt}"),
            Self::Unexplained(pair) => write!(f, "dead without a reason that holds: {pair}"),
            Self::Pending(pair) => write!(f, "left pending: {pair}"),
            Self::Queued(count) => write!(f, "left on a queue: {count} messages"),
            Self::SetAside { garbage, set_aside } => {
                write!(f, "{garbage} records were unreadable and {set_aside} were set aside")
            }
        }
    }
}

impl Lie {
    /// The delivery it is about, where it is about one.
    #[must_use]
    pub fn pair(&self) -> Option<&Pair> {
        match self {
            Self::Lost(pair)
            | Self::Unexpected(pair)
            | Self::Unverified(pair)
            | Self::InClear(pair)
            | Self::Repeated(pair, _)
            | Self::TooEarly(pair, _)
            | Self::TooLate(pair, _)
            | Self::TooMany(pair, _)
            | Self::Unexplained(pair)
            | Self::Pending(pair) => Some(pair),
            Self::ChallengedInClear(_) | Self::Queued(_) | Self::SetAside { .. } => None,
        }
    }
}

/// The waits between attempts, in milliseconds, as documented and then patient.
const WAITS_MS: [u64; 11] = [
    30_000, 60_000, 120_000, 300_000, 900_000, 3_600_000, 10_800_000, 21_600_000, 43_200_000,
    86_400_000, 86_400_000,
];

/// The reason of a dead letter that could not be encrypted.
const KEY_UNUSABLE: &str = "encryption_key_unusable";

/// How old what is known of subscriptions may be when an event is matched.
const STALENESS_MAX_MS: u64 = 30_000;

/// How long after faults have stopped every event that was accepted has been matched.
const MATCHED_AFTER_MS: u64 = 60 * 60 * 1_000;

/// How late an attempt may be when nothing stands in its way: a tick of the sweeper, and some to
/// spare for queues.
const LATE_MS: u64 = 3 * 60 * 1_000;

/// Every broken promise of a history; none when it keeps them all.
#[must_use]
pub fn check(history: &History) -> BTreeSet<Lie> {
    let mut lies = BTreeSet::new();
    let mut posts: BTreeMap<&Pair, Vec<&Post>> = BTreeMap::new();
    for post in &history.posts {
        posts.entry(&post.pair).or_default().push(post);
    }
    let dead: BTreeSet<&Pair> = history.dead.iter().map(|dead| &dead.pair).collect();

    for pair in history.owed() {
        let accepted = |posts: &Vec<&Post>| posts.iter().any(|post| post.is_accepted);
        if !posts.get(&pair).is_some_and(accepted) && !dead.contains(&pair) {
            lies.insert(Lie::Lost(pair));
        }
    }
    let unexpected_posts = history.posts.iter().filter(|post| !history.expects(post));
    let unexpected_deaths = history.dead.iter().filter(|dead| !history.knows(&dead.pair));
    let unexpected =
        unexpected_posts.map(|post| &post.pair).chain(unexpected_deaths.map(|dead| &dead.pair));
    lies.extend(unexpected.cloned().map(Lie::Unexpected));
    let unverified = history.posts.iter().filter(|post| !history.is_verified(post));
    lies.extend(unverified.map(|post| Lie::Unverified(post.pair.clone())));
    lies.extend(history.in_clear());
    for (pair, posts) in &posts {
        lies.extend(lies_of_attempts(pair, posts, history));
    }
    let unexplained = history.dead.iter().filter(|dead| !history.explains_death(dead));
    lies.extend(unexplained.map(|dead| Lie::Unexplained(dead.pair.clone())));
    lies.extend(history.pending.iter().cloned().map(Lie::Pending));
    if history.queued > 0 {
        lies.insert(Lie::Queued(history.queued));
    }
    let History { garbage, set_aside, .. } = *history;
    if !(garbage..=garbage + history.explained(&Repeat::SetAside)).contains(&set_aside) {
        lies.insert(Lie::SetAside { garbage, set_aside });
    }
    lies
}

impl History {
    /// The deliveries that must have been made or given up: of every accepted event to everybody
    /// who was subscribed from before it was first posted until after it was surely matched. It may
    /// be matched before it is accepted: a producer that has not heard the answer posts again, and
    /// is told that the event has been taken.
    fn owed(&self) -> Vec<Pair> {
        let matched_at_ms = self.calm_at_ms.saturating_add(MATCHED_AFTER_MS);
        let mut owed = Vec::new();
        for (event, accepted_ms) in &self.accepted {
            let posted_ms = self.submitted.get(event).unwrap_or(accepted_ms);
            for (subscription, intervals) in &self.subscribed {
                let is_owed = spans(intervals).iter().any(|(from_ms, until_ms)| {
                    let is_known = from_ms.saturating_add(STALENESS_MAX_MS) <= *posted_ms;
                    (*from_ms == 0 || is_known) && *until_ms > matched_at_ms
                });
                let pair = Pair { event: event.clone(), subscription: subscription.clone() };
                owed.extend(is_owed.then_some(pair));
            }
        }
        owed
    }

    fn knows(&self, pair: &Pair) -> bool {
        self.submitted.contains_key(&pair.event) && self.subscribed.contains_key(&pair.subscription)
    }

    /// Whether somebody was subscribed to what was posted, there and then.
    fn expects(&self, post: &Post) -> bool {
        let is_active = |interval: &Interval| {
            interval.endpoint == post.endpoint
                && interval.from_ms <= post.at_ms
                && post.at_ms <= interval.until_ms.saturating_add(STALENESS_MAX_MS + self.slack_ms)
        };
        let intervals = self.subscribed.get(&post.pair.subscription);
        self.knows(&post.pair) && intervals.is_some_and(|all| all.iter().any(is_active))
    }
}

impl History {
    /// Whether an endpoint had shown by then that it wants what was posted, or need not.
    fn is_verified(&self, post: &Post) -> bool {
        let echoed = |at_ms: &u64| *at_ms <= post.at_ms;
        !self.to_be_verified.contains(&post.endpoint)
            || self.echoed_at_ms.get(&post.endpoint).is_some_and(echoed)
    }

    /// Whether an attempt at an endpoint may fail before anything is posted: by a handshake, or for
    /// want of a key.
    fn may_fail_unposted(&self, endpoint: &str) -> bool {
        self.to_be_verified.contains(endpoint) || self.to_be_encrypted.contains(endpoint)
    }

    /// What was posted in the clear where a key is named.
    fn in_clear(&self) -> Vec<Lie> {
        let posts = self.posts.iter().filter(|post| !post.is_encrypted);
        let posts = posts.filter(|post| self.to_be_encrypted.contains(&post.endpoint));
        let challenged = self.challenged_in_clear.intersection(&self.to_be_encrypted);
        let posts = posts.map(|post| Lie::InClear(post.pair.clone()));
        posts.chain(challenged.cloned().map(Lie::ChallengedInClear)).collect()
    }

    /// Whether a dead letter has a reason, and one that something has given: no more of a
    /// subscription's are dead for its key than it could not be used.
    fn explains_death(&self, dead: &Dead) -> bool {
        let is_for_its_key = |dead: &&Dead| dead.reason == KEY_UNUSABLE;
        if !is_for_its_key(&dead) {
            return !dead.reason.is_empty();
        }
        let subscription = &dead.pair.subscription;
        let others = self.dead.iter().filter(|dead| dead.pair.subscription == *subscription);
        let unusable = self.unusable_keys.get(subscription).copied().unwrap_or_default();
        others.filter(is_for_its_key).count() <= unusable
    }
}

/// From when until when somebody was subscribed without a gap: an endpoint that moves is none.
fn spans(intervals: &[Interval]) -> Vec<(u64, u64)> {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for Interval { from_ms, until_ms, .. } in intervals {
        match spans.last_mut() {
            Some(before) if *from_ms <= before.1 => before.1 = *until_ms,
            _ => spans.push((*from_ms, *until_ms)),
        }
    }
    spans
}

/// What is wrong with the attempts of one delivery.
fn lies_of_attempts(pair: &Pair, posts: &[&Post], history: &History) -> Vec<Lie> {
    let mut lies = Vec::new();
    let mut by_attempt: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for post in posts {
        by_attempt.entry(post.attempt).or_default().push(post.at_ms);
    }
    // With each redrive the schedule begins anew, at another attempt than the first.
    let redrives = history.redriven.get(pair).map_or(0, Vec::len);
    let schedules = u32::try_from(1 + redrives).unwrap_or(u32::MAX);
    for (attempt, at_ms) in &by_attempt {
        if at_ms.len() > 1 + history.repeats_of(pair, *attempt) {
            lies.push(Lie::Repeated(pair.clone(), *attempt));
        }
        if *attempt > history.attempts_max.saturating_mul(schedules) {
            lies.push(Lie::TooMany(pair.clone(), *attempt));
        }
        // The first time that an attempt is made follows the first time of the one before.
        let before = attempt.checked_sub(1).and_then(|before| by_attempt.get(&before));
        if let (Some(before), Some(wait_ms)) = (before, wait_before_ms(*attempt)) {
            let waited_ms = at_ms[0].saturating_sub(before[0]);
            // Made twice, it may have come to no post the first time, and its wait began then.
            let is_seen = !posts.iter().any(|post| history.may_fail_unposted(&post.endpoint))
                || history.repeats_of(pair, attempt - 1) == 0;
            // Whose clock is ahead is early by that much.
            if redrives == 0 && is_seen && waited_ms + history.ahead_max_ms < wait_ms * 4 / 5 {
                lies.push(Lie::TooEarly(pair.clone(), *attempt));
            }
        }
        if history.is_late(pair, *attempt, at_ms[0], before.map_or(&[], Vec::as_slice)) {
            lies.push(Lie::TooLate(pair.clone(), *attempt));
        }
    }
    lies
}

/// The wait before an attempt of the schedule; `None` before the first one and beyond the last.
fn wait_before_ms(attempt: u32) -> Option<u64> {
    let later = attempt.checked_sub(2)?;
    WAITS_MS.get(usize::try_from(later).ok()?).copied()
}

impl History {
    /// How often an attempt may have been repeated.
    fn repeats_of(&self, pair: &Pair, attempt: u32) -> usize {
        self.explained(&Repeat::Event(pair.event.clone()))
            + self.explained(&Repeat::Delivery(pair.clone()))
            + self.explained(&Repeat::Attempt(pair.clone(), attempt))
    }

    /// Whether the first making of an attempt came later than it should have, if nothing stood in
    /// its way; `before` is when the attempt before it was made, each time.
    fn is_late(&self, pair: &Pair, attempt: u32, at_ms: u64, before: &[u64]) -> bool {
        let since_ms = match attempt {
            1 => self.accepted.get(&pair.event).copied(),
            // Made again, the attempt before began its wait again.
            _ => before.iter().rev().find(|before_ms| **before_ms < at_ms).copied(),
        };
        // A target may ask for twice the wait.
        let wait_ms = if attempt == 1 { Some(0) } else { wait_before_ms(attempt).map(|ms| ms * 2) };
        let (Some(since_ms), Some(wait_ms)) = (since_ms, wait_ms) else { return false };
        let mut held = self.held.get(pair).into_iter().flatten();
        let is_held = held.any(|(from_ms, until_ms)| *from_ms <= at_ms && since_ms <= *until_ms);
        // Where the schedule has begun anew, it is somewhere else.
        let mut redriven = self.redriven.get(pair).into_iter().flatten();
        let is_redriven = redriven.any(|redriven_ms| *redriven_ms <= at_ms);
        let due_ms = (since_ms + wait_ms).max(self.punctual_from_ms);
        let late_from_ms = due_ms.saturating_add(LATE_MS + self.ahead_max_ms);
        !is_held && !is_redriven && at_ms > late_from_ms
    }
}

#[cfg(test)]
mod tests;
