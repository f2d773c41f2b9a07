//! What sending is given: keys, webhook secrets, targets' keys and the way to the targets.

use std::sync::Arc;

use aws_config::SdkConfig;
use domain::delivery::sending::Ports;
use domain::delivery::{NoToken, OurFault, Post, Unsigned};
use domain::event_type::EventTypeNames;
use domain::jose::{Algorithm, Compact};
use domain::notification::Signature;
use domain::outcome::Outcome;
use domain::sealing;
use domain::subscription::SealedSecret;
use domain::time::Timestamp;
use domain::verification;
use futures_util::future::try_join_all;

use super::StartError;
use crate::clock;
use crate::endpoints::Endpoints;
use crate::key_sets::KeySets;
use crate::lazy::Lazy;
use crate::settings::{Strings, optional, required};
use crate::signing::{KeyStore, NotSigned};
use crate::subscriptions::SubscriptionTable;
use crate::targets::Targets;
use crate::webhook_secrets::WebhookSecretStore;

/// The keys, the webhook secrets, targets' keys and the way to the targets.
pub struct SendingPorts {
    keys: KeyStore,
    webhook_secrets: WebhookSecretStore,
    key_sets: KeySets,
    endpoints: Endpoints,
    targets: Targets,
}

impl SendingPorts {
    /// From `SIGNING_KEYS_SECRET_ID`, `SIGNING_KMS_KEY_ID` and `WEBHOOK_SECRETS_KEY_ID`, without
    /// which webhook secrets cannot be opened; and with the way to the targets, of which no variable
    /// decides anything. What endpoints have shown is noted in the table.
    pub fn new(
        config: &SdkConfig,
        strings: &impl Strings,
        targets: Targets,
        subscriptions: Arc<SubscriptionTable>,
    ) -> Result<Self, StartError> {
        let kms = Lazy::new(config, aws_sdk_kms::Client::new);
        let key_id = optional(strings, "WEBHOOK_SECRETS_KEY_ID");
        Ok(Self {
            keys: KeyStore::new(config, strings)?,
            webhook_secrets: WebhookSecretStore::new(kms, key_id),
            key_sets: KeySets::new(targets.clone()),
            endpoints: Endpoints::new(targets.clone(), subscriptions),
            targets,
        })
    }
}

impl SendingPorts {
    /// As [`Self::new`], without anybody beside it: the table is `SUBSCRIPTIONS_TABLE`.
    pub fn alone(
        config: &SdkConfig,
        strings: &impl Strings,
        targets: Targets,
        names: EventTypeNames,
    ) -> Result<Self, StartError> {
        let table = required(strings, "SUBSCRIPTIONS_TABLE")?;
        let dynamodb = Lazy::new(config, aws_sdk_dynamodb::Client::new);
        let subscriptions = SubscriptionTable::new(dynamodb, table, names, 0);
        Self::new(config, strings, targets, Arc::new(subscriptions))
    }
}

impl SendingPorts {
    /// Whether there is a current key for this algorithm; `None` when the keys cannot be read.
    pub async fn has_key(&self, algorithm: Algorithm) -> Option<bool> {
        self.keys.keys().await.ok().map(|keys| keys.has(algorithm))
    }

    /// Reads the keys before there is anything to sign.
    pub(super) async fn warm(&self) {
        // What cannot be read is logged, and read at the first need.
        let _ = self.keys.keys().await;
    }
}

impl Ports for SendingPorts {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn sign(&self, algorithm: Algorithm, payload: &str) -> Result<Compact, NoToken> {
        self.keys.sign(algorithm, payload).await.map_err(|error| match error {
            NotSigned::NoKey => NoToken::KeyMissing,
            NotSigned::Unavailable => NoToken::Ours(OurFault::SigningKey),
        })
    }

    async fn sign_webhook(
        &self,
        secrets: &[&SealedSecret],
        signing_input: &str,
    ) -> Result<Vec<Signature>, Unsigned> {
        let opened = secrets.iter().map(|secret| self.webhook_secrets.open(secret));
        let opened = try_join_all(opened).await?;
        let keys = self.keys.keys().await.map_err(|_| OurFault::SigningKey)?;
        let by_secrets = opened.iter().map(|key| Signature::V1(key.sign(signing_input)));
        Ok(by_secrets.chain(keys.sign_webhook(signing_input)).collect())
    }

    fn sealing(&self) -> &impl sealing::Ports {
        &self.key_sets
    }

    fn endpoints(&self) -> &impl verification::Ports {
        &self.endpoints
    }

    async fn post(&self, post: Post) -> Outcome {
        self.targets.post(post).await
    }
}
