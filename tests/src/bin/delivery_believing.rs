//! The delivery function, for targets on loopback that are believed by the word of one authority: its
//! certificate, in DER, is the file that `TARGETS_AUTHORITY` names.

use adapters::settings::{Environment, required};
use adapters::targets::Targets;
use domain::egress::EgressPolicy;
use lambda_runtime::Error;

const EGRESS: EgressPolicy = EgressPolicy::with_loopback_targets();

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let authority = std::fs::read(required(&Environment, "TARGETS_AUTHORITY")?)?;
    delivery::serve(Targets::believing(EGRESS, &authority)?, EGRESS).await
}
