//! What ingest is given.

use std::sync::Arc;

use domain::egress::GuardedUrl;
use domain::id::CaptureApplicationId;
use domain::ingest::{Begun, Idempotency, Outgoing, Ports, Posting, listener};
use domain::jose::{KeySet, NoKeySet, WantedKey};
use domain::message::Sent;
use domain::source::AkamaiSource;
use domain::time::{Deadline, Timestamp};

use super::StartError;
use crate::aws::{self, CallLimits};
use crate::clock;
use crate::ingested::IngestedTable;
use crate::key_sets::KeySets;
use crate::lazy::Lazy;
use crate::queue::{Grouped, Queue};
use crate::settings::{Strings, optional, required};
use crate::signing::KeyStore;
use crate::sources::SourceTable;
use crate::targets::Targets;

/// The events queue, the keys that are published, third parties' sources and their keys, and the
/// table of ingested events where there is one.
pub struct IngestPorts {
    events: Queue,
    keys: KeyStore,
    ingested: Option<IngestedTable>,
    sources: SourceTable,
    key_sets: KeySets,
}

impl IngestPorts {
    /// From `EVENTS_QUEUE_URL`, `SUBSCRIPTIONS_TABLE`, `SIGNING_KEYS_SECRET_ID`, `SIGNING_KMS_KEY_ID`,
    /// `INGESTED_TABLE` and AWS's own variables. Sources are at most `staleness_max_ms` old. Without `INGESTED_TABLE`
    /// idempotency is off.
    pub fn new(
        strings: &impl Strings,
        targets: Targets,
        staleness_max_ms: u64,
    ) -> Result<Self, StartError> {
        let config = aws::config(strings, CallLimits::INGEST)?;
        let sqs = Lazy::new(&config, aws_sdk_sqs::Client::new);
        let dynamodb = Lazy::new(&config, aws_sdk_dynamodb::Client::new);
        let table = required(strings, "SUBSCRIPTIONS_TABLE")?;
        let sources = SourceTable::new(dynamodb.clone(), table, staleness_max_ms);
        let ingested =
            optional(strings, "INGESTED_TABLE").map(|table| IngestedTable::new(dynamodb, table));
        Ok(Self {
            events: Queue::new(sqs, required(strings, "EVENTS_QUEUE_URL")?),
            keys: KeyStore::new(&config, strings)?,
            ingested,
            sources,
            key_sets: KeySets::new(targets),
        })
    }
}

impl Ports for IngestPorts {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn dice(&self) -> [u8; 10] {
        clock::dice()
    }

    fn idempotency(&self) -> Idempotency {
        match self.ingested {
            Some(_) => Idempotency::On,
            None => Idempotency::Off,
        }
    }

    async fn begin(&self, postings: &[Posting], now: Timestamp, by: Deadline) -> Vec<Begun> {
        match &self.ingested {
            Some(ingested) => ingested.begin(postings, now, by).await,
            None => vec![Begun::Unknown; postings.len()],
        }
    }

    async fn mark_sent(&self, postings: &[Posting], now: Timestamp, by: Deadline) {
        if let Some(ingested) = &self.ingested {
            ingested.mark_sent(postings, now, by).await;
        }
    }

    async fn send(&self, messages: &[Outgoing]) -> Vec<Sent> {
        let messages: Vec<Grouped<'_>> = messages
            .iter()
            .map(|message| Grouped {
                group: &message.group,
                body: &message.body,
                trace: message.trace,
            })
            .collect();
        self.events.send_all(&messages).await
    }

    async fn published_keys(&self) -> Option<String> {
        self.keys.keys().await.ok().map(|keys| keys.published().to_owned())
    }
}

impl listener::Ports for IngestPorts {
    async fn source(
        &self,
        application: &CaptureApplicationId,
    ) -> Result<Option<Arc<AkamaiSource>>, listener::NoSource> {
        self.sources.of(application).await
    }

    async fn key_set(
        &self,
        url: &GuardedUrl,
        wanted: WantedKey<'_>,
        deadline: Deadline,
    ) -> Result<Arc<KeySet>, NoKeySet> {
        self.key_sets.of(url, wanted, deadline).await.map_err(|_| NoKeySet)
    }
}
