//! What an explanation is given.

use aws_config::SdkConfig;
use domain::breaker;
use domain::delivery::OurFault;
use domain::event::Event;
use domain::event_type::EventTypeNames;
use domain::explain::{Intake, Ports};
use domain::id::DeliveryId;
use domain::ingest::Posting;
use domain::redrive::Found;
use domain::scope::Scope;
use domain::time::Timestamp;
use serde_json::{Map, Value};

use crate::breakers::Breakers;
use crate::clock;
use crate::entries::Entries;
use crate::ingested::IngestedTable;
use crate::subscriptions::SubscriptionTable;

/// The subscriptions' rows, the ledger's entries and breakers, and what ingest knows. All are only
/// read.
pub struct ExplainPorts {
    subscriptions: SubscriptionTable,
    entries: Entries,
    breakers: Breakers,
    ingested: IngestedTable,
}

impl ExplainPorts {
    /// On these three tables; the last one need not be there.
    #[must_use]
    pub fn new(
        config: &SdkConfig,
        subscriptions: String,
        deliveries: String,
        ingested: String,
    ) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        let names = EventTypeNames::default();
        Self {
            subscriptions: SubscriptionTable::new(dynamodb.clone(), subscriptions, names, 0),
            entries: Entries::new(dynamodb.clone(), deliveries.clone()),
            breakers: Breakers::new(dynamodb.clone(), deliveries),
            ingested: IngestedTable::new(dynamodb, ingested),
        }
    }
}

impl Ports for ExplainPorts {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn rows(&self, scope: &Scope) -> Result<Vec<Map<String, Value>>, OurFault> {
        self.subscriptions.rows(scope).await.map_err(|_| OurFault::Subscriptions)
    }

    async fn find(&self, delivery_id: &DeliveryId) -> Result<Found, OurFault> {
        self.entries.find(delivery_id).await.map_err(|_| OurFault::Ledger)
    }

    async fn event_of(&self, delivery_id: &DeliveryId) -> Result<Option<Event>, OurFault> {
        self.entries.event_of(delivery_id).await.map_err(|_| OurFault::Ledger)
    }

    async fn intake(&self, posting: &Posting) -> Intake {
        self.ingested.look(posting, clock::now()).await
    }

    fn breakers(&self) -> &impl breaker::Ports {
        &self.breakers
    }
}
