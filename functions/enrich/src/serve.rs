//! A process of the function: set up from the environment, then one login after the other.

use adapters::panics::wordless;
use adapters::ports::EnrichPorts;
use adapters::settings::{
    Environment, endpoint_verification, enrich_budget_ms, event_type_names, issuer,
};
use adapters::targets::Targets;
use domain::egress::EgressPolicy;
use domain::enrich::{Memory, Settings};
use domain::limits::SUBSCRIPTIONS_STALENESS_MAX_MS;
use lambda_runtime::{Error, LambdaEvent, service_fn};

/// Answers logins until Lambda ends the process. What may be reached, and how, is told and not read.
pub async fn serve(targets: Targets, egress: EgressPolicy) -> Result<(), Error> {
    adapters::log::start(&Environment)?;
    let (names, staleness_ms) = (event_type_names(&Environment)?, SUBSCRIPTIONS_STALENESS_MAX_MS);
    let ports = EnrichPorts::new(&Environment, names.clone(), targets, staleness_ms)?;
    let settings = Settings {
        issuer: issuer(&Environment)?,
        names,
        budget_ms: enrich_budget_ms(&Environment)?,
        egress,
        endpoint_verification: endpoint_verification(&Environment)?,
    };
    // The first event does not wait for them; without them the first use tries again.
    ports.warm().await;
    let memory = Memory::default();
    let handler =
        |event: LambdaEvent<_>| wordless(crate::handle(event, &settings, &memory, &ports));
    lambda_runtime::run(service_fn(handler)).await
}
