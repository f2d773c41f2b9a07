//! The key that webhook secrets are sealed under: in KMS, which it never leaves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_kms::Client;
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use domain::delivery::{OurFault, Unsigned};
use domain::subscription::{SealedSecret, SubscriptionKey};
use domain::time::Timestamp;
use zeroize::Zeroizing;

use super::{WebhookKey, WebhookSecret};
use crate::aws::sentence;
use crate::clock;
use crate::lazy::Lazy;

/// An opened secret, or that it cannot be opened, is believed this long.
const OPENED_MS: u64 = 5 * 60 * 1_000;

/// That KMS could not be asked, is believed this long, so that the deliveries of a batch do not each
/// wait for the same outage.
const UNREACHABLE_MS: u64 = 1_000;

/// Secrets remembered at once. Beyond it the memory starts anew: it stays bounded.
const SECRETS_MAX: usize = 1_000;

/// A secret could not be sealed: KMS could not be reached, or there is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret could not be sealed")]
pub struct NotSealed;

/// Seals secrets, opens them, and remembers those that it has opened. Two that ask for the same one
/// share a call.
pub struct WebhookSecretStore {
    client: Lazy<Client>,
    key_id: Option<String>,
    opened: Mutex<HashMap<SealedSecret, Slot>>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Opened>>>;

#[derive(Clone)]
struct Opened {
    at: Timestamp,
    until: Timestamp,
    answer: Result<Arc<WebhookKey>, Unsigned>,
}

impl WebhookSecretStore {
    /// With this KMS key: its ARN, or for sealing an alias. Without one nothing can be opened.
    #[must_use]
    pub fn new(client: impl Into<Lazy<Client>>, key_id: Option<String>) -> Self {
        Self { client: client.into(), key_id, opened: Mutex::default() }
    }

    /// Seals a secret to its owner.
    pub async fn seal(
        &self,
        secret: &WebhookSecret,
        owner: &SubscriptionKey,
        now: Timestamp,
    ) -> Result<SealedSecret, NotSealed> {
        let data_key = self
            .client
            .generate_data_key()
            .set_key_id(self.key_id.clone())
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(context(owner)))
            .send()
            .await
            .map_err(|error| {
                tracing::error!(error = sentence(&error), "KMS gave no data key");
                NotSealed
            })?;
        let plaintext = data_key.plaintext.map(|blob| Zeroizing::new(blob.into_inner()));
        let plaintext = plaintext.ok_or(NotSealed)?;
        Ok(SealedSecret {
            owner: owner.clone(),
            ciphertext: secret.seal(&plaintext, owner).ok_or(NotSealed)?,
            data_key: data_key.ciphertext_blob.ok_or(NotSealed)?.into_inner(),
            created_at: now,
            expires_at: None,
        })
    }

    /// Opens a secret for its owner. What was opened less than five minutes ago needs no KMS.
    pub async fn open(&self, sealed: &SealedSecret) -> Result<Arc<WebhookKey>, Unsigned> {
        let slot = self.slot(sealed);
        let mut opened = slot.lock().await;
        let now = clock::now();
        // A clock that jumped back makes everything stale.
        if let Some(known) = opened.as_ref().filter(|it| it.at <= now && now < it.until) {
            return known.answer.clone();
        }
        let answer = self.ask(sealed).await;
        let (at, believed_ms) = match answer {
            Ok(_) | Err(Unsigned::SecretUnreadable) => (now, OPENED_MS),
            // From now: the call may have taken longer than its failure is believed.
            Err(Unsigned::Ours(_)) => (clock::now(), UNREACHABLE_MS),
        };
        *opened = Some(Opened { at, until: at.plus_ms(believed_ms), answer: answer.clone() });
        answer
    }

    async fn ask(&self, sealed: &SealedSecret) -> Result<Arc<WebhookKey>, Unsigned> {
        let (scope, subscription) = (sealed.owner.scope.key(), &sealed.owner.subscription_id);
        let Some(key_id) = &self.key_id else {
            tracing::error!(
                scope,
                %subscription,
                "a subscription has webhook secrets, and the stack no key for them"
            );
            return Err(Unsigned::SecretUnreadable);
        };
        let data_key = self
            .client
            .decrypt()
            .key_id(key_id)
            .ciphertext_blob(Blob::new(sealed.data_key.clone()))
            .set_encryption_context(Some(context(&sealed.owner)))
            .send()
            .await
            .map_err(|error| {
                tracing::error!(
                    scope, %subscription, error = sentence(&error),
                    "the data key of a webhook secret could not be decrypted"
                );
                error.as_service_error().map_or(OURS, blame)
            })?;
        let data_key = data_key.plaintext.ok_or(OURS)?;
        let data_key = Zeroizing::new(data_key.into_inner());
        let secret = WebhookSecret::open(&sealed.ciphertext, &data_key, &sealed.owner);
        let secret = secret.map_err(|error| {
            tracing::error!(scope, %subscription, %error, "a webhook secret could not be opened");
            Unsigned::SecretUnreadable
        })?;
        Ok(Arc::new(secret.key()))
    }

    fn slot(&self, sealed: &SealedSecret) -> Slot {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.len() >= SECRETS_MAX && !opened.contains_key(sealed) {
            opened.clear();
        }
        Arc::clone(opened.entry(sealed.clone()).or_default())
    }
}

const OURS: Unsigned = Unsigned::Ours(OurFault::WebhookSecretsKey);

/// Whose fault it is. That the data key is not one that this KMS key has made for this owner, no
/// waiting mends; everything else (throttling, a key that is disabled, a permission that is missing)
/// is ours, and may be over a moment later.
fn blame(error: &DecryptError) -> Unsigned {
    if error.is_invalid_ciphertext_exception() || error.is_incorrect_key_exception() {
        Unsigned::SecretUnreadable
    } else {
        OURS
    }
}

/// What KMS binds a data key to, and writes into its audit log.
fn context(owner: &SubscriptionKey) -> HashMap<String, String> {
    HashMap::from([
        ("scope".to_owned(), owner.scope.key()),
        ("subscription".to_owned(), owner.subscription_id.to_string()),
    ])
}
