//! Wires the enrich function. See the library beside it.

use adapters::targets::Targets;
use domain::egress::EgressPolicy;
use lambda_runtime::Error;

#[cfg(not(feature = "loopback-targets"))]
const EGRESS: EgressPolicy = EgressPolicy::production();
#[cfg(feature = "loopback-targets")]
const EGRESS: EgressPolicy = EgressPolicy::with_loopback_targets();

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    enrich::serve(Targets::new(EGRESS)?, EGRESS).await
}
