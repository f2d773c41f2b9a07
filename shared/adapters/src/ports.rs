//! The ports of each function and of operators' work, put together from this crate's parts and from settings.

mod aside;
mod delivery;
mod enrich;
mod explain;
mod ingest;
mod redrive;
mod secrets;
mod sending;
mod sweep;

pub use aside::AsidePorts;
pub use delivery::DeliveryPorts;
pub use enrich::EnrichPorts;
pub use explain::ExplainPorts;
pub use ingest::IngestPorts;
pub use redrive::RedrivePorts;
pub use secrets::SecretPorts;
pub use sending::SendingPorts;
pub use sweep::SweepPorts;

use crate::settings::SettingsError;
use crate::targets::NoClient;

/// A function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The HTTP client for targets could not be built.
    #[error(transparent)]
    Client(#[from] NoClient),
}
