//! What a notification tells, in each format: an event, or a challenge.

use super::Settings;
use crate::event::Event;
use crate::notification::{payload, webhook_payload};
use crate::subscription::Subscription;
use crate::verification::Challenge;

/// What a notification tells.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    Event(&'a Event),
    Challenge(&'a Challenge),
}

impl Content<'_> {
    /// The payload of the token that tells it.
    pub(super) fn token_payload(self, subscription: &Subscription, settings: &Settings) -> String {
        let Settings { issuer, names, .. } = settings;
        match self {
            Self::Event(event) => payload(event, subscription, issuer, names),
            Self::Challenge(challenge) => challenge.token_payload(subscription, issuer),
        }
    }

    /// The body of the standard webhook that tells it.
    pub(super) fn webhook_payload(
        self,
        subscription: &Subscription,
        settings: &Settings,
    ) -> String {
        match self {
            Self::Event(event) => webhook_payload(event, subscription, &settings.names),
            Self::Challenge(challenge) => challenge.webhook_payload(),
        }
    }
}
