//! JSON Schemas (draft 2020-12) of what people write: subscriptions, sources and events. For
//! editors and for checks before anything is deployed; the readers of this crate decide, and a test holds the two
//! together.
//!
//! A schema says nothing about what needs more than the text: whether a URL may be reached, whether a
//! key set holds a key.

mod event;
mod source;
mod subscription;

use serde_json::{Value, json};

pub use event::event;
pub use source::source;
pub use subscription::{definition, row};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// `[A-Za-z0-9_-]{1,64}`: event and subscription IDs.
fn token(description: &str) -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$", "description": description})
}

/// Printable ASCII without spaces and `#`: properties, clients and users.
fn name(bytes_max: usize, description: &str) -> Value {
    let pattern = format!("^[!-\"$-~]{{1,{bytes_max}}}$");
    json!({"type": "string", "pattern": pattern, "description": description})
}

#[cfg(test)]
mod tests;
