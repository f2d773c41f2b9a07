//! An outside for ingest that takes everything at once: what is left is ingest's own.

use std::sync::Arc;

use adapters::clock;
use domain::egress::GuardedUrl;
use domain::id::CaptureApplicationId;
use domain::ingest::{Begun, Idempotency, Outgoing, Ports, Posting, listener};
use domain::jose::{KeySet, NoKeySet, WantedKey};
use domain::message::Sent;
use domain::source::AkamaiSource;
use domain::time::{Deadline, Timestamp};

/// The outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stub;

impl Ports for Stub {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn dice(&self) -> [u8; 10] {
        clock::dice()
    }

    fn idempotency(&self) -> Idempotency {
        Idempotency::Off
    }

    async fn begin(&self, postings: &[Posting], _: Timestamp, _: Deadline) -> Vec<Begun> {
        vec![Begun::Unknown; postings.len()]
    }

    async fn mark_sent(&self, _: &[Posting], _: Timestamp, _: Deadline) {}

    async fn send(&self, messages: &[Outgoing]) -> Vec<Sent> {
        vec![Sent::Confirmed; messages.len()]
    }

    async fn published_keys(&self) -> Option<String> {
        None
    }
}

impl listener::Ports for Stub {
    async fn source(
        &self,
        _: &CaptureApplicationId,
    ) -> Result<Option<Arc<AkamaiSource>>, listener::NoSource> {
        Ok(None)
    }

    async fn key_set(
        &self,
        _: &GuardedUrl,
        _: WantedKey<'_>,
        _: Deadline,
    ) -> Result<Arc<KeySet>, NoKeySet> {
        Err(NoKeySet)
    }
}
