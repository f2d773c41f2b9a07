//! What `workflows doctor` looks at: each part of a stack as facts for [`domain::doctor`], or why it
//! could not be seen. An operator's; no function has it.

mod api;
mod mappings;
mod queues;
mod tables;
mod trip;
mod unseen;

pub use api::{ApiFacts, api};
pub use mappings::{Mappings, mappings};
pub use queues::{QueueClient, queue};
pub use tables::{TableClient, table};
pub use trip::TripTables;
