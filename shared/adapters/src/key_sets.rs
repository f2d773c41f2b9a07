//! Targets' and sources' key sets, fetched through the egress guard and remembered.
//!
//! When to fetch is [`KeyMemory`]'s to say. Here is that there is one fetch at a time for a URL,
//! whoever waits for it: it runs on its own, with a time limit of its own, so that it is not cut
//! off with the login or the event that began it, and nobody waits for it longer than its own
//! deadline.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::egress::GuardedUrl;
use domain::jose::{Fetched, KeyMemory, KeySet, KeyStep, Wanted, WantedKey};
use domain::limits::{KEY_SET_FETCH_MS, KEY_SETS_REMEMBERED_MAX};
use domain::time::{Deadline, Timestamp};
use tokio::sync::watch;

use crate::clock::{self, within};
use crate::targets::Targets;

/// A key set could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key set could not be had")]
pub struct NotHad;

/// All key sets, by URL.
pub struct KeySets {
    targets: Targets,
    urls: Mutex<HashMap<String, Arc<Slot>>>,
}

/// What is known of one URL. Never locked while anything is waited for.
#[derive(Default)]
struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    memory: KeyMemory,
    /// Closes when the fetch that is under way has ended.
    ended: Option<watch::Receiver<()>>,
}

/// When a fetch began, for whoever waits for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    Earlier,
    Now,
}

impl KeySets {
    /// No key set yet; fetched by this client.
    #[must_use]
    pub fn new(targets: Targets) -> Self {
        Self { targets, urls: Mutex::default() }
    }

    /// The key set behind a URL, at the deadline at the latest.
    pub async fn of(
        &self,
        url: &GuardedUrl,
        wanted: WantedKey<'_>,
        deadline: Deadline,
    ) -> Result<Arc<KeySet>, NotHad> {
        self.look_for(url, wanted.into(), deadline).await
    }

    /// As [`Self::of`], for the key in it that its target wants to be encrypted to.
    pub async fn for_encryption(
        &self,
        url: &GuardedUrl,
        deadline: Deadline,
    ) -> Result<Arc<KeySet>, NotHad> {
        self.look_for(url, Wanted::Encryption, deadline).await
    }

    async fn look_for(
        &self,
        url: &GuardedUrl,
        wanted: Wanted<'_>,
        deadline: Deadline,
    ) -> Result<Arc<KeySet>, NotHad> {
        let slot = self.slot(url.url().as_str());
        let mut fetched = Fetched::Before;
        let mut has_waited = false;
        loop {
            let (mut ended, until) = {
                let mut state = slot.state();
                match state.memory.step(wanted, fetched, clock::now(), deadline) {
                    KeyStep::Use(keys) => return Ok(keys),
                    KeyStep::GiveUp => return Err(NotHad),
                    KeyStep::Fetch(until) => {
                        let (ended, begun) = self.join(&slot, &mut state, url, wanted);
                        // Whatever is under way after the first wait has begun during it.
                        if begun == Begun::Now || has_waited {
                            fetched = Fetched::Since;
                        }
                        (ended, until)
                    }
                }
            };
            has_waited = true;
            // An error says that the fetch has ended, which is what is waited for.
            if within(until, ended.changed()).await.is_none() {
                return slot.state().memory.make_do(wanted, clock::now()).ok_or(NotHad);
            }
        }
    }

    /// Joins the fetch that is under way, or begins one.
    fn join(
        &self,
        slot: &Arc<Slot>,
        state: &mut State,
        url: &GuardedUrl,
        wanted: Wanted<'_>,
    ) -> (watch::Receiver<()>, Begun) {
        let begun_at = clock::now();
        let is_open = |ended: &&watch::Receiver<()>| ended.has_changed().is_ok();
        if let Some(ended) = state.ended.as_ref().filter(is_open)
            && state.memory.is_under_way(begun_at)
        {
            return (ended.clone(), Begun::Earlier);
        }
        state.memory.begin(wanted, begun_at);
        let (ending, ended) = watch::channel(());
        state.ended = Some(ended.clone());
        let (targets, url, slot) = (self.targets.clone(), url.clone(), Arc::clone(slot));
        tokio::spawn(async move {
            let fetched = fetch(&targets, &url, begun_at).await;
            slot.state().memory.end(fetched, begun_at, clock::now());
            drop(ending);
        });
        (ended, Begun::Now)
    }

    fn slot(&self, url: &str) -> Arc<Slot> {
        let mut urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        if urls.len() >= KEY_SETS_REMEMBERED_MAX && !urls.contains_key(url) {
            urls.clear();
        }
        Arc::clone(urls.entry(url.to_owned()).or_default())
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(targets: &Targets, url: &GuardedUrl, begun_at: Timestamp) -> Option<KeySet> {
    let deadline = Deadline::at(begun_at.plus_ms(KEY_SET_FETCH_MS));
    let document = targets.fetch(url, deadline).await.ok()?;
    KeySet::receive(document.content_type.as_deref(), &document.body)
        .inspect_err(|error| {
            tracing::warn!(%url, %error, "a target's key set is refused");
        })
        .ok()
}
