//! Where the keys are kept: a secret, read at the first need and again every five minutes.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use domain::time::Timestamp;
use tokio::sync::Mutex;

use super::SigningKeys;
use crate::aws::sentence;
use crate::clock;

/// Keys are read again when they are this old; a rotation is seen this much later at most.
const REFRESH_MS: u64 = 5 * 60 * 1_000;

/// After a failed refresh the keys we have are used on, and the secret is asked again this much later.
const REFRESH_AFTER_FAILURE_MS: u64 = 30 * 1_000;

/// How long a refresh may take while there are keys to go on with.
const REFRESH_PATIENCE: Duration = Duration::from_millis(300);

/// How long the first read may take; and how long its failure is remembered, so that the hundred
/// deliveries of a batch do not each wait for the same outage.
const FIRST_READ_PATIENCE: Duration = Duration::from_millis(1_500);
/// See [`FIRST_READ_PATIENCE`].
const FIRST_READ_AFTER_FAILURE_MS: u64 = 1_000;

/// There are no keys: the secret could not be read, or holds none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are no signing keys")]
pub struct NoKeys;

/// The signing keys of a deployment, as last read.
pub struct KeyStore {
    client: Client,
    secret_id: String,
    memory: Mutex<Memory>,
}

struct Memory {
    keys: Option<Arc<SigningKeys>>,
    refresh_at: Timestamp,
}

impl KeyStore {
    /// The keys in this secret (its name or ARN).
    #[must_use]
    pub fn new(client: Client, secret_id: String) -> Self {
        let memory = Memory { keys: None, refresh_at: Timestamp::from_ms(0) };
        Self { client, secret_id, memory: Mutex::new(memory) }
    }

    /// The keys. Once they have been read, a secret store that cannot be reached, or that does not
    /// answer, stops nothing: a refresh is given 300 ms, every five minutes, or every half while it
    /// fails.
    pub async fn keys(&self) -> Result<Arc<SigningKeys>, NoKeys> {
        let mut memory = self.memory.lock().await;
        let now = clock::now();
        if now < memory.refresh_at {
            return memory.keys.clone().ok_or(NoKeys);
        }
        // Set before the call: whoever is cancelled in the middle of it has asked for all.
        let patience = match memory.keys {
            Some(_) => {
                memory.refresh_at = now.plus_ms(REFRESH_AFTER_FAILURE_MS);
                REFRESH_PATIENCE
            }
            None => FIRST_READ_PATIENCE,
        };
        let fetched = tokio::time::timeout(patience, self.fetch()).await.ok().flatten();
        match fetched {
            Some(keys) => {
                memory.keys = Some(Arc::new(keys));
                memory.refresh_at = now.plus_ms(REFRESH_MS);
            }
            None if memory.keys.is_none() => {
                // From now: the read may have taken longer than its failure is remembered.
                memory.refresh_at = clock::now().plus_ms(FIRST_READ_AFTER_FAILURE_MS);
            }
            None => {}
        }
        memory.keys.clone().ok_or(NoKeys)
    }

    async fn fetch(&self) -> Option<SigningKeys> {
        let value = self.client.get_secret_value().secret_id(&self.secret_id).send().await;
        let secret = match value {
            Ok(output) => output.secret_string,
            Err(error) => {
                tracing::error!(
                    error = sentence(&error),
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
