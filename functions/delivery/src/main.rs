//! Wires the delivery function. See the library beside it.

use adapters::panics::wordless;
use adapters::ports::DeliveryPorts;
use adapters::settings::{
    Environment, endpoint_verification, event_type_names, issuer, required, schedule,
};
use adapters::targets::Targets;
use domain::delivery::{Memory, Settings};
use domain::egress::EgressPolicy;
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
    let (targets, staleness_ms) = (Targets::new(EGRESS)?, SUBSCRIPTIONS_STALENESS_MAX_MS);
    let ports = DeliveryPorts::new(&Environment, names.clone(), targets, staleness_ms)?;
    let retries_queue = adapters::queue::name_of(&required(&Environment, "RETRIES_QUEUE_URL")?);
    let settings = Settings {
        issuer: issuer(&Environment)?,
        names,
        schedule: schedule(&Environment)?,
        egress: EGRESS,
        endpoint_verification: endpoint_verification(&Environment)?,
    };
    // The first event does not wait for them; without them the first use tries again.
    ports.warm().await;
    let memory = Memory::default();
    let handler = |event: LambdaEvent<_>| {
        wordless(delivery::handle(event, &retries_queue, &settings, &memory, &ports))
    };
    lambda_runtime::run(service_fn(handler)).await
}
