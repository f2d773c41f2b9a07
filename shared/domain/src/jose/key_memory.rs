//! What is remembered of one signer's key set, and when that is no longer enough.
//!
//! Pure: whoever keeps a memory brings the time and does the fetching, one fetch at a time. A
//! signer, a target or a third party's source, may change its keys without a failed login or a
//! refused event: a token with a `kid` that is not known has the set fetched at once, whenever it
//! was last read, but at most every 30 seconds: what is signed with another new key so soon after
//! such a fetch does not verify until they are over.

use std::sync::Arc;

use super::{Algorithm, KeySet};
use crate::limits::{
    KEY_SET_FETCH_MS, KEY_SET_FIRST_RETRY_MS, KEY_SET_FRESH_MS, KEY_SET_PATIENCE_MS,
    KEY_SET_REFETCH_MS, KEY_SET_STALE_MS,
};
use crate::time::{Deadline, Timestamp};

/// What a key set is looked into for.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    /// The key that an answer says it is signed with.
    Verifying(WantedKey<'a>),
    /// The key that the target wants to be encrypted to.
    Encryption,
}

impl Wanted<'_> {
    fn is_in(self, keys: &KeySet) -> bool {
        match self {
            Self::Verifying(key) => keys.find(key.kid, key.algorithm).is_some(),
            Self::Encryption => keys.encryption_key().is_some(),
        }
    }
}

impl<'a> From<WantedKey<'a>> for Wanted<'a> {
    fn from(key: WantedKey<'a>) -> Self {
        Self::Verifying(key)
    }
}

/// The key that a token says it is signed with.
#[derive(Clone, Copy, Debug)]
pub struct WantedKey<'a> {
    /// Its `kid`, where the token names one.
    pub kid: Option<&'a str>,
    /// The registered algorithm.
    pub algorithm: Algorithm,
}

/// A signer's key set could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key set could not be had")]
pub struct NoKeySet;

/// A key set as last read, and what became of reading it since.
#[derive(Default)]
pub struct KeyMemory {
    /// The set, and when the fetch began that brought it: it is at least that new.
    read: Option<(Timestamp, Arc<KeySet>)>,
    /// When a fetch last ended without a set. Forgotten at the next success.
    failed_at: Option<Timestamp>,
    /// When a fetch last began because the set did not hold a key that was looked for.
    missed_at: Option<Timestamp>,
    /// When the fetch began that is under way.
    begun_at: Option<Timestamp>,
}

/// Whether there was a fetch since the question about a key came up. What that has brought, or
/// failed to, is the last word on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Not since: the signer may have another set by now.
    Before,
    /// Since then.
    Since,
}

/// What is to be done about a wanted key.
pub enum KeyStep {
    /// This set is the answer, whether it holds the key or not.
    Use(Arc<KeySet>),
    /// Fetch the set, or wait for a fetch that is under way; then ask again. With keys that would
    /// do for now, no longer than until this deadline.
    Fetch(Deadline),
    /// Nothing can be said about the key, and it is too early to ask again.
    GiveUp,
}

impl KeyMemory {
    /// What is to be done now about a key that is looked for until this deadline.
    #[must_use]
    pub fn step<'a>(
        &self,
        wanted: impl Into<Wanted<'a>>,
        fetched: Fetched,
        now: Timestamp,
        deadline: Deadline,
    ) -> KeyStep {
        let Some((read_at, keys)) = self.kept(now) else {
            let failed_just_now = is_within(KEY_SET_FIRST_RETRY_MS, self.failed_at, now);
            return if failed_just_now { KeyStep::GiveUp } else { KeyStep::Fetch(deadline) };
        };
        let has_key = wanted.into().is_in(keys);
        if is_within(KEY_SET_FRESH_MS, Some(read_at), now) {
            let looked_just_now =
                is_within(KEY_SET_REFETCH_MS, self.missed_at, now) && !self.is_under_way(now);
            return if !has_key && fetched == Fetched::Before && !looked_just_now {
                KeyStep::Fetch(deadline)
            } else if has_key || self.failed_at.is_none() {
                KeyStep::Use(Arc::clone(keys))
            } else {
                KeyStep::GiveUp
            };
        }
        match (is_within(KEY_SET_REFETCH_MS, self.failed_at, now), has_key) {
            (true, true) => KeyStep::Use(Arc::clone(keys)),
            (true, false) => KeyStep::GiveUp,
            (false, true) => {
                // A host that hangs must not cost a login its time.
                // And what is left of it must do for the answer.
                let patience_ms = KEY_SET_PATIENCE_MS.min(deadline.left_ms(now) / 2);
                KeyStep::Fetch(Deadline::at(now.plus_ms(patience_ms)))
            }
            (false, false) => KeyStep::Fetch(deadline),
        }
    }

    /// The set for whoever has waited for it as long as [`KeyStep::Fetch`] says: the one at hand, if it
    /// is not too old and holds the key.
    #[must_use]
    pub fn make_do<'a>(
        &self,
        wanted: impl Into<Wanted<'a>>,
        now: Timestamp,
    ) -> Option<Arc<KeySet>> {
        let (_, keys) = self.kept(now)?;
        wanted.into().is_in(keys).then(|| Arc::clone(keys))
    }

    /// Whether there is a fetch to wait for. One that is older than a fetch may be was slept over by
    /// a frozen environment: its connection is dead, and nobody should wait for that to be seen.
    #[must_use]
    pub fn is_under_way(&self, now: Timestamp) -> bool {
        is_within(KEY_SET_FETCH_MS, self.begun_at, now)
    }

    /// Notes that a fetch begins for this key.
    pub fn begin<'a>(&mut self, wanted: impl Into<Wanted<'a>>, now: Timestamp) {
        self.begun_at = Some(now);
        let wanted = wanted.into();
        let lacks = |(_, keys): (Timestamp, &Arc<KeySet>)| !wanted.is_in(keys);
        if self.kept(now).is_some_and(lacks) {
            self.missed_at = Some(now);
        }
    }

    /// Notes what a fetch has brought that began at `begun_at` and ended at `ended_at`. One that
    /// was overtaken by a later one has nothing to say any more.
    pub fn end(&mut self, fetched: Option<KeySet>, begun_at: Timestamp, ended_at: Timestamp) {
        if self.begun_at == Some(begun_at) {
            self.begun_at = None;
        }
        let is_overtaken = |(read_at, _): &(Timestamp, Arc<KeySet>)| *read_at > begun_at;
        if self.read.as_ref().is_some_and(is_overtaken) {
            return;
        }
        match fetched {
            Some(keys) => {
                self.read = Some((begun_at, Arc::new(keys)));
                self.failed_at = None;
            }
            // A fetch over which the environment slept says nothing about the host.
            None if ended_at.since_ms(begun_at) <= KEY_SET_FETCH_MS * 2 => {
                self.failed_at = Some(ended_at);
            }
            None => {}
        }
    }

    fn kept(&self, now: Timestamp) -> Option<(Timestamp, &Arc<KeySet>)> {
        let (read_at, keys) = self.read.as_ref()?;
        (now.since_ms(*read_at) < KEY_SET_STALE_MS).then_some((*read_at, keys))
    }
}

/// Whether a moment lies at most so far back. A moment to come, after the clock was set back, does
/// not: better to ask once more than to wait for a time that may be far.
fn is_within(ms: u64, moment: Option<Timestamp>, now: Timestamp) -> bool {
    moment.is_some_and(|at| now >= at && now.since_ms(at) < ms)
}

#[cfg(test)]
mod tests;
