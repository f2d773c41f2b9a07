//! Third parties' sources: their rows, and what their hosts serve as key sets.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::egress::GuardedUrl;
use domain::id::CaptureApplicationId;
use domain::ingest::listener::{self, NoSource};
use domain::jose::{KeySet, NoKeySet, WantedKey};
use domain::source::AkamaiSource;
use domain::time::Deadline;
use serde_json::Value;

use super::World;
use super::faults::Call;

#[derive(Default)]
pub(super) struct Sources {
    rows: BTreeMap<String, Value>,
    key_sets: BTreeMap<String, KeySet>,
}

impl World {
    /// Writes the row of a source, readable or not.
    pub fn put_source(&self, application: &str, row: Value) {
        self.lock().sources.rows.insert(application.to_owned(), row);
    }

    /// Has a host serve a key set.
    pub fn serve_keys(&self, url: &str, jwks: &Value) {
        let keys = KeySet::from_json(jwks).expect("a key set");
        self.lock().sources.key_sets.insert(url.to_owned(), keys);
    }
}

impl listener::Ports for World {
    async fn source(
        &self,
        application: &CaptureApplicationId,
    ) -> Result<Option<Arc<AkamaiSource>>, NoSource> {
        let find = |state: &mut super::State| {
            let row = state.sources.rows.get(application.as_str())?;
            let row = row.as_object().expect("a row is an object").clone();
            Some(AkamaiSource::read(application, row).map(Arc::new))
        };
        let found = self.call(Call::Source, find).await.map_err(|_| NoSource)?;
        found.transpose().map_err(|_| NoSource)
    }

    async fn key_set(
        &self,
        url: &GuardedUrl,
        _: WantedKey<'_>,
        _: Deadline,
    ) -> Result<Arc<KeySet>, NoKeySet> {
        let url = url.url().as_str();
        let find = |state: &mut super::State| state.sources.key_sets.get(url).cloned();
        let found = self.call(Call::SourceKeys, find).await;
        found.ok().flatten().map(Arc::new).ok_or(NoKeySet)
    }
}
