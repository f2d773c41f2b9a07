//! What goes wrong, on script.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::time::Timestamp;

use super::{State, World};

/// A call of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Reading the subscriptions of a scope.
    Subscriptions,
    /// Signing a token.
    Sign,
    /// Signing a standard webhook.
    SignWebhook,
    /// Encrypting a token: one that fails says that the key cannot be used.
    Seal,
    /// Fetching the key set of a target.
    KeySet,
    /// A POST. No fault is injected: what a target does stands in its script.
    Post,
    /// Posting a challenge. As [`Self::Post`].
    Challenge,
    /// Noting that an endpoint is verified.
    MarkVerified,
    /// Disabling a subscription.
    Disable,
    /// Noting that a subscription is in trouble, or no more.
    NoteTrouble,
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
    /// Sending the portions of a fan-out: all entries of one call.
    SendPortions,
    /// Putting an unreadable record on a dead-letter queue.
    SetAside,
    /// Beginning a posting: one call for each.
    Begin,
    /// Noting a posting as sent: one call for each.
    MarkSent,
    /// Looking at what is known of a posting.
    LookAtPosting,
    /// Ingest's sending of messages: all entries of one call.
    Send,
    /// Reading the published keys.
    PublishedKeys,
    /// Reading the row of a source.
    Source,
    /// Fetching a source's key set.
    SourceKeys,
    /// Reading a page of the due-time index.
    Due,
    /// Marking a due item.
    Mark,
    /// Reading which breakers are to be looked at.
    DueBreakers,
    /// Reading what a breaker holds.
    Held,
    /// Giving up an item that cannot be read.
    GiveUp,
    /// Releasing a held delivery.
    Release,
    /// Removing a breaker.
    ForgetBreaker,
    /// The sweeper's sending of wake-ups: all entries of one call.
    WakeAll,
    /// Reading a page of a list.
    List,
    /// Looking at one delivery.
    Look,
    /// Making a dead letter pending.
    Revive,
    /// Looking at the webhook secrets of a row.
    FindSecrets,
    /// Making a webhook secret.
    MakeSecret,
    /// Writing the webhook secrets of a row.
    WriteSecrets,
    /// Taking a request of a login.
    Take,
    /// Looking whether a request is decided.
    LookForDecision,
    /// Noting a decision.
    KeepDecision,
    /// Reading what is remembered of a user.
    KnownGood,
    /// Saving a user's claims.
    SaveGood,
    /// Marking a user as refused.
    MarkRefused,
    /// Marking a user's access as ended.
    MarkRevoked,
}

/// What a call is made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// The subscriptions table.
    Subscriptions,
    /// The table of ledger items and breakers.
    Deliveries,
    /// The queues.
    Queues,
    /// The table of ingested events.
    Ingested,
    /// The table of logins.
    Logins,
    /// The table of last known good claims.
    KnownGood,
    /// The signing keys, and the key of the webhook secrets.
    Keys,
    /// A customer's target, or a source's host.
    Target,
}

impl Call {
    /// What it is made to.
    #[must_use]
    pub const fn service(self) -> Service {
        match self {
            Self::Subscriptions
            | Self::Source
            | Self::Disable
            | Self::NoteTrouble
            | Self::MarkVerified
            | Self::FindSecrets
            | Self::WriteSecrets => Service::Subscriptions,
            Self::Breaker
            | Self::WriteBreaker
            | Self::Record
            | Self::Claim
            | Self::Settle
            | Self::Due
            | Self::Mark
            | Self::DueBreakers
            | Self::Held
            | Self::GiveUp
            | Self::Release
            | Self::ForgetBreaker
            | Self::List
            | Self::Look
            | Self::Revive => Service::Deliveries,
            Self::Wake | Self::SendPortions | Self::SetAside | Self::Send | Self::WakeAll => {
                Service::Queues
            }
            Self::Begin | Self::MarkSent | Self::LookAtPosting => Service::Ingested,
            Self::Take | Self::LookForDecision | Self::KeepDecision => Service::Logins,
            Self::KnownGood | Self::SaveGood | Self::MarkRefused | Self::MarkRevoked => {
                Service::KnownGood
            }
            Self::Sign
            | Self::SignWebhook
            | Self::Seal
            | Self::PublishedKeys
            | Self::MakeSecret => Service::Keys,
            Self::Post | Self::Challenge | Self::KeySet | Self::SourceKeys => Service::Target,
        }
    }

    /// Whether whoever makes it goes on as if nothing were when it fails: what it is for is owed
    /// to no delivery.
    #[must_use]
    pub const fn is_best_effort(self) -> bool {
        match self {
            Self::Disable
            | Self::NoteTrouble
            | Self::MarkVerified
            | Self::Breaker
            | Self::WriteBreaker
            | Self::ForgetBreaker
            | Self::Take
            | Self::LookForDecision
            | Self::KeepDecision
            | Self::KnownGood
            | Self::SaveGood
            | Self::MarkRefused
            | Self::LookAtPosting => true,
            Self::Subscriptions
            | Self::Sign
            | Self::SignWebhook
            | Self::Seal
            | Self::KeySet
            | Self::MakeSecret
            | Self::FindSecrets
            | Self::MarkRevoked
            | Self::WriteSecrets
            | Self::Post
            | Self::Challenge
            | Self::Record
            | Self::Claim
            | Self::Settle
            | Self::Wake
            | Self::SendPortions
            | Self::SetAside
            | Self::Begin
            | Self::MarkSent
            | Self::Send
            | Self::PublishedKeys
            | Self::Source
            | Self::SourceKeys
            | Self::Due
            | Self::Mark
            | Self::DueBreakers
            | Self::Held
            | Self::GiveUp
            | Self::Release
            | Self::WakeAll
            | Self::List
            | Self::Look
            | Self::Revive => false,
        }
    }
}

impl Call {
    /// Whether its failure is what comes of an attempt, and is written down as that: nothing is
    /// done again for it.
    #[must_use]
    pub const fn is_of_the_target(self) -> bool {
        matches!(self, Self::Seal | Self::KeySet)
    }
}

/// Where a future waits: the request of a call travels, or its answer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Await {
    /// The call has not taken effect.
    Before(Call),
    /// It has, or has failed.
    After(Call),
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

impl World {
    /// What goes wrong with the next calls of this kind, one by one; `None` lets one pass.
    pub fn fault_next(&self, call: Call, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.lock().faults.next(call, faults);
    }

    /// What goes wrong with every call of this kind, after those of [`Self::fault_next`], until
    /// [`Self::heal`].
    pub fn fault_always(&self, call: Call, fault: Fault) {
        self.lock().faults.always(call, fault);
    }

    /// The entries (counted from 0) of the next [`Call::Send`] that the queue refuses.
    pub fn refuse_entries(&self, entries: impl IntoIterator<Item = usize>) {
        self.lock().faults.refuse(entries);
    }

    /// Ends all faults. Targets' scripts stay.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.faults = Faults::default();
        state.faults_per_mille = 0;
        state.down.clear();
        state.ledger.index.lag(0);
    }

    /// Lets this many of a thousand calls fail, by the seed's dice: half of them are not done, half
    /// are done and nobody told.
    pub fn misbehave(&self, faults_per_mille: u32) {
        self.lock().faults_per_mille = faults_per_mille;
    }

    /// Lets every call to a service fail until this moment.
    pub fn take_down(&self, service: Service, until: Timestamp) {
        self.lock().down.insert(service, until);
    }

    /// Lets the due-time index show changes this much later.
    pub fn lag_index(&self, lag_ms: u64) {
        self.lock().ledger.index.lag(lag_ms);
    }

    /// How many calls failed by chance.
    #[must_use]
    pub fn faults_injected(&self) -> usize {
        self.lock().faults_injected
    }

    /// How many calls of this kind were begun, whatever became of them.
    #[must_use]
    pub fn calls(&self, call: Call) -> usize {
        self.lock().calls.get(&call).copied().unwrap_or_default()
    }
}

impl State {
    /// The fault of a call that is made now: scripted, because its service is down, or by chance.
    pub(super) fn fault_of(&mut self, call: Call) -> Option<Fault> {
        let fault = self.faults.of(call).or_else(|| self.fault_by_chance(call));
        if fault.is_some() {
            self.note_fault(call);
        }
        fault
    }

    fn fault_by_chance(&mut self, call: Call) -> Option<Fault> {
        if self.down.get(&call.service()).is_some_and(|until| self.now < *until) {
            self.faults_injected += 1;
            return Some(Fault::NotDone);
        }
        let happens = self.chance.happens(self.faults_per_mille);
        happens.then(|| {
            self.faults_injected += 1;
            if self.chance.happens(500) { Fault::NotDone } else { Fault::ReplyLost }
        })
    }

    /// Whether an entry of a batch is refused, by chance, while the others are taken.
    pub(super) fn refuses_an_entry(&mut self, call: Call) -> bool {
        let refuses = self.chance.happens(self.faults_per_mille);
        if refuses {
            self.faults_injected += 1;
            self.note_fault(call);
        }
        refuses
    }
}
