//! Whose breaker it is, and the key of its item in the ledger's table.

use std::fmt;

use crate::id::SubscriptionId;
use crate::scope::Scope;

/// Whose breaker it is. A subscription's ID is unique in its scope only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BreakerKey {
    /// The subscription's scope.
    pub scope: Scope,
    /// The subscription.
    pub subscription_id: SubscriptionId,
}

const PREFIX: &str = "BREAKER#";

impl BreakerKey {
    /// The breaker of this subscription.
    #[must_use]
    pub fn new(scope: &Scope, subscription_id: &SubscriptionId) -> Self {
        Self { scope: scope.clone(), subscription_id: subscription_id.clone() }
    }

    /// Reads a key of the ledger's table, `BREAKER#<scope key>#<subscription ID>`.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        let (scope, subscription_id) = key.strip_prefix(PREFIX)?.rsplit_once('#')?;
        Some(Self {
            scope: Scope::try_from(scope.to_owned()).ok()?,
            subscription_id: SubscriptionId::parse(subscription_id).ok()?,
        })
    }
}

/// The key in the ledger's table.
impl fmt::Display for BreakerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}#{}", self.scope.key(), self.subscription_id)
    }
}
