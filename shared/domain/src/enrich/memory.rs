//! What one execution environment remembers between two logins: breakers, how many questions may
//! be asked again, and which endpoints have just been verified.

use super::gate::Breakers;
use super::retries::RetryBudget;
use crate::verification;

/// What one execution environment remembers. One for its life.
#[derive(Default)]
pub struct Memory {
    pub(super) breakers: Breakers,
    pub(super) retries: RetryBudget,
    pub(super) endpoints: verification::Memory,
}
