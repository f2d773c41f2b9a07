//! A process of the function: set up from the environment, then one batch after the other.

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

/// Works batches until Lambda ends the process. What may be reached, and how, is told and not read.
pub async fn serve(targets: Targets, egress: EgressPolicy) -> Result<(), Error> {
    adapters::log::start(&Environment)?;
    let (names, staleness_ms) = (event_type_names(&Environment)?, SUBSCRIPTIONS_STALENESS_MAX_MS);
    let ports = DeliveryPorts::new(&Environment, names.clone(), targets, staleness_ms)?;
    let retries_queue = adapters::queue::name_of(&required(&Environment, "RETRIES_QUEUE_URL")?);
    let settings = Settings {
        issuer: issuer(&Environment)?,
        names,
        schedule: schedule(&Environment)?,
        egress,
        endpoint_verification: endpoint_verification(&Environment)?,
    };
    // The first event does not wait for them; without them the first use tries again.
    ports.warm().await;
    let memory = Memory::default();
    let handler = |event: LambdaEvent<_>| {
        wordless(crate::handle(event, &retries_queue, &settings, &memory, &ports))
    };
    lambda_runtime::run(service_fn(handler)).await
}
