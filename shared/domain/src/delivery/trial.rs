//! An endpoint tried out by an operator: a handshake, or an event made for the occasion, sent as a
//! delivery's first attempt is. It is no delivery: nothing is written down, nothing is tried again,
//! and no breaker is asked or told.

use super::content::Content;
use super::endpoint::{self, Endpoint};
use super::sending::Ports;
use super::{Execution, OurFault, Post, signing};
use crate::egress::{GuardedUrl, Refused};
use crate::event::Event;
use crate::id::DeliveryId;
use crate::ledger::Reason;
use crate::notification::WebhookHeaders;
use crate::outcome::Outcome;
use crate::sealing::Unsealed;
use crate::subscription::Subscription;
use crate::verification::VerifiedUrl;

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// The endpoint's URL is not one that is posted to.
    Refused(Refused),
    /// Nothing was sent, because it cannot be signed or encrypted.
    Unsigned(Reason),
    /// The endpoint has not shown that it wants notifications: this came of the handshake.
    Unverified(Outcome),
    /// The endpoint has shown it, or need not; no event was to be sent.
    Willing,
    /// This came of the event.
    Posted(Outcome),
}

/// Shakes hands where the subscription asks for it, whatever is remembered, and sends the event where
/// there is one.
pub async fn trial(
    event: Option<&Event>,
    subscription: &Subscription,
    execution: Execution<'_, impl Ports>,
) -> Result<Trial, OurFault> {
    let Execution { settings, ports, .. } = execution;
    let url = match GuardedUrl::judge(&subscription.endpoint, settings.egress) {
        Ok(url) => url,
        Err(rule) => return Ok(Trial::Refused(Refused::new(rule, &subscription.endpoint))),
    };
    let deadline = execution
        .invocation
        .attempt_deadline(ports.now(), subscription.retry.timeout_ms)
        .ok_or(OurFault::OutOfTime)?;
    let url = match endpoint::verified(url, subscription, deadline, execution).await? {
        Endpoint::Verified(url) | Endpoint::JustVerified(url) => url,
        Endpoint::Unverified(outcome) => return Ok(Trial::Unverified(outcome)),
        Endpoint::Unsigned(reason) => return Ok(Trial::Unsigned(reason)),
    };
    match event {
        None => Ok(Trial::Willing),
        Some(event) => post(event, url, subscription, execution).await,
    }
}

async fn post(
    event: &Event,
    url: VerifiedUrl,
    subscription: &Subscription,
    execution: Execution<'_, impl Ports>,
) -> Result<Trial, OurFault> {
    let ports = execution.ports;
    let id = DeliveryId::of(&event.scope, &event.id, &subscription.id);
    let headers = WebhookHeaders::of_attempt(id, ports.now(), 1, event);
    let content = Content::Event(event);
    let signed = match signing::sign(content, subscription, &headers, execution).await? {
        Ok(signed) => signed,
        Err(reason) => return Ok(Trial::Unsigned(reason)),
    };
    let deadline = execution
        .invocation
        .attempt_deadline(ports.now(), subscription.retry.timeout_ms)
        .ok_or(OurFault::OutOfTime)?;
    let notification = match signed.notification(subscription, deadline, execution).await {
        Ok(notification) => notification,
        Err(Unsealed::KeyUnavailable) => {
            return Ok(Trial::Posted(Outcome::EncryptionKeyUnavailable));
        }
        Err(Unsealed::KeyUnusable) => return Ok(Trial::Unsigned(Reason::EncryptionKeyUnusable)),
    };
    Ok(Trial::Posted(ports.post(Post { url, notification, headers, deadline }).await))
}
