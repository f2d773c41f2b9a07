//! Third parties' sources: their rows. The key sets of their hosts are served as those of targets.

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
}

impl World {
    /// Writes the row of a source, readable or not.
    pub fn put_source(&self, application: &str, row: Value) {
        self.lock().sources.rows.insert(application.to_owned(), row);
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
        let served = self.call(Call::SourceKeys, |state| state.target_keys.of(url)).await;
        served.ok().flatten().ok_or(NoKeySet)
    }
}
