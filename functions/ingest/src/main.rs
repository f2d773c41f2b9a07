//! Wires the ingest function. See the library beside it.

use adapters::panics::wordless;
use adapters::ports::IngestPorts;
use adapters::settings::{Environment, event_type_names};
use adapters::targets::Targets;
use domain::egress::EgressPolicy;
use domain::ingest::Settings;
use domain::limits::SUBSCRIPTIONS_STALENESS_MAX_MS;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[cfg(not(feature = "loopback-targets"))]
const EGRESS: EgressPolicy = EgressPolicy::production();
#[cfg(feature = "loopback-targets")]
const EGRESS: EgressPolicy = EgressPolicy::with_loopback_targets();

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    adapters::log::start(&Environment)?;
    let settings = Settings { names: event_type_names(&Environment)?, egress: EGRESS };
    let targets = Targets::new(EGRESS)?;
    let ports = IngestPorts::new(&Environment, targets, SUBSCRIPTIONS_STALENESS_MAX_MS)?;
    let handler = |event: LambdaEvent<_>| wordless(ingest::handle(event, &settings, &ports));
    lambda_runtime::run(service_fn(handler)).await
}
