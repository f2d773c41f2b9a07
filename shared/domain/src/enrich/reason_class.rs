//! Reasons of decisions by their classes: what metrics are counted by, of which no target and no
//! subscription can make a new one.

/// The class of a reason: the code up to its first colon.
pub(super) fn of(reason: &str) -> &'static str {
    let known = [
        "no_subscription",
        "timeout",
        "connection",
        "status",
        "breaker_open",
        "key_set",
        "last_known_good",
        "response_invalid",
        "claim_conflict",
        "claims_withheld",
        "subscriptions_unavailable",
        "subscription_unreadable",
        "signing_key_unavailable",
        "decryption_key_unavailable",
        "encryption_key_unavailable",
        "encryption_key_unusable",
        "endpoint_unverified",
        "endpoint_refused",
        "request_undecided",
    ];
    let (class, _) = reason.split_once(':').unwrap_or((reason, ""));
    known.into_iter().find(|known| *known == class).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::enrich::{AnswerRefusal, receipt};
    use crate::sealing::Unsealed;
    use crate::subscription::Unavailable;

    #[test]
    fn every_reason_is_of_a_class_and_no_target_chooses_one() {
        for reason in [
            receipt::NO_SIGNING_KEY,
            receipt::NO_DECRYPTION_KEY,
            receipt::UNVERIFIED,
            receipt::ENDPOINT_REFUSED,
            &Unsealed::KeyUnavailable.to_string(),
            &Unsealed::KeyUnusable.to_string(),
            "no_subscription",
            "claims_withheld",
            "subscriptions_unavailable",
            "subscription_unreadable",
            "request_undecided",
        ] {
            assert_eq!(of(reason), reason);
        }
        for why in Unavailable::ALL {
            assert_eq!(of(why.as_str()), why.as_str());
            assert_eq!(of(&receipt::recalled(why)), "last_known_good");
        }
        assert_eq!(of(&receipt::invalid(AnswerRefusal::Signature)), "response_invalid");
        assert_eq!(of("claim_conflict:tier"), "claim_conflict");
        assert_eq!(of("whatever"), "other");
    }
}
