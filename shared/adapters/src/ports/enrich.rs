//! What enrich is given.

use std::sync::Arc;

use domain::egress::GuardedUrl;
use domain::enrich::{
    NoSigningKey, NoSubscriptions, NotOpened, Ports, Question, Reply, Silence, last_known_good,
    once,
};
use domain::event_type::EventTypeNames;
use domain::jose::{Algorithm, Compact, KeySet, NoKeySet, Sealed, WantedKey};
use domain::scope::Scope;
use domain::sealing;
use domain::subscription::Subscriptions;
use domain::time::{Deadline, Timestamp};
use domain::verification;

use super::StartError;
use crate::aws::{self, CallLimits};
use crate::clock::{self, within};
use crate::endpoints::Endpoints;
use crate::key_sets::KeySets;
use crate::known_good::KnownGoodTable;
use crate::lazy::Lazy;
use crate::logins::LoginsTable;
use crate::settings::{Strings, optional, required};
use crate::signing::KeyStore;
use crate::subscriptions::SubscriptionTable;
use crate::targets::Targets;

/// The subscriptions, the keys, targets' keys, the way to the targets, the logins that were decided
/// lately, and what is remembered of users where something is. No queue: the enrich path never enqueues.
pub struct EnrichPorts {
    subscriptions: Arc<SubscriptionTable>,
    keys: KeyStore,
    key_sets: KeySets,
    targets: Targets,
    endpoints: Endpoints,
    logins: LoginsTable,
    known_good: Option<KnownGoodTable>,
}

impl EnrichPorts {
    /// From `SUBSCRIPTIONS_TABLE`, `LOGINS_TABLE`, `KNOWN_GOOD_TABLE`, `SIGNING_KEYS_SECRET_ID`,
    /// `SIGNING_KMS_KEY_ID` and AWS's own variables, and with the way to the targets. Subscriptions are at most `staleness_max_ms` old. Without
    /// `KNOWN_GOOD_TABLE` nothing is remembered of users.
    pub fn new(
        strings: &impl Strings,
        names: EventTypeNames,
        targets: Targets,
        staleness_max_ms: u64,
    ) -> Result<Self, StartError> {
        let config = aws::config(strings, CallLimits::ENRICH)?;
        let dynamodb = Lazy::new(&config, aws_sdk_dynamodb::Client::new);
        let subscriptions = Arc::new(SubscriptionTable::new(
            dynamodb.clone(),
            required(strings, "SUBSCRIPTIONS_TABLE")?,
            names,
            staleness_max_ms,
        ));
        Ok(Self {
            subscriptions: Arc::clone(&subscriptions),
            keys: KeyStore::new(&config, strings)?,
            key_sets: KeySets::new(targets.clone()),
            endpoints: Endpoints::new(targets.clone(), subscriptions),
            targets,
            logins: LoginsTable::new(dynamodb.clone(), required(strings, "LOGINS_TABLE")?),
            known_good: optional(strings, "KNOWN_GOOD_TABLE")
                .map(|table| KnownGoodTable::new(dynamodb, table)),
        })
    }
}

impl EnrichPorts {
    /// Reads the keys while the execution environment starts, so that no login has to wait for them.
    pub async fn warm(&self) {
        // What cannot be read is logged, and read at the first need.
        let _ = self.keys.keys().await;
    }
}

impl Ports for EnrichPorts {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn dice(&self) -> [u8; 10] {
        clock::dice()
    }

    async fn subscriptions(
        &self,
        scope: &Scope,
        deadline: Deadline,
    ) -> Result<Arc<Subscriptions>, NoSubscriptions> {
        let read = within(deadline, self.subscriptions.of(scope)).await;
        read.and_then(Result::ok).ok_or(NoSubscriptions)
    }

    async fn sign(
        &self,
        algorithm: Algorithm,
        payload: &str,
        deadline: Deadline,
    ) -> Result<Compact, NoSigningKey> {
        let signed = within(deadline, self.keys.sign(algorithm, payload)).await;
        signed.and_then(Result::ok).ok_or(NoSigningKey)
    }

    fn sealing(&self) -> &impl sealing::Ports {
        &self.key_sets
    }

    fn endpoints(&self) -> &impl verification::Ports {
        &self.endpoints
    }

    async fn ask(&self, question: Question) -> Result<Reply, Silence> {
        self.targets.ask(question).await
    }

    async fn open(&self, sealed: Sealed, deadline: Deadline) -> Result<Vec<u8>, NotOpened> {
        let keys = within(deadline, self.keys.keys()).await.and_then(Result::ok);
        keys.ok_or(NotOpened::NoKey)?.open(sealed)
    }

    async fn key_set(
        &self,
        url: &GuardedUrl,
        wanted: WantedKey<'_>,
        deadline: Deadline,
    ) -> Result<Arc<KeySet>, NoKeySet> {
        self.key_sets.of(url, wanted, deadline).await.map_err(|_| NoKeySet)
    }

    fn once(&self) -> &impl once::Ports {
        &self.logins
    }

    fn last_known_good(&self) -> Option<&impl last_known_good::Ports> {
        self.known_good.as_ref()
    }
}
