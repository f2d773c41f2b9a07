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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What is counted of a decision: the lines, without what is the same in each.
    fn counted(decision: &Decision) -> Vec<Value> {
        let read = |line: String| -> Value {
            let mut line: Value = serde_json::from_str(&line).expect("JSON");
            for name in ["_aws", "Stack"] {
                line.as_object_mut().expect("an object").remove(name);
            }
            line
        };
        of_decision(decision).lines("s", 0).into_iter().map(read).collect()
    }

    fn decision() -> Decision {
        let json = json!({
            "action": "allow", "custom_claims": {}, "decisionId": "d", "degraded": true,
            "reasons": ["timeout", "claim_conflict:secret-name"], "explanation": "",
            "targets": [], "elapsedMs": 1300,
        });
        let mut decision: Decision = serde_json::from_value(json).expect("a decision");
        decision.budget_ms = Some(1_500);
        decision
    }

    #[test]
    fn a_decision_is_counted_by_its_action_and_its_reasons_and_by_its_time() {
        assert_eq!(
            counted(&decision()),
            [
                json!({
                    "Decisions": 1, "DecisionReasons": [1, 1], "DecisionsDegraded": 1,
                    "DecisionMs": 1300, "BudgetLeftMs": 200, "DecisionsSlow": 1,
                }),
                json!({"Action": "allow", "Decisions": 1}),
                json!({"Reason": "claim_conflict", "DecisionReasons": 1}),
                json!({"Reason": "timeout", "DecisionReasons": 1}),
            ]
        );
    }

    #[test]
    fn four_fifths_of_the_time_are_not_slow_and_nothing_asked_is_not_either() {
        let mut quick = decision();
        quick.elapsed_ms = 1_200;
        assert!(counted(&quick)[0].get("DecisionsSlow").is_none());
        quick.budget_ms = None;
        assert!(counted(&quick)[0].get("BudgetLeftMs").is_none());
    }

    #[test]
    fn what_is_answered_again_is_not_counted_again() {
        let again = Decision { repeated: true, ..decision() };
        assert!(counted(&again).is_empty());
    }
}
