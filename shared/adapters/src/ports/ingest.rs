//! What ingest is given.

use domain::ingest::{Outgoing, Ports};
use domain::message::Sent;
use domain::time::Timestamp;

use super::StartError;
use crate::aws::{self, CallLimits};
use crate::clock;
use crate::queue::{Grouped, Queue};
use crate::settings::{Strings, required};
use crate::signing::KeyStore;

/// The events queue, and the keys that are published.
pub struct IngestPorts {
    events: Queue,
    keys: KeyStore,
}

impl IngestPorts {
    /// From `EVENTS_QUEUE_URL`, `SIGNING_KEYS_SECRET_ID` and AWS's own variables.
    pub fn new(strings: &impl Strings) -> Result<Self, StartError> {
        let config = aws::config(strings, CallLimits::INGEST)?;
        let sqs = aws_sdk_sqs::Client::new(&config);
        let secrets = aws_sdk_secretsmanager::Client::new(&config);
        Ok(Self {
            events: Queue::new(sqs, required(strings, "EVENTS_QUEUE_URL")?),
            keys: KeyStore::new(secrets, required(strings, "SIGNING_KEYS_SECRET_ID")?),
        })
    }
}

impl Ports for IngestPorts {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    fn dice(&self) -> [u8; 10] {
        clock::dice()
    }

    async fn send(&self, messages: &[Outgoing]) -> Vec<Sent> {
        let messages: Vec<Grouped<'_>> = messages
            .iter()
            .map(|message| Grouped { group: &message.group, body: &message.body })
            .collect();
        self.events.send_all(&messages).await
    }

    async fn published_keys(&self) -> Option<String> {
        self.keys.keys().await.ok().map(|keys| keys.published().to_owned())
    }
}
