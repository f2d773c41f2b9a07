//! The handshake in the path of a login: whether its target may be asked about a user at all.
//!
//! Within the login's deadline and before the question, at the first login of a new endpoint. While
//! an endpoint has not shown that it wants to be asked, nothing is said to it and nothing stands in
//! for it but a challenge: its policy is that of a system which may be somebody else's.
//!
//! Logins that come at once shake hands each for itself, since none can wait for another's deadline;
//! Lambda gives an execution environment one login at a time.

use futures_util::future::join;

use super::signing::{self, Unsaid};
use super::{Execution, Ports};
use crate::egress::GuardedUrl;
use crate::limits::ENRICH_MARK_MS;
use crate::outcome::Outcome;
use crate::subscription::Subscription;
use crate::time::Deadline;
use crate::verification::{self, Challenge, Message, Place, Ports as _, VerifiedUrl};

/// Why a target may not be asked.
pub(super) enum Unverified {
    /// This came of the handshake.
    Outcome(Outcome),
    /// There was no challenge to send.
    Unsaid(Unsaid),
}

/// A target that may be asked.
pub(super) struct Endpoint {
    pub(super) url: VerifiedUrl,
    /// It has just shown that it wants to be: its row is to say so.
    pub(super) is_new: bool,
}

/// Whether it has shown that it wants to be asked, or need not.
pub(super) fn is_verified(
    subscription: &Subscription,
    execution: Execution<'_, impl Ports>,
) -> bool {
    let Execution { settings, memory, ports, .. } = execution;
    let verification = subscription.verification(settings.endpoint_verification);
    memory.endpoints.is_verified(verification, &Place::of(subscription), ports.now())
}

/// Looks whether the endpoint is verified, and shakes hands if not.
pub(super) async fn verified(
    url: GuardedUrl,
    subscription: &Subscription,
    deadline: Deadline,
    execution: Execution<'_, impl Ports>,
) -> Result<Endpoint, Unverified> {
    let Execution { settings, memory, ports, .. } = execution;
    let (place, now) = (Place::of(subscription), ports.now());
    let verification = subscription.verification(settings.endpoint_verification);
    let url = match memory.endpoints.admit(verification, &place, url, now) {
        Ok(url) => return Ok(Endpoint { url, is_new: false }),
        Err(url) => url,
    };
    let challenge = Challenge::new(now, ports.endpoints().dice());
    let payload = challenge.token_payload(subscription, &settings.issuer);
    let notification = signing::notification(&payload, subscription, deadline, execution)
        .await
        .map_err(Unverified::Unsaid)?;
    let headers = challenge.headers(subscription);
    let message = Message { url, notification, headers, deadline };
    let url = verification::run(&challenge, message, ports.endpoints())
        .await
        .map_err(Unverified::Outcome)?;
    memory.endpoints.note(place, ports.now());
    Ok(Endpoint { url, is_new: true })
}

/// Marks the row while the question is being answered. A login that is the first of a new endpoint
/// waits for that a little, or the row would never be marked for a target that answers at once; what
/// is not written by then is written by the next handshake.
pub(super) async fn mark_beside<T>(
    asking: impl Future<Output = T>,
    subscription: &Subscription,
    deadline: Deadline,
    ports: &impl Ports,
) -> T {
    let by = deadline.earlier(Deadline::at(ports.now().plus_ms(ENRICH_MARK_MS)));
    join(asking, ports.endpoints().mark(subscription, by)).await.0
}
