//! What is said to a target about a login, signed and, where it wants that, encrypted: its challenge and
//! its question alike.

use super::{Execution, NoSigningKey, Ports};
use crate::notification::Notification;
use crate::sealing::{self, Unsealed};
use crate::subscription::Subscription;
use crate::time::Deadline;

/// Why nothing can be said to a target.
pub(super) enum Unsaid {
    /// We have no key to sign with.
    NoSigningKey,
    /// There is no key to encrypt to.
    NotSealed(Unsealed),
}

impl From<NoSigningKey> for Unsaid {
    fn from(NoSigningKey: NoSigningKey) -> Self {
        Self::NoSigningKey
    }
}

impl From<Unsealed> for Unsaid {
    fn from(why: Unsealed) -> Self {
        Self::NotSealed(why)
    }
}

/// Signs the payload of a token, and encrypts the token to a target that wants it.
pub(super) async fn notification(
    payload: &str,
    subscription: &Subscription,
    deadline: Deadline,
    execution: Execution<'_, impl Ports>,
) -> Result<Notification, Unsaid> {
    let Execution { settings, ports, .. } = execution;
    let token = ports.sign(subscription.signing_algorithm, payload, deadline).await?;
    let (encryption, sealing) = (subscription.encryption.as_ref(), ports.sealing());
    Ok(sealing::notification(token, encryption, settings.egress, deadline, sealing).await?)
}
