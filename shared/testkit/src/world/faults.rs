//! What goes wrong, on script.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A call of a port that something can go wrong with. A POST is not among them: what a target
/// does stands in its script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Reading the subscriptions of a scope.
    Subscriptions,
    /// Signing a notification.
    Sign,
    /// Disabling a subscription.
    Disable,
    /// Reading a breaker.
    Breaker,
    /// Writing a breaker.
    WriteBreaker,
    /// Writing a new ledger item.
    Record,
    /// Claiming a ledger item.
    Claim,
    /// Leaving a claimed ledger item.
    Settle,
    /// Sending a wake-up.
    Wake,
    /// Sending the rest of a fan-out.
    ContinueLater,
    /// Putting an unreadable record on a dead-letter queue.
    SetAside,
    /// Ingest's sending of messages: all entries of one call.
    Send,
    /// Reading the published keys.
    PublishedKeys,
    /// Reading a page of the due-time index.
    Due,
    /// Marking a due item.
    Mark,
    /// Reading which breakers are to be looked at.
    DueBreakers,
    /// Reading what a breaker holds.
    Held,
    /// Releasing a held delivery.
    Release,
    /// Removing a breaker.
    ForgetBreaker,
    /// The sweeper's sending of wake-ups: all entries of one call.
    WakeAll,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and the caller hears so.
    NotDone,
    /// It is done, and the caller hears that it failed.
    ReplyLost,
    /// Nothing is done, and the caller's work ends in a panic.
    Panic,
}

#[derive(Default)]
pub(super) struct Faults {
    next: BTreeMap<Call, VecDeque<Option<Fault>>>,
    always: BTreeMap<Call, Fault>,
    refused: BTreeSet<usize>,
}

impl Faults {
    pub(super) fn next(&mut self, call: Call, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.next.entry(call).or_default().extend(faults);
    }

    pub(super) fn always(&mut self, call: Call, fault: Fault) {
        self.always.insert(call, fault);
    }

    pub(super) fn refuse(&mut self, entries: impl IntoIterator<Item = usize>) {
        self.refused.extend(entries);
    }

    /// The fault of a call that is made now.
    pub(super) fn of(&mut self, call: Call) -> Option<Fault> {
        match self.next.get_mut(&call).and_then(VecDeque::pop_front) {
            Some(scripted) => scripted,
            None => self.always.get(&call).copied(),
        }
    }

    /// The entries that are refused of the send that is made now.
    pub(super) fn refused(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.refused)
    }
}
