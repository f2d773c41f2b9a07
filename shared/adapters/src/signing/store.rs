//! Where the keys are kept: a secret, read at the first need and again every five minutes.

use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use domain::time::Timestamp;
use tokio::sync::Mutex;

use super::SigningKeys;
use crate::clock;

/// Keys are read again when they are this old; a rotation is seen this much later at most.
const REFRESH_MS: u64 = 5 * 60 * 1_000;

/// After a failed refresh the keys we have are used on, and the secret is asked again this much later.
const REFRESH_AFTER_FAILURE_MS: u64 = 30 * 1_000;

/// There are no keys: the secret could not be read, or holds none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are no signing keys")]
pub struct NoKeys;

/// The signing keys of a deployment, as last read.
pub struct KeyStore {
    client: Client,
    secret_id: String,
    read: Mutex<Option<Read>>,
}

struct Read {
    keys: Arc<SigningKeys>,
    refresh_at: Timestamp,
}

impl KeyStore {
    /// The keys in this secret (its name or ARN).
    #[must_use]
    pub fn new(client: Client, secret_id: String) -> Self {
        Self { client, secret_id, read: Mutex::new(None) }
    }

    /// The keys. Once they have been read, a secret store that cannot be reached stops nothing.
    pub async fn keys(&self) -> Result<Arc<SigningKeys>, NoKeys> {
        let mut read = self.read.lock().await;
        let now = clock::now();
        if let Some(fresh) = read.as_ref().filter(|read| now < read.refresh_at) {
            return Ok(Arc::clone(&fresh.keys));
        }
        match (self.fetch().await, read.as_mut()) {
            (Some(keys), _) => {
                let keys = Arc::new(keys);
                let refresh_at = now.plus_ms(REFRESH_MS);
                *read = Some(Read { keys: Arc::clone(&keys), refresh_at });
                Ok(keys)
            }
            (None, Some(known)) => {
                known.refresh_at = now.plus_ms(REFRESH_AFTER_FAILURE_MS);
                Ok(Arc::clone(&known.keys))
            }
            (None, None) => Err(NoKeys),
        }
    }

    async fn fetch(&self) -> Option<SigningKeys> {
        let value = self.client.get_secret_value().secret_id(&self.secret_id).send().await;
        let secret = match value {
            Ok(output) => output.secret_string,
            Err(error) => {
                tracing::error!(
                    error = %DisplayErrorContext(&error),
                    "the secret with the signing keys could not be read"
                );
                return None;
            }
        };
        SigningKeys::parse(&secret.unwrap_or_default())
            .inspect_err(|error| tracing::error!(%error, "the secret holds no signing keys"))
            .ok()
    }
}
