//! A notification in the subscription's format, signed, and encrypted where the subscription says
//! so. What cannot be signed or encrypted is not sent.

use super::content::Content;
use super::sending::Ports;
use super::{Execution, OurFault};
use crate::jose::Compact;
use crate::ledger::Reason;
use crate::notification::{Notification, SignedWebhook, UnsignedWebhook, WebhookHeaders};
use crate::sealing::{self, Unsealed};
use crate::subscription::{Format, Subscription};
use crate::time::Deadline;

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

/// What is signed and cannot be sent yet: [`Self::notification`] knows whether it may go as it is.
pub(super) enum Signed {
    Token(Compact),
    Webhook(SignedWebhook),
}

impl Signed {
    /// It, as its subscription wants it to be sent. A key set is fetched until the deadline.
    pub(super) async fn notification(
        self,
        subscription: &Subscription,
        deadline: Deadline,
        execution: Execution<'_, impl Ports>,
    ) -> Result<Notification, Unsealed> {
        let Execution { settings, ports, .. } = execution;
        match (self, &subscription.encryption) {
            (Self::Token(token), encryption) => {
                let (encryption, ports) = (encryption.as_ref(), ports.sealing());
                sealing::notification(token, encryption, settings.egress, deadline, ports).await
            }
            (Self::Webhook(webhook), None) => Ok(Notification::Webhook(webhook)),
            // Such a row is unreadable. Should there be one all the same, not in the clear.
            (Self::Webhook(_), Some(_)) => Err(Unsealed::KeyUnusable),
        }
    }
}

/// The notification that tells this to a subscription, signed, or why there will never be one.
pub(super) async fn sign(
    content: Content<'_>,
    subscription: &Subscription,
    headers: &WebhookHeaders,
    execution: Execution<'_, impl Ports>,
) -> Result<Result<Signed, Reason>, OurFault> {
    let Execution { settings, ports, .. } = execution;
    match subscription.format {
        Format::Set => {
            let payload = content.token_payload(subscription, settings);
            match ports.sign(subscription.signing_algorithm, &payload).await {
                Ok(token) => Ok(Ok(Signed::Token(token))),
                Err(NoToken::KeyMissing) => Ok(Err(Reason::SigningKeyMissing)),
                Err(NoToken::Ours(fault)) => Err(fault),
            }
        }
        Format::StandardWebhooks => {
            let payload = content.webhook_payload(subscription, settings);
            let webhook = UnsignedWebhook::new(headers, &payload);
            let secrets = subscription.webhook_secrets.standing(headers.timestamp);
            match ports.sign_webhook(&secrets, webhook.signing_input()).await {
                Ok(signatures) => {
                    let signed = webhook.signed(&signatures).map(Signed::Webhook);
                    Ok(signed.ok_or(Reason::SecretMissing))
                }
                Err(Unsigned::SecretUnreadable) => Ok(Err(Reason::SecretUnreadable)),
                Err(Unsigned::Ours(fault)) => Err(fault),
            }
        }
    }
}
