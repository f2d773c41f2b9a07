//! The ports of an explanation, on the world.

use domain::breaker;
use domain::delivery::OurFault;
use domain::event::Event;
use domain::explain::{Intake, Ports};
use domain::id::DeliveryId;
use domain::ingest::{Idempotency, Posting};
use domain::redrive::{self, Found};
use domain::scope::Scope;
use domain::time::Timestamp;
use serde_json::{Map, Value};

use super::faults::Call;
use super::ports::Failed;
use super::{State, World};

impl Ports for World {
    fn now(&self) -> Timestamp {
        World::now(self)
    }

    async fn rows(&self, scope: &Scope) -> Result<Vec<Map<String, Value>>, OurFault> {
        let rows = self.call(Call::Subscriptions, |state| state.subscriptions.of_scope(scope));
        rows.await.map_err(|Failed| OurFault::Subscriptions)
    }

    async fn find(&self, delivery_id: &DeliveryId) -> Result<Found, OurFault> {
        redrive::Ports::find(self, delivery_id).await
    }

    async fn event_of(&self, delivery_id: &DeliveryId) -> Result<Option<Event>, OurFault> {
        let event = |state: &mut State| {
            let items = state.ledger.items();
            let item = items.into_iter().find(|item| item.delivery_id == *delivery_id);
            item.map(|item| item.event)
        };
        self.call(Call::Look, event).await.map_err(|Failed| OurFault::Ledger)
    }

    async fn intake(&self, posting: &Posting) -> Intake {
        let look = |state: &mut State| match state.idempotency {
            Idempotency::Off => Intake::NotKept,
            Idempotency::On => state.ingested.look(posting, state.now),
        };
        self.call(Call::LookAtPosting, look).await.unwrap_or(Intake::NotAsked)
    }

    fn breakers(&self) -> &impl breaker::Ports {
        self
    }
}
