//! What is played: who is asked, what is wrong with them, and what must come of it.

use std::time::Duration;

use crate::target::Fault;

/// One login.
pub(super) struct Act {
    /// In a client ID.
    pub(super) id: &'static str,
    /// In words.
    pub(super) name: &'static str,
    /// One or two.
    pub(super) asked: &'static [Asked],
    /// What must be decided.
    pub(super) action: &'static str,
    /// A reason that must be among those given; none when there is nothing to give a reason for.
    pub(super) reason: &'static str,
    pub(super) has_claims: bool,
    /// Milliseconds that it must not take, where it is certain earlier.
    pub(super) sooner_than_ms: Option<u64>,
}

/// A subscription that is asked.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) place: Place,
    pub(super) keys: Keys,
    /// `timeoutMs`.
    pub(super) budget_ms: u32,
    /// `onUnavailable`, as JSON.
    pub(super) on_unavailable: &'static str,
}

/// Where its endpoint leads.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// To the sample target.
    Well,
    /// There, with this wrong.
    Faulty(Fault),
    /// Nowhere.
    Gone,
}

/// Where its key set is.
#[derive(Clone, Copy)]
pub(super) enum Keys {
    There,
    Gone,
}

impl Asked {
    /// Nothing is wrong with it.
    pub(super) const WELL: Self = Self {
        place: Place::Well,
        keys: Keys::There,
        budget_ms: 1_500,
        on_unavailable: r#""challenge""#,
    };

    const fn faulty(fault: Fault, on_unavailable: &'static str) -> Self {
        Self { place: Place::Faulty(fault), on_unavailable, ..Self::WELL }
    }

    pub(super) const fn hanging(budget_ms: u32, on_unavailable: &'static str) -> Self {
        Self { budget_ms, ..Self::faulty(Fault::Slow(Duration::from_secs(10)), on_unavailable) }
    }
}

impl Act {
    /// Whether a policy speaks for a target, or nobody does.
    pub(super) fn is_degraded(&self) -> bool {
        !self.reason.is_empty() && !self.reason.starts_with("response_invalid")
    }
}

const ALLOW: &str = r#""allow""#;

pub(super) const ACTS: [Act; 11] = [
    Act {
        id: "well",
        name: "all is well",
        asked: &[Asked::WELL],
        action: "allow",
        reason: "",
        has_claims: true,
        sooner_than_ms: None,
    },
    act(
        "slow-challenge",
        "too slow",
        &[Asked::hanging(400, r#""challenge""#)],
        "challenge",
        "timeout",
    ),
    act("slow-allow", "too slow, may pass", &[Asked::hanging(400, ALLOW)], "allow", "timeout"),
    act(
        "slow-block",
        "too slow, may not",
        &[Asked::hanging(400, r#""block""#)],
        "block",
        "timeout",
    ),
    act(
        "gone",
        "not there",
        &[Asked {
            place: Place::Gone,
            on_unavailable: r#"{"connection": "allow"}"#,
            ..Asked::WELL
        }],
        "allow",
        "connection",
    ),
    act(
        "status",
        "answers 503",
        &[Asked::faulty(Fault::OutOfService, r#"{"status": "block"}"#)],
        "block",
        "status",
    ),
    act(
        "keys",
        "its keys are not there",
        &[Asked { keys: Keys::Gone, on_unavailable: r#"{"key_set": "allow"}"#, ..Asked::WELL }],
        "allow",
        "key_set",
    ),
    act(
        "stranger",
        "a stranger signs",
        &[Asked::faulty(Fault::StrangerSigns, ALLOW)],
        "block",
        "response_invalid:key",
    ),
    act(
        "replay",
        "an answer to another",
        &[Asked::faulty(Fault::AnswersAnother, ALLOW)],
        "block",
        "response_invalid:binding",
    ),
    act(
        "subject",
        "claims to be another user",
        &[Asked::faulty(Fault::SetsSubject, ALLOW)],
        "block",
        "response_invalid:reserved_claim",
    ),
    Act {
        sooner_than_ms: Some(1_500),
        ..act(
            "race",
            "a block beside a slow one",
            &[Asked::faulty(Fault::SetsSubject, ALLOW), Asked::hanging(1_500, ALLOW)],
            "block",
            "response_invalid:reserved_claim",
        )
    },
];

const fn act(
    id: &'static str,
    name: &'static str,
    asked: &'static [Asked],
    action: &'static str,
    reason: &'static str,
) -> Act {
    Act { id, name, asked, action, reason, has_claims: false, sooner_than_ms: None }
}
