//! A notification in the subscription's format, signed. What cannot be signed is not sent.

use super::content::Content;
use super::{Execution, OurFault, Ports};
use crate::ledger::Reason;
use crate::notification::{Notification, UnsignedWebhook, WebhookHeaders};
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

/// The notification that tells this to a subscription, or why there will never be one.
pub(super) async fn sign(
    content: Content<'_>,
    subscription: &Subscription,
    headers: &WebhookHeaders,
    execution: Execution<'_, impl Ports>,
) -> Result<Result<Notification, Reason>, OurFault> {
    let Execution { settings, ports, .. } = execution;
    match subscription.format {
        Format::Set => {
            let payload = content.token_payload(subscription, settings);
            let token = ports.sign(subscription.signing_algorithm, &payload).await?;
            Ok(Ok(Notification::Token(token)))
        }
        Format::StandardWebhooks => {
            let payload = content.webhook_payload(subscription, settings);
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
