//! The checker: reads one history and says where it breaks the promise.
//!
//! The promise: an event that was answered 202 is, for every subscription it matches, finally
//! accepted by its target or a dead letter with a reason; nothing comes from nowhere; nothing comes
//! twice without a crash, a fault or a duplicate that explains it; no attempt comes too early; in
//! the end nothing is left waiting. It knows nothing of how the history came about, and so believes
//! nothing of it. In the spirit of Jepsen's total-queue.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a run has left behind.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Events that were posted, whatever they were answered.
    pub submitted: BTreeSet<String>,
    /// Events that were answered 202.
    pub accepted: BTreeSet<String>,
    /// Subscriptions that were active all the time, and match every event.
    pub subscriptions: BTreeSet<String>,
    /// Subscriptions that were disabled on the way: nothing is promised to them any more.
    pub disabled: BTreeSet<String>,
    /// Every POST, in the order in which it was made.
    pub posts: Vec<Post>,
    /// Every dead letter.
    pub dead: Vec<Dead>,
    /// Deliveries still pending in the end.
    pub pending: Vec<Pair>,
    /// Messages still on a worked queue in the end.
    pub queued: usize,
    /// Crashes, faults and duplicates that were injected.
    pub incidents: usize,
}

/// An event and a subscription.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The event's ID.
    pub event: String,
    /// The subscription's ID.
    pub subscription: String,
}

/// A POST.
#[derive(Clone, Debug)]
pub struct Post {
    /// Of what to whom.
    pub pair: Pair,
    /// When, in epoch milliseconds.
    pub at_ms: u64,
    /// Counted from 1.
    pub attempt: u32,
    /// Whether the target accepted it.
    pub is_accepted: bool,
}

/// A dead letter.
#[derive(Clone, Debug)]
pub struct Dead {
    /// Of what to whom.
    pub pair: Pair,
    /// Its reason code.
    pub reason: String,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// Accepted, and neither delivered nor a dead letter.
    Lost(Pair),
    /// Posted or dead-lettered, and nobody had submitted or subscribed it.
    Unexpected(Pair),
    /// An attempt was made more often than the incidents explain.
    Repeated(Pair, u32),
    /// An attempt came sooner after the one before than four fifths of the schedule.
    TooEarly(Pair, u32),
    /// A dead letter without a reason.
    Unexplained(Pair),
    /// Still pending when everything had come to rest.
    Pending(Pair),
    /// Messages were left on a queue.
    Queued(usize),
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.event, self.subscription)
    }
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(pair) => write!(f, "lost: {pair}"),
            Self::Unexpected(pair) => write!(f, "unexpected: {pair}"),
            Self::Repeated(pair, attempt) => write!(f, "repeated: {pair}, attempt {attempt}"),
            Self::TooEarly(pair, attempt) => write!(f, "too early: {pair}, attempt {attempt}"),
            Self::Unexplained(pair) => write!(f, "dead without a reason: {pair}"),
            Self::Pending(pair) => write!(f, "left pending: {pair}"),
            Self::Queued(count) => write!(f, "left on a queue: {count} messages"),
        }
    }
}

/// The waits between attempts, in milliseconds, as documented and then patient.
const WAITS_MS: [u64; 11] = [
    30_000, 60_000, 120_000, 300_000, 900_000, 3_600_000, 10_800_000, 21_600_000, 43_200_000,
    86_400_000, 86_400_000,
];

/// Every broken promise of a history; none when it keeps them all.
#[must_use]
pub fn check(history: &History) -> BTreeSet<Lie> {
    let mut lies = BTreeSet::new();
    let mut posts: BTreeMap<&Pair, Vec<&Post>> = BTreeMap::new();
    for post in &history.posts {
        posts.entry(&post.pair).or_default().push(post);
    }
    let dead: BTreeSet<&Pair> = history.dead.iter().map(|dead| &dead.pair).collect();

    for event in &history.accepted {
        for subscription in &history.subscriptions {
            let pair = Pair { event: event.clone(), subscription: subscription.clone() };
            let is_delivered =
                posts.get(&pair).is_some_and(|posts| posts.iter().any(|post| post.is_accepted));
            if !is_delivered && !dead.contains(&pair) {
                lies.insert(Lie::Lost(pair));
            }
        }
    }
    for pair in posts.keys().chain(&dead) {
        let is_known = history.submitted.contains(&pair.event)
            && (history.subscriptions.contains(&pair.subscription)
                || history.disabled.contains(&pair.subscription));
        if !is_known {
            lies.insert(Lie::Unexpected((*pair).clone()));
        }
    }
    for (pair, posts) in &posts {
        lies.extend(lies_of_attempts(pair, posts, history.incidents));
    }
    lies.extend(
        history
            .dead
            .iter()
            .filter(|dead| dead.reason.is_empty())
            .map(|dead| Lie::Unexplained(dead.pair.clone())),
    );
    lies.extend(history.pending.iter().cloned().map(Lie::Pending));
    if history.queued > 0 {
        lies.insert(Lie::Queued(history.queued));
    }
    lies
}

/// What is wrong with the attempts of one delivery.
fn lies_of_attempts(pair: &Pair, posts: &[&Post], incidents: usize) -> Vec<Lie> {
    let mut lies = Vec::new();
    let mut by_attempt: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for post in posts {
        by_attempt.entry(post.attempt).or_default().push(post.at_ms);
    }
    for (attempt, at_ms) in &by_attempt {
        if at_ms.len() > 1 + incidents {
            lies.push(Lie::Repeated(pair.clone(), *attempt));
        }
        // The first time that an attempt is made follows the first time of the one before.
        let before = attempt.checked_sub(1).and_then(|before| by_attempt.get(&before));
        let wait_ms = usize::try_from(*attempt).ok().and_then(|n| WAITS_MS.get(n.checked_sub(2)?));
        if let (Some(before), Some(wait_ms)) = (before, wait_ms)
            && at_ms[0].saturating_sub(before[0]) < wait_ms * 4 / 5
        {
            lies.push(Lie::TooEarly(pair.clone(), *attempt));
        }
    }
    lies
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(event: &str) -> Pair {
        Pair { event: event.to_owned(), subscription: "s1".to_owned() }
    }

    fn post(event: &str, at_ms: u64, attempt: u32, is_accepted: bool) -> Post {
        Post { pair: pair(event), at_ms, attempt, is_accepted }
    }

    /// One event, delivered at its second attempt.
    fn honest() -> History {
        History {
            submitted: ["e1".to_owned()].into(),
            accepted: ["e1".to_owned()].into(),
            subscriptions: ["s1".to_owned()].into(),
            posts: vec![post("e1", 0, 1, false), post("e1", 30_000, 2, true)],
            ..History::default()
        }
    }

    fn found(change: impl FnOnce(&mut History)) -> Vec<Lie> {
        let mut history = honest();
        change(&mut history);
        check(&history).into_iter().collect()
    }

    #[test]
    fn an_honest_history_holds() {
        assert_eq!(found(|_| {}), []);
        let given_up = |history: &mut History| {
            history.posts.truncate(1);
            history.dead.push(Dead { pair: pair("e1"), reason: "http_410".to_owned() });
        };
        assert_eq!(found(given_up), []);
        assert_eq!(found(|history| history.submitted = ["e1", "e2"].map(str::to_owned).into()), []);
    }

    #[test]
    fn a_lost_event_is_found() {
        assert_eq!(found(|history| history.posts.truncate(1)), [Lie::Lost(pair("e1"))]);
        assert_eq!(found(|history| history.posts.clear()), [Lie::Lost(pair("e1"))]);
    }

    #[test]
    fn a_subscription_that_was_disabled_is_owed_nothing() {
        let disabled = |history: &mut History| {
            history.posts.truncate(1);
            history.disabled = std::mem::take(&mut history.subscriptions);
        };
        assert_eq!(found(disabled), []);
    }

    #[test]
    fn something_from_nowhere_is_found() {
        let from_nowhere = |history: &mut History| history.posts.push(post("e9", 0, 1, true));
        assert_eq!(found(from_nowhere), [Lie::Unexpected(pair("e9"))]);
        let nobody_subscribed = |history: &mut History| {
            history.posts[0].pair.subscription = "s9".to_owned();
        };
        assert!(matches!(found(nobody_subscribed).as_slice(), [Lie::Unexpected(_)]));
        let dead_from_nowhere = |history: &mut History| {
            history.dead.push(Dead { pair: pair("e9"), reason: "http_410".to_owned() });
        };
        assert_eq!(found(dead_from_nowhere), [Lie::Unexpected(pair("e9"))]);
    }

    #[test]
    fn a_repetition_needs_an_incident() {
        let twice = |history: &mut History| history.posts.push(post("e1", 31_000, 2, true));
        assert_eq!(found(twice), [Lie::Repeated(pair("e1"), 2)]);
        let explained = |history: &mut History| {
            history.posts.push(post("e1", 31_000, 2, true));
            history.incidents = 1;
        };
        assert_eq!(found(explained), []);
    }

    #[test]
    fn an_attempt_that_comes_too_early_is_found() {
        assert_eq!(found(|history| history.posts[1].at_ms = 24_000), []);
        let early = found(|history| history.posts[1].at_ms = 23_999);
        assert_eq!(early, [Lie::TooEarly(pair("e1"), 2)]);
    }

    #[test]
    fn what_is_left_behind_is_found() {
        assert_eq!(found(|history| history.pending.push(pair("e1"))), [Lie::Pending(pair("e1"))]);
        assert_eq!(found(|history| history.queued = 3), [Lie::Queued(3)]);
        let no_reason = |history: &mut History| {
            history.dead.push(Dead { pair: pair("e1"), reason: String::new() });
        };
        assert_eq!(found(no_reason), [Lie::Unexplained(pair("e1"))]);
    }
}
