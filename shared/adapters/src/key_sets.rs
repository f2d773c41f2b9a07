//! Targets' key sets, fetched through the egress guard and remembered.
//!
//! Fresh for ten minutes; one fetch at a time for a URL; an unknown `kid` fetches again at most
//! every 30 seconds; when the fetch fails, what we have serves for up to an hour.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::egress::GuardedUrl;
use domain::enrich::WantedKey;
use domain::jose::KeySet;
use domain::time::{Deadline, Timestamp};

use crate::clock::{self, within};
use crate::targets::Targets;

const FRESH_MS: u64 = 10 * 60 * 1_000;
const REFETCH_MS: u64 = 30 * 1_000;
const STALE_IF_ERROR_MS: u64 = 60 * 60 * 1_000;

/// How long a refetch may take while the keys we have would do.
const REFRESH_PATIENCE_MS: u64 = 300;

/// Key sets remembered at once. Beyond it the memory starts anew.
const URLS_MAX: usize = 500;

/// A key set could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key set could not be had")]
pub struct NotHad;

/// The key sets of all targets, by URL.
pub struct KeySets {
    targets: Targets,
    urls: Mutex<HashMap<String, Slot>>,
}

type Slot = Arc<tokio::sync::Mutex<Memory>>;

#[derive(Default)]
struct Memory {
    read: Option<(Timestamp, Arc<KeySet>)>,
    asked_at: Option<Timestamp>,
}

/// What is to be done about a wanted key, given what is remembered.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Use,
    Fetch,
    GiveUp,
}

impl Memory {
    fn has_key(&self, wanted: WantedKey<'_>) -> bool {
        self.read
            .as_ref()
            .is_some_and(|(_, keys)| keys.find(wanted.kid, wanted.algorithm).is_some())
    }

    fn step(&self, wanted: WantedKey<'_>, now: Timestamp) -> Step {
        let asked_lately =
            self.asked_at.is_some_and(|at| now >= at && now.since_ms(at) < REFETCH_MS);
        match &self.read {
            Some((at, _)) => {
                let is_fresh = now >= *at && now.since_ms(*at) < FRESH_MS;
                if asked_lately || (is_fresh && self.has_key(wanted)) {
                    Step::Use
                } else {
                    Step::Fetch
                }
            }
            // A key set that could not be had is asked for again by the next login but one second
            // later at the earliest: it must not stay unknown for half a minute.
            None => match self.asked_at {
                Some(at) if now >= at && now.since_ms(at) < 1_000 => Step::GiveUp,
                _ => Step::Fetch,
            },
        }
    }
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
        let slot = self.slot(url.url().as_str());
        let mut memory = within(deadline, slot.lock()).await.ok_or(NotHad)?;
        let now = clock::now();
        match memory.step(wanted, now) {
            Step::Use => {}
            Step::GiveUp => return Err(NotHad),
            Step::Fetch => {
                // With keys that would do, a host that hangs must not cost the login its time;
                // without, a fetch that only our own deadline cut off says nothing about the host.
                let has_key = memory.has_key(wanted);
                let patience =
                    Deadline::at(now.plus_ms(deadline.left_ms(now).min(REFRESH_PATIENCE_MS)));
                let until = if has_key { patience } else { deadline };
                let fetched = self.fetch(url, until).await;
                if has_key || fetched.is_some() || until.left_ms(clock::now()) > 0 {
                    memory.asked_at = Some(clock::now());
                }
                if let Some(keys) = fetched {
                    memory.read = Some((now, Arc::new(keys)));
                }
            }
        }
        match &memory.read {
            Some((at, keys)) if now.since_ms(*at) < STALE_IF_ERROR_MS => Ok(Arc::clone(keys)),
            _ => Err(NotHad),
        }
    }

    fn slot(&self, url: &str) -> Slot {
        let mut urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        if urls.len() >= URLS_MAX && !urls.contains_key(url) {
            urls.clear();
        }
        Arc::clone(urls.entry(url.to_owned()).or_default())
    }

    async fn fetch(&self, url: &GuardedUrl, deadline: Deadline) -> Option<KeySet> {
        let document = self.targets.fetch(url, deadline).await.ok()?;
        KeySet::parse(&document)
            .inspect_err(|error| tracing::warn!(%url, %error, "a target's key set is refused"))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::jose::Algorithm;

    fn memory(read_at_ms: Option<u64>, asked_at_ms: Option<u64>) -> Memory {
        let keys = br#"{"keys":[{"kty":"EC","crv":"P-256","kid":"known",
            "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
        let keys = Arc::new(KeySet::parse(keys).expect("a key set"));
        Memory {
            read: read_at_ms.map(|at| (Timestamp::from_ms(at), keys)),
            asked_at: asked_at_ms.map(Timestamp::from_ms),
        }
    }

    #[test]
    fn a_key_set_is_fetched_when_it_must_and_not_more_often_than_it_may() {
        let known = WantedKey { kid: Some("known"), algorithm: Algorithm::Es256 };
        let unknown = WantedKey { kid: Some("new"), algorithm: Algorithm::Es256 };
        let at = |ms| Timestamp::from_ms(ms);
        assert_eq!(memory(None, None).step(known, at(0)), Step::Fetch);
        assert_eq!(memory(None, Some(0)).step(known, at(999)), Step::GiveUp);
        assert_eq!(memory(None, Some(0)).step(known, at(1_000)), Step::Fetch);
        let fetched = memory(Some(0), Some(0));
        assert_eq!(fetched.step(known, at(FRESH_MS - 1)), Step::Use);
        assert_eq!(fetched.step(known, at(FRESH_MS)), Step::Fetch);
        assert_eq!(fetched.step(unknown, at(REFETCH_MS - 1)), Step::Use);
        assert_eq!(fetched.step(unknown, at(REFETCH_MS)), Step::Fetch);
    }
}
