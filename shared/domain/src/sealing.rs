//! A signed token as its target may have it: in the clear, or encrypted to the target's own key.
//!
//! The one place where a token becomes a [`Notification`]. What a subscription says of encryption
//! decides, and when its key cannot be had there is no notification: nothing falls back to clear
//! text. Inside, byte for byte, is the token as it was signed (a nested JWT, RFC 7519 §5.2): who
//! wrote it, encryption does not say.

use std::future::Future;
use std::sync::Arc;

use crate::egress::{EgressPolicy, GuardedUrl};
use crate::jose::{Compact, CompactJwe, EncryptionKey, KeySet, NoKeySet};
use crate::notification::Notification;
use crate::subscription::Encryption;
use crate::time::Deadline;

/// What encryption needs from outside.
pub trait Ports: Sync {
    /// Encrypts a token, each time with a content key, an initialisation vector and, where the key
    /// is agreed on, an ephemeral key of its own.
    fn seal(&self, token: Compact, key: &EncryptionKey) -> Result<CompactJwe, KeyUnusable>;

    /// The key set behind a URL, fetched or remembered, at the deadline at the latest; fetched
    /// again, within reason, when it holds no key to encrypt to.
    fn encryption_keys(
        &self,
        url: &GuardedUrl,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Arc<KeySet>, NoKeySet>> + Send;
}

/// A key that looked like one cannot be encrypted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key cannot be encrypted to")]
pub struct KeyUnusable;

/// Why a token is not sent. The codes are those of ledger, logs and decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsealed {
    /// The target's key set could not be fetched for now: unreachable, an error, too slow, or no key
    /// set at all.
    #[error("encryption_key_unavailable")]
    KeyUnavailable,
    /// There is no key that can be encrypted to, and waiting does not give one: the key set holds
    /// none, its URL is not one that we fetch, or the key itself cannot be used.
    #[error("encryption_key_unusable")]
    KeyUnusable,
}

impl From<KeyUnusable> for Unsealed {
    fn from(KeyUnusable: KeyUnusable) -> Self {
        Self::KeyUnusable
    }
}

/// The token as its subscription wants it to be sent.
pub(crate) async fn notification(
    token: Compact,
    encryption: Option<&Encryption>,
    egress: EgressPolicy,
    deadline: Deadline,
    ports: &impl Ports,
) -> Result<Notification, Unsealed> {
    match encryption {
        None => Ok(Notification::Token(token)),
        Some(Encryption::Pinned(key)) => Ok(Notification::Encrypted(ports.seal(token, key)?)),
        Some(Encryption::Uri(uri)) => {
            let url = GuardedUrl::judge(uri, egress).map_err(|_| Unsealed::KeyUnusable)?;
            let keys = ports.encryption_keys(&url, deadline).await;
            let keys = keys.map_err(|NoKeySet| Unsealed::KeyUnavailable)?;
            let key = keys.encryption_key().ok_or(Unsealed::KeyUnusable)?;
            Ok(Notification::Encrypted(ports.seal(token, key)?))
        }
    }
}
