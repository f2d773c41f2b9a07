//! Wires the enrich function. See the library beside it.

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

#[cfg(not(feature = "loopback-targets"))]
const EGRESS: EgressPolicy = EgressPolicy::production();
#[cfg(feature = "loopback-targets")]
const EGRESS: EgressPolicy = EgressPolicy::with_loopback_targets();

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    adapters::log::start(&Environment)?;
    let names = event_type_names(&Environment)?;
    let staleness_max_ms = SUBSCRIPTIONS_STALENESS_MAX_MS;
    let targets = Targets::new(EGRESS)?;
    let ports = EnrichPorts::new(&Environment, names.clone(), targets, staleness_max_ms)?;
    let settings = Settings {
        issuer: issuer(&Environment)?,
        names,
        budget_ms: enrich_budget_ms(&Environment)?,
        egress: EGRESS,
        endpoint_verification: endpoint_verification(&Environment)?,
    };
    // The first event does not wait for them; without them the first use tries again.
    ports.warm().await;
    let memory = Memory::default();
    let handler =
        |event: LambdaEvent<_>| wordless(enrich::handle(event, &settings, &memory, &ports));
    lambda_runtime::run(service_fn(handler)).await
}
