//! What one execution environment remembers between two messages: breakers, and which endpoints have
//! just been verified.

use crate::{breaker, verification};

/// What one execution environment remembers. One for its life.
#[derive(Default)]
pub struct Memory {
    pub(super) breakers: breaker::memory::Memory,
    pub(super) endpoints: verification::Memory,
}
