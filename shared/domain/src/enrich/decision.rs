//! The decision: the strictest of what was heard, with claims, and why.

use serde::Serialize;

use super::Claims;
use super::target::{Heard, Voice};
use crate::id::SubscriptionId;
use crate::subscription::Action;

/// The answer to the login journey, as it goes over the wire. No `Debug`: it holds claims.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// `allow`, `block` or `challenge`.
    #[serde(serialize_with = "action_name")]
    pub action: Action,
    /// Claims for the user's tokens. None when the login is blocked or the decision degraded.
    #[serde(rename = "custom_claims")]
    pub custom_claims: Claims,
    /// By which a support engineer finds the log line.
    pub decision_id: String,
    /// Whether a policy spoke in the place of a target.
    pub degraded: bool,
    /// Why, as codes: `no_subscription`, `timeout`, `response_invalid:signature`,
    /// `claim_conflict:<name>` …
    pub reasons: Vec<String>,
    /// What each target said.
    pub targets: Vec<TargetReport>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// What one target said.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// Which subscription.
    pub subscription_id: SubscriptionId,
    /// `allow`, `block`, `challenge`, or why it does not count: `timeout`, `response_invalid:…`.
    pub outcome: String,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn action_name<S: serde::Serializer>(action: &Action, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(action.as_str())
}

/// What counts when we cannot ask for reasons of our own: the default of `onUnavailable`.
const WITHOUT_KNOWING: Action = Action::Challenge;

impl Decision {
    /// Nobody could be asked, because the table could not be read.
    pub(super) fn without_subscriptions(decision_id: String, elapsed_ms: u64) -> Self {
        Self {
            action: WITHOUT_KNOWING,
            custom_claims: Claims::new(),
            decision_id,
            degraded: true,
            reasons: vec!["subscriptions_unavailable".to_owned()],
            targets: Vec::new(),
            elapsed_ms,
        }
    }

    /// The strictest action wins; claims merge in the order of priorities, first wins.
    ///
    /// `unreadable` enrich rows count like targets that cannot be asked.
    pub(super) fn of(
        decision_id: String,
        mut heard: Vec<Heard>,
        unreadable: usize,
        elapsed_ms: u64,
    ) -> Self {
        heard.sort_by(|a, b| {
            (a.priority, &a.subscription_id).cmp(&(b.priority, &b.subscription_id))
        });
        let mut decision = Self {
            action: Action::Allow,
            custom_claims: Claims::new(),
            decision_id,
            degraded: unreadable > 0,
            reasons: Vec::new(),
            targets: Vec::new(),
            elapsed_ms,
        };
        if unreadable > 0 {
            decision.action = WITHOUT_KNOWING;
            decision.reasons.push("subscription_unreadable".to_owned());
        } else if heard.is_empty() {
            decision.reasons.push("no_subscription".to_owned());
        }
        for target in heard {
            decision.hear(target);
        }
        if decision.degraded || decision.action == Action::Block {
            decision.custom_claims.clear();
        }
        decision
    }

    fn hear(&mut self, target: Heard) {
        let (action, outcome) = match target.voice {
            Voice::Answered(answer) => {
                self.merge(answer.claims);
                (answer.action, answer.action.as_str().to_owned())
            }
            Voice::Silent(why, action) => {
                self.degraded = true;
                self.reasons.push(why.as_str().to_owned());
                (action, why.as_str().to_owned())
            }
            Voice::Unasked => {
                self.degraded = true;
                let outcome = "signing_key_unavailable".to_owned();
                self.reasons.push(outcome.clone());
                (WITHOUT_KNOWING, outcome)
            }
            Voice::Unopened => {
                self.degraded = true;
                let outcome = "decryption_key_unavailable".to_owned();
                self.reasons.push(outcome.clone());
                (WITHOUT_KNOWING, outcome)
            }
            Voice::Spoilt(why) => {
                let outcome = format!("response_invalid:{why}");
                self.reasons.push(outcome.clone());
                (Action::Block, outcome)
            }
        };
        self.action = self.action.max(action);
        self.targets.push(TargetReport {
            subscription_id: target.subscription_id,
            outcome,
            elapsed_ms: target.elapsed_ms,
        });
    }

    fn merge(&mut self, claims: Claims) {
        for (name, value) in claims {
            match self.custom_claims.get(&name) {
                None => {
                    self.custom_claims.insert(name, value);
                }
                Some(earlier) if *earlier == value => {}
                Some(_) => self.reasons.push(format!("claim_conflict:{name}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::AnswerRefusal;
    use super::super::answer::Answer;
    use super::super::claims::ClaimValue;
    use super::*;
    use crate::subscription::Unavailable;

    fn heard(id: &str, priority: u32, voice: Voice) -> Heard {
        let subscription_id = SubscriptionId::parse(id).expect("valid");
        Heard { subscription_id, priority, elapsed_ms: 1, voice }
    }

    fn says(action: Action, claims: &[(&str, &str)]) -> Voice {
        let claim = |(name, text): &(&str, &str)| {
            ((*name).to_owned(), ClaimValue::Text((*text).to_owned()))
        };
        Voice::Answered(Answer { action, claims: claims.iter().map(claim).collect() })
    }

    fn decide(heard: Vec<Heard>) -> serde_json::Value {
        let decision = Decision::of("d".to_owned(), heard, 0, 1);
        serde_json::to_value(decision).expect("JSON")
    }

    #[test]
    fn nobody_to_ask_is_an_allow_that_says_so() {
        let decision = decide(vec![]);
        assert_eq!(decision["action"], "allow");
        assert_eq!(decision["degraded"], false);
        assert_eq!(decision["reasons"], serde_json::json!(["no_subscription"]));
    }

    #[test]
    fn the_strictest_action_wins_and_a_block_carries_no_claims() {
        let decision = decide(vec![
            heard("a", 1, says(Action::Allow, &[("tier", "gold")])),
            heard("b", 2, says(Action::Block, &[])),
            heard("c", 3, says(Action::Challenge, &[])),
        ]);
        assert_eq!(decision["action"], "block");
        assert_eq!(decision["custom_claims"], serde_json::json!({}));
    }

    #[test]
    fn claims_merge_by_priority_and_conflicts_are_reported() {
        let decision = decide(vec![
            heard("a", 20, says(Action::Allow, &[("tier", "silver"), ("same", "x")])),
            heard("b", 10, says(Action::Allow, &[("tier", "gold"), ("same", "x")])),
        ]);
        assert_eq!(decision["custom_claims"], serde_json::json!({"same": "x", "tier": "gold"}));
        assert_eq!(decision["reasons"], serde_json::json!(["claim_conflict:tier"]));
        assert_eq!(decision["targets"][0]["subscriptionId"], "b");
    }

    #[test]
    fn i9_a_spoilt_answer_blocks_whatever_the_policy_says() {
        let decision = decide(vec![
            heard("a", 1, Voice::Spoilt(AnswerRefusal::Signature)),
            heard("b", 1, Voice::Silent(Unavailable::Timeout, Action::Allow)),
        ]);
        assert_eq!(decision["action"], "block");
        assert_eq!(decision["degraded"], true);
        assert_eq!(
            decision["reasons"],
            serde_json::json!(["response_invalid:signature", "timeout"])
        );
    }

    #[test]
    fn a_key_of_ours_that_is_missing_is_a_challenge_whatever_the_target_s_policy() {
        let decision = decide(vec![
            heard("a", 1, Voice::Unasked),
            heard("b", 2, says(Action::Allow, &[("tier", "gold")])),
        ]);
        assert_eq!(decision["action"], "challenge");
        assert_eq!(decision["reasons"], serde_json::json!(["signing_key_unavailable"]));
        assert_eq!(decision["custom_claims"], serde_json::json!({}), "degraded: no claims");
    }

    #[test]
    fn an_unreadable_enrich_row_does_not_let_logins_through() {
        let decision = Decision::of("d".to_owned(), vec![], 1, 1);
        assert_eq!(decision.action, Action::Challenge);
        assert_eq!(decision.reasons, ["subscription_unreadable"]);
    }
}
