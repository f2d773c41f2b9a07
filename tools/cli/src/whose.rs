//! Of which subscription, as said on the command line.

use clap::Args;
use domain::id::{ClientId, PropertyId, SubscriptionId};
use domain::scope::Scope;
use domain::subscription::SubscriptionKey;

use crate::failure::Failure;

/// Of which subscription.
#[derive(Args)]
#[command(next_help_heading = "Which subscription")]
pub(crate) struct Whose {
    #[command(flatten)]
    scope: ScopeArguments,
    /// Its ID
    #[arg(long, value_name = "ID", value_parser = SubscriptionId::parse)]
    subscription: SubscriptionId,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct ScopeArguments {
    /// Of this property
    #[arg(long, value_name = "ID", value_parser = PropertyId::parse)]
    property: Option<PropertyId>,
    /// Of this client ID
    #[arg(long, value_name = "ID", value_parser = ClientId::parse)]
    client: Option<ClientId>,
}

impl Whose {
    /// The subscription that is meant.
    pub(crate) fn key(&self) -> Result<SubscriptionKey, Failure> {
        let ScopeArguments { property, client } = &self.scope;
        let property = property.clone().map(Scope::Property);
        let scope = property.or_else(|| client.clone().map(Scope::Client));
        let scope = scope.ok_or(Failure::Usage("say whose: --property or --client"))?;
        Ok(SubscriptionKey { scope, subscription_id: self.subscription.clone() })
    }
}
