//! What is heard of a target, and how it counts in a decision.

use super::AnswerRefusal;
use super::answer::Answer;
use super::last_known_good::Good;
use crate::breaker::Change;
use crate::egress::Refused;
use crate::id::SubscriptionId;
use crate::sealing::Unsealed;
use crate::subscription::{Action, Unavailable};
use crate::time::InTime;

/// What was heard from one target.
pub(super) struct Heard {
    pub(super) subscription_id: SubscriptionId,
    pub(super) priority: u32,
    pub(super) elapsed_ms: u64,
    /// How often it was asked: twice at most.
    pub(super) asked: u32,
    pub(super) notes: Notes,
    pub(super) voice: Voice,
}

/// What is worth telling besides.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Notes {
    /// The status code that it answered with.
    pub(super) http_status: Option<u16>,
    /// What the question changed about its breaker.
    pub(super) breaker: Option<Change>,
}

/// How it counts. Only what was complete in time is judged: there is no other way to make one.
pub(super) enum Voice {
    /// A proven answer; or one that does not verify, which is a block.
    Judged(InTime<Result<Answer, AnswerRefusal>>),
    /// No answer; the policy's action counts.
    Silent(Unavailable, Action),
    /// No answer; the policy lets the login pass, with what the target gave before.
    Recalled(Unavailable, Good),
    /// It was not asked, because we had no key to sign the question with. That is no fault of the
    /// target's, and its policy does not speak for us.
    NoSigningKey,
    /// An answer that may be right, but that we had no key to open with. As [`Self::NoSigningKey`].
    NotOpened,
    /// It was not asked, because there was no key to encrypt the question to. Its policy does not
    /// speak here either: `allow` is said for a target that is down, and whoever can keep a key set
    /// from us, or spoil it, must not be able to turn a block into that.
    NotSealed(Unsealed),
    /// It was not asked, because its endpoint has not shown that it wants to be. Its policy may be
    /// that of somebody who points us at another's system, and does not speak either.
    Unverified,
    /// It was not asked, because its URL is not one that we go to, and will not become one by waiting.
    /// Its policy speaks of a system that is down for now; this one is never asked.
    EndpointRefused(Refused),
    /// A block was certain before it was heard.
    Abandoned,
}

/// What counts when we cannot ask for reasons of our own: the default of `onUnavailable`.
pub(super) const WITHOUT_KNOWING: Action = Action::Challenge;

impl Voice {
    /// The action that it counts as; none when it does not count.
    pub(super) fn action(&self) -> Option<Action> {
        match self {
            Self::Judged(judged) => match judged.get() {
                Ok(answer) => Some(answer.action),
                Err(_) => Some(Action::Block),
            },
            Self::Silent(_, action) => Some(*action),
            Self::Recalled(..) => Some(Action::Allow),
            Self::NoSigningKey
            | Self::NotOpened
            | Self::NotSealed(_)
            | Self::Unverified
            | Self::EndpointRefused(_) => Some(WITHOUT_KNOWING),
            Self::Abandoned => None,
        }
    }
}

impl Voice {
    /// Whether something is missing to which nothing of before fills the place.
    pub(super) fn leaves_gap(&self) -> bool {
        match self {
            Self::Silent(..)
            | Self::NoSigningKey
            | Self::NotOpened
            | Self::NotSealed(_)
            | Self::Unverified
            | Self::EndpointRefused(_) => true,
            Self::Judged(_) | Self::Recalled(..) | Self::Abandoned => false,
        }
    }
}
