//! Where the keys are kept: a secret, read at the start and again every five minutes, and
//! perhaps keys in KMS, which sign there.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use domain::jose::{Algorithm, Compact};
use tokio::sync::Mutex;

use super::SigningKeys;
use super::kms::KmsKeys;
use super::memory::{Memory, Step};
use crate::aws::sentence;
use crate::clock;
use crate::lazy::Lazy;
use crate::settings::{SettingsError, Strings, optional, required};

/// What stands for a secret that was never filled, where keys in KMS make it dispensable.
const NONE_IN_THE_SECRET: &str = r#"{"keys":[]}"#;

/// There are no keys: the secret could not be read, or holds none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are no signing keys")]
pub struct NoKeys;

/// Why a token is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// The keys cannot be read, or whoever holds the key does not sign. It may be over in a moment.
    #[error("there is nothing to sign with now")]
    Unavailable,
    /// The keys were read, and none is current for the algorithm.
    #[error("there is no current key for the algorithm")]
    NoKey,
}

/// The signing keys of a deployment, as last read.
pub struct KeyStore {
    client: Lazy<Client>,
    secret_id: String,
    kms: Option<KmsKeys>,
    memory: Mutex<Memory>,
}

impl KeyStore {
    /// From `SIGNING_KEYS_SECRET_ID` (a name or an ARN) and `SIGNING_KMS_KEY_ID` (key IDs or ARNs,
    /// separated by commas; without it no key is in KMS).
    pub fn new(config: &SdkConfig, strings: &impl Strings) -> Result<Self, SettingsError> {
        let secret_id = required(strings, "SIGNING_KEYS_SECRET_ID")?;
        let kms = optional(strings, "SIGNING_KMS_KEY_ID")
            .map(|ids| KmsKeys::new(Lazy::new(config, aws_sdk_kms::Client::new), &ids));
        let client = Lazy::new(config, Client::new);
        Ok(Self { client, secret_id, kms, memory: Mutex::new(Memory::new()) })
    }

    /// The keys. Once they have been read, a secret store that cannot be reached, or that does not
    /// answer, or a secret that was damaged, stops nothing for 23 hours: a refresh is given 300 ms,
    /// every five minutes, or every half while it fails.
    pub async fn keys(&self) -> Result<Arc<SigningKeys>, NoKeys> {
        let mut memory = self.memory.lock().await;
        let now = clock::now();
        if let Step::Read(patience) = memory.step(now) {
            match tokio::time::timeout(patience, self.fetch()).await.ok().flatten() {
                Some(keys) => memory.learn(keys, now),
                None => memory.fail(clock::now()),
            }
        }
        memory.keys().ok_or(NoKeys)
    }

    /// Signs the payload of a token with the current key for this algorithm.
    pub async fn sign(&self, algorithm: Algorithm, payload: &str) -> Result<Compact, NotSigned> {
        let keys = self.keys().await.map_err(|NoKeys| NotSigned::Unavailable)?;
        match (&self.kms, keys.held(algorithm)) {
            (Some(kms), Some(held)) => kms.sign(held, payload).await,
            (None, _) | (_, None) => keys.sign(algorithm, payload),
        }
    }

    async fn fetch(&self) -> Option<SigningKeys> {
        let (secret, held) = match &self.kms {
            None => (self.secret().await?, Vec::new()),
            Some(kms) => {
                let (secret, held) = tokio::join!(self.secret(), kms.public_keys());
                (secret?, held?)
            }
        };
        SigningKeys::read(&secret, held)
            .inspect_err(|error| tracing::error!(%error, "the secret holds no signing keys"))
            .ok()
    }

    async fn secret(&self) -> Option<String> {
        let value = self.client.get_secret_value().secret_id(&self.secret_id).send().await;
        match value {
            Ok(output) => Some(output.secret_string.unwrap_or_default()),
            Err(error)
                if self.kms.is_some()
                    && error
                        .as_service_error()
                        .is_some_and(GetSecretValueError::is_resource_not_found_exception) =>
            {
                Some(NONE_IN_THE_SECRET.to_owned())
            }
            Err(error) => {
                tracing::error!(
                    error = sentence(&error),
                    "the secret with the signing keys could not be read"
                );
                None
            }
        }
    }
}
