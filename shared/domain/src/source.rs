//! Third parties' sources: how one is configured, how what it says proves itself, and what it can
//! say at all.
//!
//! Akamai Identity Cloud is the only one. Its events come as Security Event Tokens (RFC 8417) to a
//! listener of ours that anybody can reach ([`crate::ingest::listener`]); a source's row says whose
//! key must be on them, and which property they belong to. Taking an event in is not done here.

mod akamai;
mod capability;
mod definition;
mod refusal;
mod row;

pub use akamai::{Audience, Ignored, Proven, Unproven};
pub use capability::{InVain, configured, warnings};
pub use definition::SourceDefinition;
pub use refusal::SetRefusal;
pub use row::AkamaiSource;

#[cfg(test)]
mod tests;
