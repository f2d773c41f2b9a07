//! Wires the sweeper function. See the library beside it.

use adapters::ports::SweepPorts;
use adapters::settings::Environment;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    adapters::log::start(&Environment)?;
    let ports = SweepPorts::new(&Environment)?;
    let handler = |event: LambdaEvent<_>| sweeper::handle(event, &ports);
    lambda_runtime::run(service_fn(handler)).await
}
