//! What a run has left behind, as the checker reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::id::{DeliveryId, EventId, SubscriptionId};
use domain::scope::Scope;

/// What a run has left behind. Times are epoch milliseconds of the world's own clock.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Events that were posted, whatever they were answered, and when first.
    pub submitted: BTreeMap<String, u64>,
    /// Events that were answered 202, and when.
    pub accepted: BTreeMap<String, u64>,
    /// Who was subscribed when, and where to. Every subscription matches every event.
    pub subscribed: BTreeMap<String, Vec<Interval>>,
    /// Endpoints that are to show that they want notifications before they get one.
    pub to_be_verified: BTreeSet<String>,
    /// When an endpoint first showed it.
    pub echoed_at_ms: BTreeMap<String, u64>,
    /// Endpoints whose subscription names a key: whatever they are posted is encrypted to it.
    pub to_be_encrypted: BTreeSet<String>,
    /// Endpoints that were posted a challenge in the clear.
    pub challenged_in_clear: BTreeSet<String>,
    /// How often a subscription's key could not be used, because whatever encrypts said so.
    pub unusable_keys: BTreeMap<String, usize>,
    /// Every POST, in the order in which it was made.
    pub posts: Vec<Post>,
    /// Every dead letter.
    pub dead: Vec<Dead>,
    /// From when until when a breaker held which deliveries.
    pub held: BTreeMap<Pair, Vec<(u64, u64)>>,
    /// When an operator tried to redrive which deliveries, in the order of time.
    pub redriven: BTreeMap<Pair, Vec<u64>>,
    /// Deliveries still pending or held in the end.
    pub pending: Vec<Pair>,
    /// Messages still on a worked queue in the end, or on a dead-letter queue without a reason.
    pub queued: usize,
    /// Unreadable records that were put on a worked queue.
    pub garbage: usize,
    /// Records on a dead-letter queue, with a reason.
    pub set_aside: usize,
    /// What may have come once more, and how often: what went wrong, by what it went wrong with.
    pub explained: BTreeMap<Repeat, usize>,
    /// From when on nothing went wrong any more.
    pub calm_at_ms: u64,
    /// From when on whatever is due is done in time, unless a breaker holds it: 0 where nothing
    /// went wrong, later where things did, never (`u64::MAX`) where time was skipped.
    pub punctual_from_ms: u64,
    /// The most attempts that the schedule allows.
    pub attempts_max: u32,
    /// How far clocks were apart. By so much an attempt may be early or late. That something comes
    /// twice it explains nowhere: a claim that was lost to another clock stands in `explained`.
    pub ahead_max_ms: u64,
    /// How long after a subscription has ended a POST to it may still be made.
    pub slack_ms: u64,
}

impl History {
    /// Notes that this may come once more.
    pub fn explain(&mut self, repeat: Repeat) {
        *self.explained.entry(repeat).or_default() += 1;
    }

    /// How many POSTs were of an attempt that had been made before.
    #[must_use]
    pub fn repetitions(&self) -> usize {
        let attempts: BTreeSet<_> =
            self.posts.iter().map(|post| (&post.pair, post.attempt)).collect();
        self.posts.len() - attempts.len()
    }

    /// How often this may come once more.
    pub(super) fn explained(&self, repeat: &Repeat) -> usize {
        self.explained.get(repeat).copied().unwrap_or_default()
    }
}

/// What may come once more, because something went wrong with just that. One of them is one
/// repetition at most of each attempt that it names.
///
/// Nothing else explains a repetition. A wake-up that comes twice does not, whoever sends it: it
/// only claims. Nor does anything that happens to a request before its events are sent, to a
/// message before a POST or a ledger item came of it, to a later attempt before its POST or after
/// it was written down, to a breaker, to the sweeper, or to an operator's redrive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repeat {
    /// An event is matched once more: it was sent by somebody who could not say so, or its message
    /// came again. First attempts ask no ledger, and one that fails after the delivery was made
    /// begins a schedule, so that is each attempt of each of its deliveries.
    Event(String),
    /// A delivery is begun once more: its message came to a POST or to a ledger item of it, and
    /// then was cut off, or returned for the fault of a neighbour. Each attempt of that delivery.
    Delivery(Pair),
    /// An attempt, counted from 1, was made from the ledger and not written down there: cut off,
    /// refused by the ledger or the queue, or overtaken by whoever took the lease to be over. That
    /// attempt alone.
    Attempt(Pair, u32),
    /// An unreadable record, by whatever queue, is set aside once more.
    SetAside,
}

impl Repeat {
    /// Whether it explains anything about this delivery.
    #[must_use]
    pub fn is_about(&self, pair: &Pair) -> bool {
        match self {
            Self::Event(event) => *event == pair.event,
            Self::Delivery(of) | Self::Attempt(of, _) => of == pair,
            Self::SetAside => false,
        }
    }
}

/// A time in which a subscription was active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Where its target listened.
    pub endpoint: String,
    /// From when on.
    pub from_ms: u64,
    /// Until when.
    pub until_ms: u64,
}

/// An event and a subscription.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The event's ID.
    pub event: String,
    /// The subscription's ID.
    pub subscription: String,
}

impl Pair {
    /// The pairs of these events and subscriptions of a scope, by their deliveries' IDs.
    #[must_use]
    pub fn by_delivery(
        scope: &Scope,
        events: &BTreeSet<String>,
        subscriptions: &BTreeSet<String>,
    ) -> BTreeMap<DeliveryId, Self> {
        let pair = |event: &str, subscription: &str| {
            let event_id = EventId::parse(event).expect("an event's ID");
            let subscription_id = SubscriptionId::parse(subscription).expect("a subscription's ID");
            let pair = Self { event: event.to_owned(), subscription: subscription.to_owned() };
            (DeliveryId::of(scope, &event_id, &subscription_id), pair)
        };
        let pairs = events.iter().flat_map(|event| {
            subscriptions.iter().map(move |subscription| pair(event, subscription))
        });
        pairs.collect()
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.event, self.subscription)
    }
}

/// A POST.
#[derive(Clone, Debug)]
pub struct Post {
    /// Of what to whom.
    pub pair: Pair,
    /// Where to.
    pub endpoint: String,
    /// When.
    pub at_ms: u64,
    /// Counted from 1.
    pub attempt: u32,
    /// Whether the target accepted it.
    pub is_accepted: bool,
    /// Whether it was encrypted to the target's key, which has opened it.
    pub is_encrypted: bool,
}

/// A dead letter.
#[derive(Clone, Debug)]
pub struct Dead {
    /// Of what to whom.
    pub pair: Pair,
    /// Its reason code.
    pub reason: String,
}
