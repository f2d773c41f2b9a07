//! What operators' work on the ledger is given.

use aws_config::SdkConfig;
use domain::delivery::OurFault;
use domain::id::{DeliveryId, SubscriptionId};
use domain::ledger::entry::{Entry, Filter};
use domain::redrive::{Audience, Found, Page, Ports, Position, Revival};
use domain::scope::Scope;
use domain::time::Timestamp;

use crate::audience::Audiences;
use crate::clock;
use crate::entries::Entries;

/// The ledger's entries and the subscriptions' rows.
pub struct RedrivePorts {
    entries: Entries,
    audiences: Audiences,
}

impl RedrivePorts {
    /// On these two tables.
    #[must_use]
    pub fn new(config: &SdkConfig, deliveries: String, subscriptions: String) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        Self {
            entries: Entries::new(dynamodb.clone(), deliveries),
            audiences: Audiences::new(dynamodb, subscriptions),
        }
    }
}

impl Ports for RedrivePorts {
    fn now(&self) -> Timestamp {
        clock::now()
    }

    async fn page(&self, filter: &Filter, after: Option<&Position>) -> Result<Page, OurFault> {
        self.entries.page(filter, after).await.map_err(|_| OurFault::Ledger)
    }

    async fn find(&self, delivery_id: &DeliveryId) -> Result<Found, OurFault> {
        self.entries.find(delivery_id).await.map_err(|_| OurFault::Ledger)
    }

    async fn audience(
        &self,
        scope: &Scope,
        subscription_id: &SubscriptionId,
    ) -> Result<Audience, OurFault> {
        self.audiences.of(scope, subscription_id).await.map_err(|_| OurFault::Subscriptions)
    }

    async fn revive(&self, found: &Entry, revival: &Revival) -> Result<bool, OurFault> {
        self.entries.revive(found, revival).await.map_err(|_| OurFault::Ledger)
    }
}
