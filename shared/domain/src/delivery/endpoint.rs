//! The handshake in the path of an attempt: whether its endpoint may be sent the event.
//!
//! Part of the attempt, by the same breaker and within the same deadline: an endpoint that does not
//! echo has failed the attempt, and is tried again on the schedule. It is sent nothing of the event.

use super::content::Content;
use super::sending::Ports;
use super::{Execution, OurFault, signing};
use crate::egress::GuardedUrl;
use crate::ledger::Reason;
use crate::outcome::Outcome;
use crate::sealing::Unsealed;
use crate::subscription::Subscription;
use crate::time::Deadline;
use crate::verification::{self, Challenge, Message, Place, Ports as _, Shaken, VerifiedUrl};

/// Whether an event may be posted to an endpoint.
pub(super) enum Endpoint {
    /// It may: it was verified before, by a neighbour just now, or need not be.
    Verified(VerifiedUrl),
    /// It may, and this attempt has found that out: the row is to say so.
    JustVerified(VerifiedUrl),
    /// It may not: this came of the handshake instead.
    Unverified(Outcome),
    /// There is nothing to sign a challenge with, and nothing to sign the event with either.
    Unsigned(Reason),
}

/// Looks whether the endpoint is verified, and shakes hands if not.
pub(super) async fn verified(
    url: GuardedUrl,
    subscription: &Subscription,
    deadline: Deadline,
    execution: Execution<'_, impl Ports>,
) -> Result<Endpoint, OurFault> {
    let Execution { settings, memory, ports, .. } = execution;
    let place = Place::of(subscription);
    let verification = subscription.verification(settings.endpoint_verification);
    let url = match memory.endpoints.admit(verification, &place, url, ports.now()) {
        Ok(url) => return Ok(Endpoint::Verified(url)),
        Err(url) => url,
    };
    let handshake = shake(url.clone(), subscription, deadline, execution);
    match memory.endpoints.shake(&place, url, handshake).await {
        Ok(Shaken::Own(Ok(url))) => {
            memory.endpoints.note(place, ports.now());
            Ok(Endpoint::JustVerified(url))
        }
        Ok(Shaken::Neighbour(Ok(url))) => Ok(Endpoint::Verified(url)),
        Ok(Shaken::Own(Err(outcome)) | Shaken::Neighbour(Err(outcome))) => {
            Ok(Endpoint::Unverified(outcome))
        }
        Err(Unsent::Ours(fault)) => Err(fault),
        Err(Unsent::Unsigned(reason)) => Ok(Endpoint::Unsigned(reason)),
    }
}

/// Why no challenge was sent.
enum Unsent {
    Ours(OurFault),
    Unsigned(Reason),
}

async fn shake(
    url: GuardedUrl,
    subscription: &Subscription,
    deadline: Deadline,
    execution: Execution<'_, impl Ports>,
) -> Result<Result<VerifiedUrl, Outcome>, Unsent> {
    let ports = execution.ports;
    let challenge = Challenge::new(ports.now(), ports.endpoints().dice());
    let headers = challenge.headers(subscription);
    let content = Content::Challenge(&challenge);
    let signed = match signing::sign(content, subscription, &headers, execution).await {
        Ok(Ok(signed)) => signed,
        Ok(Err(reason)) => return Err(Unsent::Unsigned(reason)),
        Err(fault) => return Err(Unsent::Ours(fault)),
    };
    let notification = match signed.notification(subscription, deadline, execution).await {
        Ok(notification) => notification,
        Err(Unsealed::KeyUnavailable) => return Ok(Err(Outcome::EncryptionKeyUnavailable)),
        Err(Unsealed::KeyUnusable) => {
            return Err(Unsent::Unsigned(Reason::EncryptionKeyUnusable));
        }
    };
    let message = Message { url, notification, headers, deadline };
    Ok(verification::run(&challenge, message, ports.endpoints()).await)
}
