//! The receipt within a decision: who was asked, what each said, how it counted, and why it came out
//! so. Without personal data: whoever reads a log or a ticket may read it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::AnswerRefusal;
use super::voice::{Heard, Voice};
use crate::breaker::Change;
use crate::id::SubscriptionId;
use crate::sealing::Unsealed;
use crate::subscription::{Action, Unavailable};

/// What one target said, and how it counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// Which subscription.
    pub subscription_id: SubscriptionId,
    /// `allow`, `block`, `challenge`; or why there is no proven answer: `timeout`, `connection`,
    /// `status`, `breaker_open`, `key_set`, each perhaps after `last_known_good:`;
    /// `response_invalid:<what>`, `signing_key_unavailable`, `decryption_key_unavailable`,
    /// `encryption_key_unavailable`, `encryption_key_unusable`, `endpoint_unverified`, `endpoint_refused`; or, when a
    /// block was certain before, `abandoned` for a question and `unasked` for none.
    pub outcome: String,
    /// The action that it counted as; none when it did not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Who says that action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Which part of the subscription's policy it was: `onUnavailable.timeout` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Whether the target has said it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
    /// Of when that is, in RFC 3339, where it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// The status code that it answered with, where it is not the answer that it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// How often it was asked: not at all, once, or twice when a connection broke.
    pub asked: u32,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// What it changed about the subscription's breaker: for operators, not for callers.
    #[serde(skip)]
    pub breaker: Option<Change>,
}

/// Who says what a target counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The target itself, proven.
    Target,
    /// The subscription's policy, since the target did not answer well.
    Policy,
    /// We do, since its answer does not verify: a block, always.
    Verification,
    /// We do, since something of ours was missing, or a key to encrypt the question to, or the
    /// endpoint has not shown that it wants to be asked, or is not one that we go to: a challenge,
    /// always.
    Fallback,
}

impl Source {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Policy => "policy",
            Self::Verification => "verification",
            Self::Fallback => "fallback",
        }
    }
}

/// When a target has said what counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// In answer to this login.
    Fresh,
    /// In answer to an earlier one: the last known good.
    Cached,
}

impl TargetReport {
    /// The report of what was heard.
    pub(super) fn of(heard: &Heard) -> Self {
        let (outcome, source) = match &heard.voice {
            Voice::Judged(judged) => match judged.get() {
                Ok(answer) => (answer.action.as_str().to_owned(), Some(Source::Target)),
                Err(why) => (invalid(*why), Some(Source::Verification)),
            },
            Voice::Silent(why, _) => (why.as_str().to_owned(), Some(Source::Policy)),
            Voice::Recalled(why, _) => (recalled(*why), Some(Source::Policy)),
            Voice::NoSigningKey => (NO_SIGNING_KEY.to_owned(), Some(Source::Fallback)),
            Voice::NotOpened => (NO_DECRYPTION_KEY.to_owned(), Some(Source::Fallback)),
            Voice::NotSealed(why) => (why.to_string(), Some(Source::Fallback)),
            Voice::Unverified => (UNVERIFIED.to_owned(), Some(Source::Fallback)),
            Voice::EndpointRefused(_) => (ENDPOINT_REFUSED.to_owned(), Some(Source::Fallback)),
            Voice::Abandoned if heard.asked == 0 => ("unasked".to_owned(), None),
            Voice::Abandoned => ("abandoned".to_owned(), None),
        };
        let (why, as_of) = match &heard.voice {
            Voice::Silent(why, _) => (Some(*why), None),
            Voice::Recalled(why, good) => (Some(*why), Some(good.at.to_rfc3339())),
            Voice::Judged(_)
            | Voice::NoSigningKey
            | Voice::NotOpened
            | Voice::NotSealed(_)
            | Voice::Unverified
            | Voice::EndpointRefused(_)
            | Voice::Abandoned => (None, None),
        };
        let freshness = match source {
            Some(Source::Target) => Some(Freshness::Fresh),
            Some(Source::Policy) if as_of.is_some() => Some(Freshness::Cached),
            Some(Source::Policy | Source::Verification | Source::Fallback) | None => None,
        };
        Self {
            subscription_id: heard.subscription_id.clone(),
            outcome,
            action: heard.voice.action(),
            source,
            policy: why.map(|why| format!("onUnavailable.{}", why.as_str())),
            freshness,
            as_of,
            http_status: heard.notes.http_status.filter(|_| why == Some(Unavailable::Status)),
            asked: heard.asked,
            elapsed_ms: heard.elapsed_ms,
            breaker: heard.notes.breaker,
        }
    }
}

/// The code of our having no key to sign a question with.
pub(super) const NO_SIGNING_KEY: &str = "signing_key_unavailable";

/// The code of our having no key to open an answer with.
pub(super) const NO_DECRYPTION_KEY: &str = "decryption_key_unavailable";

/// The code of an endpoint that has not shown that it wants to be asked.
pub(super) const UNVERIFIED: &str = "endpoint_unverified";
pub(super) const ENDPOINT_REFUSED: &str = "endpoint_refused";

/// The code of what a target gave before, and why that counts.
pub(super) fn recalled(why: Unavailable) -> String {
    format!("last_known_good:{}", why.as_str())
}

/// The code of an answer that does not verify.
pub(super) fn invalid(why: AnswerRefusal) -> String {
    format!("response_invalid:{why}")
}

/// Part of a log line: `risk=timeout→challenge by policy, 1500 ms`.
impl fmt::Display for TargetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.subscription_id, self.outcome)?;
        if let Some(status) = self.http_status {
            write!(f, "({status})")?;
        }
        if let (Some(action), Some(source)) = (self.action, self.source) {
            write!(f, "→{} by {}", action.as_str(), source.as_str())?;
        }
        if self.asked > 1 {
            write!(f, ", asked {} times", self.asked)?;
        }
        write!(f, ", {} ms", self.elapsed_ms)
    }
}

/// Why a target counted as it did, as a clause for people.
pub(super) fn because(heard: &Heard) -> String {
    let id = &heard.subscription_id;
    match &heard.voice {
        Voice::Judged(judged) => match judged.get() {
            Ok(answer) => format!("the target of {id} answered {}", answer.action.as_str()),
            Err(why) => {
                format!("the answer of {id}'s target does not verify ({why}), which is a block")
            }
        },
        Voice::Silent(why, action) => {
            let (what, why, action) = (failure(*why, heard), why.as_str(), action.as_str());
            format!("the target of {id} {what}, for which its onUnavailable.{why} says {action}")
        }
        Voice::Recalled(why, _) => {
            let (what, why) = (failure(*why, heard), why.as_str());
            format!(
                "the target of {id} {what}, for which its onUnavailable.{why} says allow, with the \
                 claims of its last allow"
            )
        }
        Voice::NoSigningKey => {
            format!("{id} was not asked, since our signing key could not be had: a challenge")
        }
        Voice::NotOpened => {
            format!(
                "the answer of {id}'s target is encrypted, and our key could not be had: a challenge"
            )
        }
        Voice::NotSealed(why) => {
            let why = match why {
                Unsealed::KeyUnavailable => "could not be had",
                Unsealed::KeyUnusable => "cannot be used",
            };
            format!("{id} was not asked, since the key to encrypt to {why}: a challenge")
        }
        Voice::Unverified => {
            format!(
                "{id} was not asked, since its endpoint has not shown that it wants to be: a challenge"
            )
        }
        Voice::EndpointRefused(refused) => {
            format!("{id} was not asked, since its URL {refused}: a challenge")
        }
        Voice::Abandoned => format!("{id} was not waited for"),
    }
}

/// What a target did instead of answering.
fn failure(why: Unavailable, heard: &Heard) -> String {
    match why {
        Unavailable::Timeout => "did not answer in time".to_owned(),
        Unavailable::Connection => "could not be reached, or broke off".to_owned(),
        Unavailable::Status => match heard.notes.http_status {
            Some(status) => format!("answered with the status {status}"),
            None => "answered with another status than 200".to_owned(),
        },
        Unavailable::BreakerOpen => "kept failing and was not asked".to_owned(),
        Unavailable::KeySet => "has keys that could not be had".to_owned(),
    }
}
