//! The decision: the strictest of what was heard, with claims, and why.

use serde::{Deserialize, Serialize};

use super::receipt::{self, TargetReport};
use super::voice::{Heard, Voice, WITHOUT_KNOWING};
use super::{Claims, claims, reason_class};
use crate::limits::ENRICH_SLOW_PERCENT;
use crate::subscription::Action;

/// The answer to the login journey, as it goes over the wire, and its receipt: what a support
/// engineer needs to say why a user was blocked. No `Debug`: it holds claims.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// `allow`, `block` or `challenge`.
    pub action: Action,
    /// Claims for the user's tokens. None when the login is blocked, or the decision degraded and not
    /// every target that did not answer has its last known good claims in it.
    #[serde(rename = "custom_claims")]
    pub custom_claims: Claims,
    /// By which a support engineer finds the log line.
    pub decision_id: String,
    /// Whether a policy spoke in the place of a target.
    pub degraded: bool,
    /// Why, as codes: `no_subscription`, `timeout`, `response_invalid:signature`,
    /// `claim_conflict:<name>` …
    pub reasons: Vec<String>,
    /// Why, in a sentence for people: no personal data, no claim.
    pub explanation: String,
    /// What each target said, in the order of their priorities.
    pub targets: Vec<TargetReport>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// How long it might have taken, in milliseconds: until the latest deadline of its targets.
    /// `None` where nobody was asked. For metrics, not for callers.
    #[serde(skip)]
    pub budget_ms: Option<u64>,
    /// Whether it was made for an earlier asking under the same `requestId`.
    #[serde(default, skip_serializing_if = "is_not")]
    pub repeated: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_not(flag: &bool) -> bool {
    !flag
}

impl Decision {
    /// Reads a stored decision. Whoever can write the table cannot put a claim into a token that no
    /// target could.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let decision: Self = serde_json::from_str(text).ok()?;
        claims::are_allowed(&decision.custom_claims).then_some(decision)
    }

    /// The reasons without what targets and subscriptions name: each one of two dozen, for metrics.
    pub fn reason_classes(&self) -> impl Iterator<Item = &'static str> {
        self.reasons.iter().map(|reason| reason_class::of(reason))
    }

    /// Whether it took more than four fifths of its time: the next step is a policy's answer.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        let most = |budget_ms: u64| budget_ms.saturating_mul(ENRICH_SLOW_PERCENT) / 100;
        self.budget_ms.is_some_and(|budget_ms| self.elapsed_ms > most(budget_ms))
    }

    /// Nobody could be asked, because the table could not be read.
    pub(super) fn without_subscriptions(decision_id: String, elapsed_ms: u64) -> Self {
        let why = "the subscriptions could not be read in time";
        Self::fallen_back(decision_id, elapsed_ms, "subscriptions_unavailable", why)
    }

    /// The same request was being decided elsewhere, and no decision was heard of in time.
    pub(super) fn undecided(decision_id: String, elapsed_ms: u64) -> Self {
        let why = "the same request was being decided already, and was not in time";
        Self::fallen_back(decision_id, elapsed_ms, "request_undecided", why)
    }

    fn fallen_back(decision_id: String, elapsed_ms: u64, reason: &str, why: &str) -> Self {
        let mut decision = Self::new(decision_id, elapsed_ms);
        decision.fall_back(reason);
        decision.explain(&[why.to_owned()]);
        decision
    }

    /// The same decision, for whoever asks again.
    pub(super) fn again(self) -> Self {
        Self { repeated: true, ..self }
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
        let mut decision = Self::new(decision_id, elapsed_ms);
        let has_gap = unreadable > 0 || heard.iter().any(|target| target.voice.leaves_gap());
        let mut clauses = Vec::new();
        if unreadable > 0 {
            decision.fall_back("subscription_unreadable");
            clauses.push((WITHOUT_KNOWING, "a subscription for logins cannot be read".to_owned()));
        } else if heard.is_empty() {
            decision.reasons.push("no_subscription".to_owned());
            clauses.push((Action::Allow, "no subscription asks about this client".to_owned()));
        }
        for target in heard {
            if let Some(action) = target.voice.action() {
                clauses.push((action, receipt::because(&target)));
            }
            decision.hear(target);
        }
        decision.withhold_claims(has_gap);
        // What decided, and not what was outvoted.
        let action = decision.action;
        let deciding = clauses.into_iter().filter(|(counted, _)| *counted == action);
        decision.explain(&deciding.map(|(_, clause)| clause).collect::<Vec<_>>());
        decision
    }

    fn new(decision_id: String, elapsed_ms: u64) -> Self {
        Self {
            action: Action::Allow,
            custom_claims: Claims::new(),
            decision_id,
            degraded: false,
            reasons: Vec::new(),
            explanation: String::new(),
            targets: Vec::new(),
            elapsed_ms,
            budget_ms: None,
            repeated: false,
        }
    }

    /// For a reason of ours: a login never fails open by accident.
    fn fall_back(&mut self, reason: &str) {
        self.action = self.action.max(WITHOUT_KNOWING);
        self.degraded = true;
        self.reasons.push(reason.to_owned());
    }

    fn hear(&mut self, target: Heard) {
        self.targets.push(TargetReport::of(&target));
        let action = target.voice.action();
        match target.voice {
            Voice::Judged(judged) => match judged.into_inner() {
                Ok(answer) => self.merge(answer.claims),
                Err(why) => self.reasons.push(receipt::invalid(why)),
            },
            Voice::Silent(why, _) => {
                self.degraded = true;
                self.reasons.push(why.as_str().to_owned());
            }
            Voice::Recalled(why, good) => {
                self.degraded = true;
                self.reasons.push(receipt::recalled(why));
                self.merge(good.claims);
            }
            Voice::NoSigningKey => self.fall_back(receipt::NO_SIGNING_KEY),
            Voice::NotOpened => self.fall_back(receipt::NO_DECRYPTION_KEY),
            Voice::NotSealed(why) => self.fall_back(&why.to_string()),
            Voice::Unverified => self.fall_back(receipt::UNVERIFIED),
            Voice::EndpointRefused(_) => self.fall_back(receipt::ENDPOINT_REFUSED),
            Voice::Abandoned => {}
        }
        self.action = action.map_or(self.action, |action| self.action.max(action));
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

    /// A blocked login has no tokens; and to claims that were merged without one target the one that
    /// is missing might have objected. What it gave before fills its place, in a login that passes:
    /// a challenge is a refusal, and nothing of before outlives that.
    fn withhold_claims(&mut self, has_gap: bool) {
        let is_whole = match self.action {
            Action::Allow => !has_gap,
            Action::Challenge => !self.degraded,
            Action::Block => false,
        };
        if is_whole {
            return;
        }
        if !self.custom_claims.is_empty() && self.action != Action::Block {
            self.reasons.push("claims_withheld".to_owned());
        }
        self.custom_claims.clear();
    }

    fn explain(&mut self, clauses: &[String]) {
        self.explanation = format!("{}: {}", self.action.as_str(), clauses.join("; "));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::AnswerRefusal;
    use super::super::answer::Answer;
    use super::super::claims::ClaimValue;
    use super::super::last_known_good::{Giver, Good};
    use super::super::voice::Notes;
    use super::*;
    use crate::id::SubscriptionId;
    use crate::subscription::Unavailable;
    use crate::time::{Deadline, Timestamp};

    fn heard(id: &str, priority: u32, voice: Voice) -> Heard {
        let subscription_id = SubscriptionId::parse(id).expect("valid");
        Heard { subscription_id, priority, elapsed_ms: 1, asked: 1, notes: Notes::default(), voice }
    }

    fn says(action: Action, claims: &[(&str, &str)]) -> Voice {
        let claim = |(name, text): &(&str, &str)| {
            ((*name).to_owned(), ClaimValue::Text((*text).to_owned()))
        };
        judged(Ok(Answer { action, claims: claims.iter().map(claim).collect() }))
    }

    fn judged(said: Result<Answer, AnswerRefusal>) -> Voice {
        let deadline = Deadline::at(Timestamp::from_ms(1));
        Voice::Judged(deadline.in_time(said, Timestamp::from_ms(0)).expect("in time"))
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
            heard("a", 1, judged(Err(AnswerRefusal::Signature))),
            heard("b", 1, Voice::Silent(Unavailable::Timeout, Action::Allow)),
        ]);
        assert_eq!(decision["action"], "block");
        assert_eq!(decision["degraded"], true);
        assert_eq!(
            decision["reasons"],
            serde_json::json!(["response_invalid:signature", "timeout"])
        );
    }

    fn recalled(claims: &[(&str, &str)]) -> Voice {
        let claims = serde_json::to_string(&claims.iter().copied().collect::<BTreeMap<_, _>>());
        let at = Timestamp::from_ms(1_795_428_000_000);
        let good = Good::read(&claims.expect("JSON"), at, Giver::stored("g")).expect("claims");
        Voice::Recalled(Unavailable::Timeout, good)
    }

    #[test]
    fn claims_of_before_fill_the_place_of_a_target_by_its_priority() {
        let decision = decide(vec![
            heard("a", 1, recalled(&[("tier", "gold"), ("old", "x")])),
            heard("b", 2, says(Action::Allow, &[("tier", "silver"), ("new", "y")])),
        ]);
        assert_eq!((&decision["action"], &decision["degraded"]), (&json!("allow"), &json!(true)));
        assert_eq!(decision["custom_claims"], json!({"tier": "gold", "old": "x", "new": "y"}),);
        let reasons = json!(["last_known_good:timeout", "claim_conflict:tier"]);
        assert_eq!(decision["reasons"], reasons);
        let target = &decision["targets"][0];
        assert_eq!((&target["outcome"], &target["action"]), (&reasons[0], &json!("allow")));
        assert_eq!((&target["source"], &target["freshness"]), (&json!("policy"), &json!("cached")));
        assert_eq!(target["policy"], "onUnavailable.timeout");
        assert_eq!(target["asOf"], "2026-11-23T10:00:00Z");
    }

    #[test]
    fn one_target_without_claims_of_before_leaves_none_to_anybody() {
        for other in [
            Voice::Silent(Unavailable::Timeout, Action::Allow),
            Voice::NoSigningKey,
            says(Action::Challenge, &[("new", "y")]),
            says(Action::Block, &[]),
            judged(Err(AnswerRefusal::Key)),
        ] {
            let decision =
                decide(vec![heard("a", 1, recalled(&[("tier", "gold")])), heard("b", 2, other)]);
            assert_eq!(decision["custom_claims"], json!({}), "{decision}");
            assert_eq!(decision["degraded"], true);
        }
        let good = vec![heard("a", 1, recalled(&[("tier", "gold")]))];
        assert!(Decision::of("d".to_owned(), good, 1, 1).custom_claims.is_empty(), "unreadable");
    }

    #[test]
    fn a_key_of_ours_that_is_missing_is_a_challenge_whatever_the_target_s_policy() {
        let decision = decide(vec![
            heard("a", 1, Voice::NoSigningKey),
            heard("b", 2, says(Action::Allow, &[("tier", "gold")])),
        ]);
        assert_eq!(decision["action"], "challenge");
        let reasons = serde_json::json!(["signing_key_unavailable", "claims_withheld"]);
        assert_eq!(decision["reasons"], reasons);
        assert_eq!(decision["custom_claims"], serde_json::json!({}), "degraded: no claims");
    }

    #[test]
    fn an_unreadable_enrich_row_does_not_let_logins_through() {
        let decision = Decision::of("d".to_owned(), vec![], 1, 1);
        assert_eq!(decision.action, Action::Challenge);
        assert_eq!(decision.reasons, ["subscription_unreadable"]);
    }
}
