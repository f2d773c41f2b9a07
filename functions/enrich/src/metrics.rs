//! What a decision counts for in the stack's metrics.

use adapters::metrics::{Metric, Tally};
use domain::enrich::Decision;

/// A decision. One that is given again was counted when it was made.
pub(crate) fn of_decision(decision: &Decision) -> Tally {
    let mut tally = Tally::default();
    if decision.repeated {
        return tally;
    }
    tally.count_by(Metric::Decisions, decision.action.as_str());
    for reason in decision.reason_classes() {
        tally.count_by(Metric::DecisionReasons, reason);
    }
    tally.count(Metric::DecisionsDegraded, usize::from(decision.degraded));
    tally.add(Metric::DecisionMs, decision.elapsed_ms);
    if let Some(budget_ms) = decision.budget_ms {
        tally.add(Metric::BudgetLeftMs, budget_ms.saturating_sub(decision.elapsed_ms));
    }
    tally.count(Metric::DecisionsSlow, usize::from(decision.is_slow()));
    tally
}

/// A refusal that the platform hears of as an error of the function.
pub(crate) fn of_refusal_by_error() -> Tally {
    let mut tally = Tally::default();
    tally.count(Metric::LoginsRefusedByError, 1);
    tally
}
