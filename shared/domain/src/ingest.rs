//! Ingest: from the bytes of a request to events that SQS has confirmed, or to a clear refusal.
//!
//! A request is accepted whole or refused whole: nothing of a request with a problem in it is
//! enqueued. Where idempotency is on, an event that is posted again is accepted and not sent again.
//! It knows no HTTP: what an [`Answer`] looks like on the wire stands in the adapters.

pub mod doctor;
mod idempotency;
pub mod listener;
mod pack;
mod request;

use std::collections::HashSet;
use std::future::Future;

use crate::egress::EgressPolicy;
use crate::event_type::{EventTypeNames, Source};
use crate::id::EventId;
use crate::message::Sent;
use crate::time::{Deadline, Timestamp};

pub use idempotency::{Begun, BodyHash, Idempotency, Posting, known_until_s, noted_at};
pub use pack::Outgoing;
pub(crate) use request::Posted;
pub use request::{GivenBy, Refusal, Request};

/// What a deployment decides about what is posted.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What event types are called.
    pub names: EventTypeNames,
    /// Where third parties' key sets may be fetched from.
    pub egress: EgressPolicy,
}

/// What ingest needs from outside.
pub trait Ports: Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Fresh chance, for the IDs of events that have none.
    fn dice(&self) -> [u8; 10];

    /// Whether repeated IDs are recognised; where they are not, nothing is begun or marked.
    fn idempotency(&self) -> Idempotency;

    /// Begins postings: notes each ID that is not known at `now` as pending, with the hash of its
    /// body, until [`known_until_s`]; what is known of an ID stays as it is. Says of each, in the
    /// same order, what is known of it. What could not be done by the deadline is unknown.
    fn begin(
        &self,
        postings: &[Posting],
        now: Timestamp,
        by: Deadline,
    ) -> impl Future<Output = Vec<Begun>> + Send;

    /// Notes postings as sent at `now`, where their IDs are known with their bodies, until
    /// [`known_until_s`]. What cannot be done by the deadline is left undone.
    fn mark_sent(
        &self,
        postings: &[Posting],
        now: Timestamp,
        by: Deadline,
    ) -> impl Future<Output = ()> + Send;

    /// Sends messages to the events queue and says of each, in the same order, whether the queue
    /// confirmed it. A message whose fate is unknown counts as not confirmed.
    fn send(&self, messages: &[Outgoing]) -> impl Future<Output = Vec<Sent>> + Send;

    /// The public keys as a JWK Set; `None` when they cannot be read now.
    fn published_keys(&self) -> impl Future<Output = Option<String>> + Send;
}

/// What the producer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Every event is stored, by this request or by an earlier one. The IDs, in the order of the
    /// request.
    Accepted(Vec<EventId>),
    /// The request is wrong; nothing was stored.
    Refused(Refusal),
    /// Our trouble: some or all events are not stored. The producer repeats with the same IDs.
    Unavailable {
        /// Stored all the same.
        stored: Vec<EventId>,
        /// To be repeated.
        not_stored: Vec<EventId>,
        /// When to come back, in seconds.
        retry_after_s: u32,
    },
}

/// A producer comes back this much later when the queue did not take its events.
const RETRY_AFTER_S: u32 = 2;

/// Takes in one request of one source.
pub async fn run(
    request: Request<'_>,
    source: Source,
    names: &EventTypeNames,
    ports: &impl Ports,
) -> Answer {
    let started_at = ports.now();
    let posted = match request.parse(source, names, started_at, || ports.dice()) {
        Ok(posted) => posted,
        Err(refusal) => return Answer::Refused(refusal),
    };
    take_in(posted, started_at, ports).await
}

/// Takes in the events of one request, read and right.
async fn take_in(posted: Vec<Posted>, started_at: Timestamp, ports: &impl Ports) -> Answer {
    let cleared = match idempotency::begin(posted, started_at, ports).await {
        Ok(cleared) => cleared,
        Err(refusal) => return Answer::Refused(refusal),
    };
    let Fates { confirmed, unconfirmed } = send(&cleared.unsent, ports).await;
    let ids = cleared.ids.clone();
    cleared.mark_sent(&confirmed, started_at, ports).await;
    if unconfirmed.is_empty() {
        return Answer::Accepted(ids);
    }
    let (not_stored, stored) = ids.into_iter().partition(|id| unconfirmed.contains(id));
    Answer::Unavailable { stored, not_stored, retry_after_s: RETRY_AFTER_S }
}

/// What became of events that were sent.
#[derive(Default)]
struct Fates {
    confirmed: HashSet<EventId>,
    unconfirmed: HashSet<EventId>,
}

async fn send(unsent: &idempotency::Unsent, ports: &impl Ports) -> Fates {
    let messages = pack::pack(unsent);
    let sent = if messages.is_empty() { Vec::new() } else { ports.send(&messages).await };
    let mut fates = Fates::default();
    for (index, message) in messages.into_iter().enumerate() {
        match sent.get(index) {
            Some(Sent::Confirmed) => fates.confirmed.extend(message.event_ids),
            Some(Sent::Unconfirmed) | None => fates.unconfirmed.extend(message.event_ids),
        }
    }
    fates
}
