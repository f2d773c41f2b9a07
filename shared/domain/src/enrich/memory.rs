//! What one execution environment remembers between two logins: breakers, and how many questions
//! may be asked again.

use super::gate::Breakers;
use super::retries::RetryBudget;

/// What one execution environment remembers. One for its life.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) breakers: Breakers,
    pub(super) retries: RetryBudget,
}
