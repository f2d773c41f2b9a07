//! What operators' work on webhook secrets is given.

use aws_config::SdkConfig;
use domain::delivery::OurFault;
use domain::subscription::{SealedSecret, SubscriptionKey, WebhookSecrets};
use domain::time::Timestamp;
use domain::webhook_secrets::{Found, Ports};

use crate::clock;
use crate::webhook_secrets::{SecretRows, WebhookSecret, WebhookSecretStore};

/// The subscriptions' rows and the key that secrets are sealed under.
pub struct SecretPorts {
    rows: SecretRows,
    store: WebhookSecretStore,
}

impl SecretPorts {
    /// On this table and this KMS key (its ARN, ID or alias).
    #[must_use]
    pub fn new(config: &SdkConfig, subscriptions: String, key_id: String) -> Self {
        let kms = aws_sdk_kms::Client::new(config);
        Self {
            rows: SecretRows::new(aws_sdk_dynamodb::Client::new(config), subscriptions),
            store: WebhookSecretStore::new(kms, Some(key_id)),
        }
    }
}

impl Ports for SecretPorts {
    type Secret = WebhookSecret;

    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn find(&self, owner: &SubscriptionKey) -> Result<Found, OurFault> {
        self.rows.find(owner).await
    }

    async fn make(
        &self,
        owner: &SubscriptionKey,
        now: Timestamp,
    ) -> Result<(WebhookSecret, SealedSecret), OurFault> {
        let secret = WebhookSecret::generate();
        let sealed = self.store.seal(&secret, owner, now).await;
        let sealed = sealed.map_err(|_| OurFault::WebhookSecretsKey)?;
        Ok((secret, sealed))
    }

    async fn write(
        &self,
        owner: &SubscriptionKey,
        before: &WebhookSecrets,
        after: &WebhookSecrets,
    ) -> Result<bool, OurFault> {
        self.rows.write(owner, before, after).await
    }
}
