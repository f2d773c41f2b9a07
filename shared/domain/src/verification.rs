//! The handshake: an endpoint shows that it wants our notifications before it gets its first event.
//!
//! We post a challenge, signed like everything else; whoever answers 2xx with `{"challenge": …}` and
//! the same value in it is willing. So nobody can have personal data sent to a system that is not
//! theirs by typing in its URL. A challenge is made of fresh chance for one URL: the echo of another
//! URL's, or of an older one, shows nothing. Nothing of a reply is kept or told.
//!
//! Dramatis personae: a [`Challenge`]; a [`Message`], which brings it; a [`VerifiedUrl`], the proof,
//! without which nothing about a user is posted; the [`Memory`] of an execution environment.

mod challenge;
mod memory;

use std::future::Future;
use std::ops::Deref;

use crate::egress::GuardedUrl;
use crate::notification::{Notification, WebhookHeaders};
use crate::outcome::{Outcome, Verdict};
use crate::retry::RetryAfter;
use crate::subscription::Subscription;
use crate::time::Deadline;

pub use challenge::{CHALLENGE_TYPE, Challenge, ChallengeDice, Echo, WEBHOOK_CHALLENGE_TYPE};
pub use memory::Memory;
pub(crate) use memory::{Place, Shaken};

/// What the handshake needs from outside. Every call is bounded in time by whoever implements it.
pub trait Ports: Sync {
    /// Fresh chance, for a challenge.
    fn dice(&self) -> ChallengeDice;

    /// Posts a challenge and reads the whole reply, at its deadline at the latest; or says what came
    /// of it instead.
    fn post(&self, message: Message) -> impl Future<Output = Result<Reply, Outcome>> + Send;

    /// Says in a subscription's row, if it is there, which endpoint is verified, and does not go on
    /// beyond the deadline. A row that has another endpoint by then is not verified by it. Best
    /// effort: the next environment would repeat the handshake.
    fn mark(&self, subscription: &Subscription, by: Deadline) -> impl Future<Output = ()> + Send;
}

/// The POST of a challenge. Unlike an event it goes to any guarded URL.
pub struct Message {
    /// Where to.
    pub url: GuardedUrl,
    /// The signed challenge.
    pub notification: Notification,
    /// What helps the receiver.
    pub headers: WebhookHeaders,
    /// Name look-up, connection, TLS, request and the whole reply are over by then.
    pub deadline: Deadline,
}

/// An endpoint's reply to a challenge, whole. No `Debug`: nobody knows what is in it.
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// Its wish, where it had one.
    pub retry_after: Option<RetryAfter>,
    /// The body; `None` when it is longer than 64 KiB.
    pub body: Option<Vec<u8>>,
}

/// Whether an endpoint has to show that it wants notifications, and whether it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It need not.
    NotNeeded,
    /// It has, at the URL that it has now.
    Done,
    /// It has not: it gets a challenge, and nothing else.
    Pending,
}

/// A guarded URL whose endpoint has shown that it wants notifications, or need not. Only to such a
/// one an event can be posted.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedUrl(GuardedUrl);

impl Verification {
    /// The URL as one that events may be posted to; or as it was, when that has yet to be shown.
    pub fn admit(self, url: GuardedUrl) -> Result<VerifiedUrl, GuardedUrl> {
        match self {
            Self::NotNeeded | Self::Done => Ok(VerifiedUrl(url)),
            Self::Pending => Err(url),
        }
    }
}

impl Deref for VerifiedUrl {
    type Target = GuardedUrl;

    fn deref(&self) -> &GuardedUrl {
        &self.0
    }
}

/// Shakes hands: posts a challenge and looks for its echo. What came of it instead is an outcome like
/// an attempt's, and [`Outcome::EndpointUnverified`] of a success without the echo.
pub async fn run(
    challenge: &Challenge,
    message: Message,
    ports: &impl Ports,
) -> Result<VerifiedUrl, Outcome> {
    let url = message.url.clone();
    let Reply { status, retry_after, body } = ports.post(message).await?;
    let outcome = Outcome::Replied { status, retry_after };
    match outcome.verdict() {
        Verdict::Delivered if body.is_some_and(|body| challenge.is_echoed_by(&body)) => {
            Ok(VerifiedUrl(url))
        }
        Verdict::Delivered => Err(Outcome::EndpointUnverified),
        Verdict::Retry(_) | Verdict::GiveUp | Verdict::Gone => Err(outcome),
    }
}

#[cfg(test)]
mod tests;
