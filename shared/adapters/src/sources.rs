//! The rows of third parties' sources in the table `subscriptions`, each remembered for at most 30
//! seconds. That there is none is remembered too: anybody may ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::Client;
use domain::id::CaptureApplicationId;
use domain::ingest::listener::NoSource;
use domain::limits::{SOURCES_REMEMBERED_MAX, SUBSCRIPTIONS_STALENESS_MAX_MS};
use domain::source::AkamaiSource;
use domain::time::Timestamp;

use crate::aws::sentence;
use crate::clock;
use crate::item::{s, to_json};
use crate::lazy::Lazy;

/// Reads sources by the application that they are of.
pub struct SourceTable {
    client: Lazy<Client>,
    table: String,
    staleness_max_ms: u64,
    read: Mutex<HashMap<CaptureApplicationId, Read>>,
}

struct Read {
    at: Timestamp,
    source: Option<Arc<AkamaiSource>>,
}

impl SourceTable {
    /// A reader of this table. `staleness_max_ms` is how old what it answers may be, at most 30 s.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, table: String, staleness_max_ms: u64) -> Self {
        let staleness_max_ms = staleness_max_ms.min(SUBSCRIPTIONS_STALENESS_MAX_MS);
        Self { client: client.into(), table, staleness_max_ms, read: Mutex::default() }
    }

    /// The source of an application; `None` when there is no row. What was remembered longer than
    /// the bound is not used, also when the table cannot be read.
    pub async fn of(
        &self,
        application: &CaptureApplicationId,
    ) -> Result<Option<Arc<AkamaiSource>>, NoSource> {
        let now = clock::now();
        if let Some(source) = self.remembered(application, now) {
            return Ok(source);
        }
        // Boxed: within a request it would make a future too deep for the compiler to lay out.
        let source = Box::pin(self.get(application)).await?.map(Arc::new);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() >= SOURCES_REMEMBERED_MAX {
            read.clear();
        }
        read.insert(application.clone(), Read { at: now, source: source.clone() });
        Ok(source)
    }

    #[expect(clippy::option_option, reason = "not remembered, and remembered that there is none")]
    fn remembered(
        &self,
        application: &CaptureApplicationId,
        now: Timestamp,
    ) -> Option<Option<Arc<AkamaiSource>>> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that jumped back makes everything stale.
        let is_fresh =
            |read: &&Read| now >= read.at && now.since_ms(read.at) < self.staleness_max_ms;
        read.get(application).filter(is_fresh).map(|read| read.source.clone())
    }

    async fn get(
        &self,
        application: &CaptureApplicationId,
    ) -> Result<Option<AkamaiSource>, NoSource> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(AkamaiSource::partition_key_of(application)))
            .key("sk", s(AkamaiSource::SORT_KEY))
            .send()
            .await;
        // Which application is not said before it is known: anybody may name one.
        let output = get.map_err(|error| {
            tracing::error!(error = sentence(&error), "a source's row could not be read");
            NoSource
        })?;
        let Some(row) = output.item else { return Ok(None) };
        let source = AkamaiSource::read(application, to_json(row)).map_err(|problem| {
            tracing::error!(%application, %problem, "a source's row makes no sense");
            NoSource
        })?;
        Ok(Some(source))
    }
}
