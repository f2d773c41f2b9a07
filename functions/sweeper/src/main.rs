//! Wires the sweeper function. See the library beside it.

use adapters::panics::wordless;
use adapters::ports::SweepPorts;
use adapters::settings::Environment;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    adapters::log::start(&Environment)?;
    let ports = SweepPorts::new(&Environment)?;
    let handler = |event: LambdaEvent<_>| wordless(sweeper::handle(event, &ports));
    lambda_runtime::run(service_fn(handler)).await
}
