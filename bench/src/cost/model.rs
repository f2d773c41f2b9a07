//! From a scenario to a bill. Each step counts what the code does, call by call; see the names in
//! ARCHITECTURE.md.
//!
//! Events come evenly, all of one size. Nothing is rounded down: where something is not known (how full
//! a batch is, whether a list of subscriptions is remembered) the dearer case counts.

mod deliveries;
mod fixed;
mod intake;
mod invocations;
mod logins;
mod sizes;
mod story;

#[cfg(test)]
mod tests;

use super::bill::Bill;
use super::inputs::Inputs;
use super::scenario::Scenario;

/// What a month comes to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What is billed whether anything happens or not.
    pub idle: Bill,
    /// What is billed for events and logins.
    pub used: Bill,
    /// Invocations that work events at once, on average.
    pub concurrency_of_events: f64,
    /// Invocations that work retries at once, on average.
    pub concurrency_of_retries: f64,
}

impl Outcome {
    /// All of it.
    #[must_use]
    pub fn bill(&self) -> Bill {
        let mut bill = self.idle.clone();
        bill.extend(self.used.clone());
        bill
    }

    /// Whether the mappings let as many invocations run as it needs.
    #[must_use]
    pub fn fits(&self, inputs: &Inputs) -> bool {
        self.concurrency_of_events <= inputs.stack.concurrency_of_events.value
            && self.concurrency_of_retries <= inputs.stack.concurrency_of_retries.value
    }
}

/// A month of this scenario.
#[must_use]
pub fn month(scenario: &Scenario, inputs: &Inputs) -> Outcome {
    let mut outcome = Outcome { idle: fixed::bill(scenario, inputs), ..Outcome::default() };
    let bill = &mut outcome.used;
    let queued = intake::count(scenario, inputs, bill);
    let worked = deliveries::count(scenario, inputs, queued, bill);
    logins::count(scenario, inputs, bill);
    outcome.concurrency_of_events = worked.concurrency_of_events;
    outcome.concurrency_of_retries = worked.concurrency_of_retries;
    outcome
}
