//! Last known good: the claims that came with a target's earlier allow, for when it cannot be asked.
//!
//! A subscription says so (`lastKnownGood`), and only where its policy lets a login pass without its
//! target. Then the user has the claims of before, instead of none, and the decision says of when
//! they are. Kept per user, client and subscription, and only of answers that were proven.
//!
//! **Never after a later block, challenge, or the end of a user's access.** Each memory has the
//! moment at which its login began; a refusal leaves a mark with the moment at which it was heard, and
//! a `userRevokedPropertyAccess` or `userDeleted` event one with the moment at which we accepted it. A
//! memory counts only if it is later than both. So whatever order logins end and writes arrive in, a
//! memory that lands late does not outlive a mark that came meanwhile. What moves, moves forward.
//!
//! **Off the path of a healthy login.** A memory is written while the answer is on its way, and a
//! lost one is only an older memory. It is read when a target has failed, or is about to run out of
//! time, beside the question. Marks are waited for, within bounds: a refusal is the answer that can
//! afford it.
//!
//! A deployment without the table remembers nothing and marks nothing ([`Ports`] are not there).

use std::future::Future;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::voice::{Heard, Voice};
use super::{Case, Claims, Execution, claims};
use crate::delivery::OurFault;
use crate::event::Event;
use crate::id::{ClientId, Sub, SubscriptionId};
use crate::limits::{ENRICH_KEEP_GRACE_MS, LAST_KNOWN_GOOD_MAX_AGE_MAX_S, MARK_MARGIN_S};
use crate::scope::Scope;
use crate::subscription::{Action, Subscription};
use crate::time::{Deadline, Timestamp};

/// What is remembered of users. Logins read and write it; delivery tells it whose access has ended.
pub trait Ports: Sync {
    /// Waits until `from`, and then reads what is known about a place; `None` when that could not be
    /// done by the deadline.
    fn known(
        &self,
        place: &Place,
        from: Timestamp,
        by: Deadline,
    ) -> impl Future<Output = Option<Known>> + Send;

    /// Saves memories, each unless there is a later one, while the caller goes on. Best effort.
    fn save(&self, memories: Vec<Remembered>);

    /// Marks a user as refused at a client, unless that is marked at a later moment; `false` when it
    /// could not be done by the deadline.
    fn refuse(&self, user: &User, at: Timestamp, by: Deadline)
    -> impl Future<Output = bool> + Send;

    /// Marks a user's access as ended, at every client, unless that is marked at a later moment.
    fn revoke(&self, sub: &Sub, at: Timestamp)
    -> impl Future<Output = Result<(), OurFault>> + Send;
}

/// A user of a client. No `Debug`: it holds the user's identifier.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    /// Who.
    pub sub: Sub,
    /// Of which client.
    pub client_id: ClientId,
}

/// Where a memory has its place: a user, and whose target gave it. As [`User`], no `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Whose claims.
    pub user: User,
    /// Whose target.
    pub subscription_id: SubscriptionId,
}

/// A memory to be saved.
#[derive(Clone)]
pub struct Remembered {
    /// Where.
    pub place: Place,
    /// What.
    pub good: Good,
    /// From when on it is of no use, by what the subscription says now.
    pub until: Timestamp,
}

/// What a target gave with an allow. No `Debug`: it holds claims.
#[derive(Clone, PartialEq, Eq)]
pub struct Good {
    /// The claims.
    pub claims: Claims,
    /// When the login began.
    pub at: Timestamp,
    /// Who gave them.
    pub giver: Giver,
}

/// Who gives claims: a hash of endpoint and issuer. When a subscription is pointed at another
/// system, what the one before said does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Giver(String);

/// What is known about a place. No `Debug`: it holds claims.
#[derive(Clone, Default)]
pub struct Known {
    /// The latest memory.
    pub good: Option<Good>,
    /// When a login of this user at this client was last refused, where one was.
    pub refused_at: Option<Timestamp>,
    /// When the user's access last ended, where it has.
    pub revoked_at: Option<Timestamp>,
}

impl User {
    /// The user and the client of a login event; `None` of other events.
    pub(super) fn of(event: &Event) -> Option<Self> {
        match &event.scope {
            Scope::Client(client_id) => {
                Some(Self { sub: event.sub.clone()?, client_id: client_id.clone() })
            }
            Scope::Property(_) => None,
        }
    }

    /// The partition that holds all that is remembered of a user: `USER#<sub>`.
    #[must_use]
    pub fn partition_key(sub: &Sub) -> String {
        format!("USER#{}", sub.as_str())
    }

    /// The sort key of the mark that a login was refused: `REFUSED#<client ID>`.
    #[must_use]
    pub fn refused_key(&self) -> String {
        format!("REFUSED#{}", self.client_id)
    }
}

/// The sort key of the mark that a user's access has ended.
pub const REVOKED_KEY: &str = "REVOKED";

impl Place {
    /// The sort key of a memory: `GOOD#<client ID>#<subscription ID>`.
    #[must_use]
    pub fn good_key(&self) -> String {
        format!("GOOD#{}#{}", self.user.client_id, self.subscription_id)
    }
}

impl Giver {
    /// The target of a subscription, as the row has it now; `None` of one that decides no logins.
    pub(super) fn of(subscription: &Subscription) -> Option<Self> {
        let issuer = &subscription.enrich.as_ref()?.answer.issuer;
        let mut hash = Sha256::new();
        // The length tells the two apart, whatever they hold.
        hash.update(subscription.endpoint.len().to_be_bytes());
        hash.update(&subscription.endpoint);
        hash.update(issuer);
        Some(Self(URL_SAFE_NO_PAD.encode(hash.finalize())))
    }

    /// A hash that was stored.
    #[must_use]
    pub fn stored(hash: &str) -> Self {
        Self(hash.to_owned())
    }

    /// SHA-256, in 43 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Good {
    /// Reads a stored memory. Its claims are held to the same rules as an answer's, so that whoever
    /// can write the table cannot put more into a token than a target could.
    #[must_use]
    pub fn read(claims: &str, at: Timestamp, giver: Giver) -> Option<Self> {
        Some(Self { claims: claims::read_text(claims)?, at, giver })
    }
}

impl Known {
    /// The memory, if it counts at `now`: it is this target's, not too old, and later than every
    /// mark.
    #[must_use]
    pub fn usable(self, giver: &Giver, now: Timestamp, max_age_s: u32) -> Option<Good> {
        let Self { good, refused_at, revoked_at } = self;
        good.filter(|good| {
            good.giver == *giver
                && now.since_ms(good.at) <= u64::from(max_age_s) * 1_000
                && Some(good.at) > refused_at
                && Some(good.at) > revoked_at
        })
    }
}

/// Until when a mark is kept: longer than anything that it speaks of is of use.
#[must_use]
pub fn mark_until_s(at: Timestamp) -> u64 {
    at.as_s() + u64::from(LAST_KNOWN_GOOD_MAX_AGE_MAX_S) + MARK_MARGIN_S
}

/// What a login has taught about its user.
pub(super) enum Learnt {
    /// Nothing that is worth a word.
    Nothing,
    /// Every target that was heard said allow; these are to be remembered.
    Good(Vec<Remembered>),
    /// A target said block or challenge, or its answer was spoilt.
    Refused(User),
}

impl Learnt {
    /// What was heard, seen so.
    pub(super) fn of(case: &Case<'_>, heard: &[Heard]) -> Self {
        let Some(user) = User::of(case.event) else { return Self::Nothing };
        let proven = heard.iter().filter_map(|target| match &target.voice {
            Voice::Judged(judged) => Some((target, judged.get().as_ref())),
            Voice::Silent(..)
            | Voice::Recalled(..)
            | Voice::NoSigningKey
            | Voice::NotOpened
            | Voice::NotSealed(_)
            | Voice::Unverified
            | Voice::EndpointRefused(_)
            | Voice::Abandoned => None,
        });
        let mut memories = Vec::new();
        for (target, said) in proven {
            match said {
                Ok(answer) if answer.action == Action::Allow => {
                    let subscription = case.subscriptions.find(&target.subscription_id);
                    let claims = &answer.claims;
                    memories.extend(subscription.and_then(|it| memory(case, &user, it, claims)));
                }
                Ok(_) | Err(_) => return Self::Refused(user),
            }
        }
        if memories.is_empty() { Self::Nothing } else { Self::Good(memories) }
    }

    /// Tells the table, if there is one. A refusal is waited for as long as the login has time, and
    /// for a grace.
    pub(super) async fn tell(self, case: &Case<'_>, execution: Execution<'_, impl super::Ports>) {
        let ports = execution.ports;
        let Some(known_good) = ports.last_known_good() else { return };
        match self {
            Self::Nothing => {}
            Self::Good(memories) => known_good.save(memories),
            Self::Refused(user) => {
                let now = ports.now();
                let grace = Deadline::at(now.plus_ms(ENRICH_KEEP_GRACE_MS));
                let ends = case.ends(execution.settings);
                let by = ends.map_or(grace, |ends| ends.max(grace));
                // The table has said so, where it could not be done.
                let _is_marked = known_good.refuse(&user, now, by).await;
            }
        }
    }
}

/// What is to be remembered of an allow, where the subscription wants that.
fn memory(
    case: &Case<'_>,
    user: &User,
    subscription: &Subscription,
    claims: &Claims,
) -> Option<Remembered> {
    let wish = subscription.enrich.as_ref()?.last_known_good?;
    let at = case.time.started_at;
    let place = Place { user: user.clone(), subscription_id: subscription.id.clone() };
    let good = Good { claims: claims.clone(), at, giver: Giver::of(subscription)? };
    Some(Remembered { place, good, until: at.plus_ms(u64::from(wish.max_age_s) * 1_000) })
}

#[cfg(test)]
mod tests;
