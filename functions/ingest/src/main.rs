//! Wires the ingest function. See the library beside it.

use adapters::panics::wordless;
use adapters::ports::IngestPorts;
use adapters::settings::{Environment, event_type_names};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    adapters::log::start(&Environment)?;
    let names = event_type_names(&Environment)?;
    let ports = IngestPorts::new(&Environment)?;
    let handler = |event: LambdaEvent<_>| wordless(ingest::handle(event, &names, &ports));
    lambda_runtime::run(service_fn(handler)).await
}
