//! The listener for Akamai Identity Cloud: from a Security Event Token that anybody may post to an
//! event that SQS has confirmed, or to a clear refusal.
//!
//! Its route is public; a token proves itself. What proves itself goes the way of every event, by
//! the same ID however often it comes: through idempotency, where that is on, and to the queue. What
//! does not is answered, and that is all that comes of it.

use std::future::Future;
use std::sync::Arc;

use super::request::{GivenBy, Posted, Refusal, Request};
use super::{Settings, take_in};
use crate::egress::{EgressPolicy, GuardedUrl};
use crate::event::Event;
use crate::id::{CaptureApplicationId, EventId};
use crate::jose::{Key, KeySet, NoKeySet, WantedKey};
use crate::json::Pointer;
use crate::limits::SET_KEYS_MS;
use crate::source::{AkamaiSource, Audience, Ignored, Proven, SetRefusal, Unproven};
use crate::subscription::KeySource;
use crate::time::{Deadline, Timestamp};

/// What a Security Event Token is posted as (RFC 8417 §7.2).
const MEDIA_TYPE: &str = "application/secevent+jwt";

/// What the listener needs from outside, besides what ingest needs.
pub trait Ports: super::Ports {
    /// The row of an application, at most 30 s old; `None` when there is none.
    fn source(
        &self,
        application: &CaptureApplicationId,
    ) -> impl Future<Output = Result<Option<Arc<AkamaiSource>>, NoSource>> + Send;

    /// The key set behind a URL, as far as it is needed for this key, at the deadline at the latest.
    fn key_set(
        &self,
        url: &GuardedUrl,
        wanted: WantedKey<'_>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Arc<KeySet>, NoKeySet>> + Send;
}

/// A source's row could not be read: the table does not answer, or the row makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source's row could not be read")]
pub struct NoSource;

/// What came of a token, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The application, where it is one that is configured. It is proven where the answer is neither a
    /// refusal nor trouble with its keys.
    pub application: Option<CaptureApplicationId>,
    /// What the sender is told.
    pub answer: Answer,
}

/// What the sender of a token is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its event is stored, by this token or by an earlier one.
    Accepted(EventId),
    /// There is nothing in it for us, and nothing was stored.
    Ignored(Ignored),
    /// The token is not as it should be; nothing was stored.
    Refused(SetRefusal),
    /// Our trouble: its event is not stored.
    Unavailable {
        /// Which.
        trouble: Trouble,
        /// When to come back, in seconds.
        retry_after_s: u32,
    },
}

/// What of ours, or of the source's key set, is in trouble. Its text is a code for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The source's row.
    #[error("source")]
    Source,
    /// Its `jwksUri`, which is not one that we go to.
    #[error("key_set_url")]
    KeySetUrl,
    /// Its key set.
    #[error("key_set")]
    KeySet,
    /// The queue.
    #[error("queue")]
    Queue,
}

impl From<Trouble> for Answer {
    fn from(trouble: Trouble) -> Self {
        Self::Unavailable { trouble, retry_after_s: super::RETRY_AFTER_S }
    }
}

impl From<SetRefusal> for Answer {
    fn from(refusal: SetRefusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Hears one request, which was posted to this URL, where that is known.
pub async fn listen(
    request: Request<'_>,
    url: Option<&str>,
    settings: &Settings,
    ports: &impl Ports,
) -> Heard {
    let audience = Audience { url, now: ports.now() };
    let unproven = match body_of(request).and_then(Unproven::parse) {
        Ok(unproven) => unproven,
        Err(refusal) => return Heard { application: None, answer: refusal.into() },
    };
    let Some(application) = unproven.application().cloned() else {
        let answer = Answer::Ignored(unproven.into_ignored());
        return Heard { application: None, answer };
    };
    let source = match ports.source(&application).await {
        Ok(Some(source)) => source,
        Ok(None) => {
            let answer = SetRefusal::UnknownApplication.into();
            return Heard { application: None, answer };
        }
        Err(NoSource) => return Heard { application: None, answer: Trouble::Source.into() },
    };
    let answer = match hear(unproven, &source, audience, settings.egress, ports).await {
        Ok(Proven::Event(mut event)) => {
            event.trace = request.trace;
            store(*event, audience.now, ports).await
        }
        Ok(Proven::Ignored(ignored)) => Answer::Ignored(ignored),
        Err(answer) => answer,
    };
    Heard { application: Some(application), answer }
}

/// The body, if it is a token by its headers.
pub(super) fn body_of(request: Request<'_>) -> Result<&[u8], SetRefusal> {
    request.checked_body_of(MEDIA_TYPE).map_err(|refusal| match refusal {
        Refusal::Encoding => SetRefusal::Encoding,
        Refusal::MediaType
        | Refusal::Text(_)
        | Refusal::TooLarge { .. }
        | Refusal::Invalid(_)
        | Refusal::Conflict(_)
        | Refusal::AnotherLogin => SetRefusal::ContentType,
    })
}

/// Has a token prove itself to the source that it says it is of.
async fn hear(
    unproven: Unproven<'_>,
    source: &AkamaiSource,
    audience: Audience<'_>,
    egress: EgressPolicy,
    ports: &impl Ports,
) -> Result<Proven, Answer> {
    if !source.enabled {
        return Err(SetRefusal::Disabled.into());
    }
    let deadline = Deadline::at(audience.now.plus_ms(SET_KEYS_MS));
    let wanted = unproven.wanted_key();
    let key = key_of(source, wanted, deadline, egress, ports).await?.ok_or(SetRefusal::Key)?;
    Ok(unproven.prove(&key, source, audience)?)
}

async fn key_of(
    source: &AkamaiSource,
    wanted: WantedKey<'_>,
    deadline: Deadline,
    egress: EgressPolicy,
    ports: &impl Ports,
) -> Result<Option<Key>, Trouble> {
    match &source.keys {
        KeySource::Pinned(keys) => Ok(keys.find(wanted.kid, wanted.algorithm).cloned()),
        KeySource::Uri(uri) => {
            let url = GuardedUrl::judge(uri, egress).map_err(|_| Trouble::KeySetUrl)?;
            let keys = ports.key_set(&url, wanted, deadline).await;
            let keys = keys.map_err(|NoKeySet| Trouble::KeySet)?;
            Ok(keys.find(wanted.kid, wanted.algorithm).cloned())
        }
    }
}

/// Takes the event in as one that its producer has given an ID and a moment.
async fn store(event: Event, started_at: Timestamp, ports: &impl Ports) -> Answer {
    let id = event.id.clone();
    let (pointer, by) = (Pointer::root(), GivenBy::Producer);
    let posted = Posted { event, pointer, id: by, occurred_at: by };
    match take_in(vec![posted], started_at, ports).await {
        super::Answer::Accepted(_) => Answer::Accepted(id),
        super::Answer::Refused(_) => SetRefusal::Conflict.into(),
        super::Answer::Unavailable { .. } => Trouble::Queue.into(),
    }
}
