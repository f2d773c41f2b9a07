//! The way to endpoints that are to show that they want notifications: challenges go out as
//! notifications do, and what came of them stands in the subscription's row.

use std::sync::Arc;

use domain::outcome::Outcome;
use domain::subscription::Subscription;
use domain::time::Deadline;
use domain::verification::{ChallengeDice, Message, Ports, Reply};

use crate::clock::{self, within};
use crate::subscriptions::SubscriptionTable;
use crate::targets::Targets;

/// The targets, and the table that knows which of them are verified.
pub struct Endpoints {
    targets: Targets,
    subscriptions: Arc<SubscriptionTable>,
}

impl Endpoints {
    /// By this client, in this table.
    #[must_use]
    pub fn new(targets: Targets, subscriptions: Arc<SubscriptionTable>) -> Self {
        Self { targets, subscriptions }
    }
}

impl Ports for Endpoints {
    fn dice(&self) -> ChallengeDice {
        clock::dice()
    }

    async fn post(&self, message: Message) -> Result<Reply, Outcome> {
        self.targets.challenge(message).await
    }

    async fn mark(&self, subscription: &Subscription, by: Deadline) {
        // What is not written by then is written by the next handshake.
        let _in_time = within(by, self.subscriptions.mark_verified(subscription)).await;
    }
}
