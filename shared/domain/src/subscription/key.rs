//! Which subscription: what its row stands under.

use crate::id::SubscriptionId;
use crate::scope::Scope;

/// Which subscription. Its ID is unique within its scope alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionKey {
    /// Its scope; the row's `pk`.
    pub scope: Scope,
    /// Its ID; the row's `sk`, but for the prefix.
    pub subscription_id: SubscriptionId,
}
