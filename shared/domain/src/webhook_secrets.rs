//! Operators' work on webhook secrets: a first one for a subscription, and one after the other.
//!
//! A secret is seen once, by whoever had it made. What is kept is sealed to its subscription, and
//! nothing here opens it. While a rotation overlaps, both secrets sign, so a receiver changes when
//! it likes; after it the new one alone.

use std::future::Future;

use crate::delivery::OurFault;
use crate::limits::WEBHOOK_SECRET_OVERLAP_MAX_MS;
use crate::subscription::{Format, RowProblem, SealedSecret, SubscriptionKey, WebhookSecrets};
use crate::time::Timestamp;

/// What this work needs from outside.
pub trait Ports: Sync {
    /// A secret in the clear. Nothing in it is looked at here.
    type Secret: Send;

    /// The time.
    fn now(&self) -> Timestamp;

    /// What a subscription's row says of its webhooks.
    fn find(&self, owner: &SubscriptionKey)
    -> impl Future<Output = Result<Found, OurFault>> + Send;

    /// A new secret, in the clear and sealed to its owner, made at this moment.
    fn make(
        &self,
        owner: &SubscriptionKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<(Self::Secret, SealedSecret), OurFault>> + Send;

    /// Puts secrets into the row, if it is there and still has those before; `false` when not.
    fn write(
        &self,
        owner: &SubscriptionKey,
        before: &WebhookSecrets,
        after: &WebhookSecrets,
    ) -> impl Future<Output = Result<bool, OurFault>> + Send;
}

/// What a subscription's row says of its webhooks.
pub enum Found {
    /// There is no such row.
    Nothing,
    /// Its secrets cannot be read.
    Unreadable(RowProblem),
    /// These are its secrets.
    Row {
        /// Its secrets.
        secrets: Box<WebhookSecrets>,
        /// How its notifications are written down, where the row says so in a way that is known.
        format: Option<Format>,
    },
}

/// How a rotation overlaps: for at most seven days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap(u64);

/// Longer than seven days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("secrets may overlap for at most 7 days")]
pub struct TooLong;

impl Overlap {
    /// For this many milliseconds; 0 ends the old secret at once.
    pub fn of_ms(ms: u64) -> Result<Self, TooLong> {
        if ms <= WEBHOOK_SECRET_OVERLAP_MAX_MS { Ok(Self(ms)) } else { Err(TooLong) }
    }
}

/// What may become of the secret before the current one, when a rotation comes while it still
/// signs: there is room for two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// It signs until its time is over: no rotation before.
    Kept,
    /// It ends now, for the receivers too that know no other.
    Ended,
}

/// A secret that was made. No `Debug`: it is shown once, by whoever asked for it.
pub struct Made<S> {
    /// In the clear.
    pub secret: S,
    /// Until when the one before it signs too.
    pub overlap_until: Option<Timestamp>,
    /// How the row says that notifications are written down.
    pub format: Option<Format>,
}

/// Why there is no new secret. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such subscription.
    #[error("there is no such subscription")]
    NoSubscription,
    /// Its secrets cannot be read.
    #[error("the row cannot be read: {0}")]
    Unreadable(RowProblem),
    /// It has a secret: a second first one would cut off whoever knows it.
    #[error("it has a secret already; rotate it")]
    Exists,
    /// It has none that could be rotated.
    #[error("it has no secret yet; create one")]
    NoSecret,
    /// The last rotation overlaps still.
    #[error("the secret before the current one signs until {}", .until.to_rfc3339())]
    Overlaps {
        /// Until when.
        until: Timestamp,
    },
    /// The row has changed meanwhile.
    #[error("the row has changed meanwhile; look at it and repeat the command")]
    Changed,
    /// Something of ours failed.
    #[error(transparent)]
    Ours(#[from] OurFault),
}

/// Makes the first secret of a subscription.
pub async fn create<P: Ports>(
    owner: &SubscriptionKey,
    ports: &P,
) -> Result<Made<P::Secret>, Refusal> {
    let (before, format) = row(owner, ports).await?;
    if !before.is_empty() {
        return Err(Refusal::Exists);
    }
    let (secret, sealed) = ports.make(owner, ports.now()).await?;
    write(owner, &before, &WebhookSecrets::only(sealed), ports).await?;
    Ok(Made { secret, overlap_until: None, format })
}

/// Makes a secret in the place of the current one, which signs beside it for a while.
pub async fn rotate<P: Ports>(
    owner: &SubscriptionKey,
    Overlap(overlap_ms): Overlap,
    earlier: Earlier,
    ports: &P,
) -> Result<Made<P::Secret>, Refusal> {
    let (before, format) = row(owner, ports).await?;
    let now = ports.now();
    if before.is_empty() {
        return Err(Refusal::NoSecret);
    }
    match (earlier, before.overlap_until(now)) {
        (Earlier::Kept, Some(until)) => return Err(Refusal::Overlaps { until }),
        (Earlier::Kept, None) | (Earlier::Ended, _) => {}
    }
    let (secret, sealed) = ports.make(owner, now).await?;
    let after = before.clone().rotated(sealed, now.plus_ms(overlap_ms));
    write(owner, &before, &after, ports).await?;
    Ok(Made { secret, overlap_until: after.overlap_until(now), format })
}

async fn row(
    owner: &SubscriptionKey,
    ports: &impl Ports,
) -> Result<(WebhookSecrets, Option<Format>), Refusal> {
    match ports.find(owner).await? {
        Found::Nothing => Err(Refusal::NoSubscription),
        Found::Unreadable(problem) => Err(Refusal::Unreadable(problem)),
        Found::Row { secrets, format } => Ok((*secrets, format)),
    }
}

/// A write that may have been done and was not answered is an error, and its secret is not shown:
/// what nobody knows is rotated away.
async fn write(
    owner: &SubscriptionKey,
    before: &WebhookSecrets,
    after: &WebhookSecrets,
    ports: &impl Ports,
) -> Result<(), Refusal> {
    let is_written = ports.write(owner, before, after).await?;
    if is_written { Ok(()) } else { Err(Refusal::Changed) }
}
