//! A notification in the subscription's format, signed. What cannot be signed is not sent.

use super::{Execution, OurFault, Ports};
use crate::event::Event;
use crate::ledger::Reason;
use crate::notification::{
    Notification, UnsignedWebhook, WebhookHeaders, payload, webhook_payload,
};
use crate::subscription::{Format, Subscription};

/// Why a standard webhook has no signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// Something of ours failed; it may be mended a moment later.
    #[error(transparent)]
    Ours(#[from] OurFault),
    /// A secret is not what was sealed for its owner: copied from another row, cut, or written by
    /// hand. Waiting does not help.
    #[error("a webhook secret is not one that was sealed for this subscription")]
    SecretUnreadable,
}

/// Why a token is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// Something of ours failed; it may be mended a moment later.
    #[error(transparent)]
    Ours(#[from] OurFault),
    /// The keys were read, and none is current for the algorithm that the subscription asks for.
    #[error("there is no current key for the algorithm")]
    KeyMissing,
}

/// The notification of an event to a subscription, or why there will never be one.
pub(super) async fn sign(
    event: &Event,
    subscription: &Subscription,
    headers: &WebhookHeaders,
    execution: Execution<'_, impl Ports>,
) -> Result<Result<Notification, Reason>, OurFault> {
    let Execution { settings, ports, .. } = execution;
    match subscription.format {
        Format::Set => {
            let payload = payload(event, subscription, &settings.issuer, &settings.names);
            match ports.sign(subscription.signing_algorithm, &payload).await {
                Ok(token) => Ok(Ok(Notification::Token(token))),
                Err(NoToken::KeyMissing) => Ok(Err(Reason::SigningKeyMissing)),
                Err(NoToken::Ours(fault)) => Err(fault),
            }
        }
        Format::StandardWebhooks => {
            let payload = webhook_payload(event, subscription, &settings.names);
            let webhook = UnsignedWebhook::new(headers, &payload);
            let secrets = subscription.webhook_secrets.standing(headers.timestamp);
            match ports.sign_webhook(&secrets, webhook.signing_input()).await {
                Ok(signatures) => {
                    let signed = webhook.signed(&signatures).map(Notification::Webhook);
                    Ok(signed.ok_or(Reason::SecretMissing))
                }
                Err(Unsigned::SecretUnreadable) => Ok(Err(Reason::SecretUnreadable)),
                Err(Unsigned::Ours(fault)) => Err(fault),
            }
        }
    }
}
