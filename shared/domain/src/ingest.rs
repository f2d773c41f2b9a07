//! Ingest: from the bytes of a request to events that SQS has confirmed, or to a clear refusal.
//!
//! A request is accepted whole or refused whole: nothing of a request with a problem in it is
//! enqueued. It knows no HTTP: what an [`Answer`] looks like on the wire stands in the adapters.

mod pack;
mod request;

use std::future::Future;

use crate::event_type::{EventTypeNames, Source};
use crate::id::EventId;
use crate::message::Sent;
use crate::time::Timestamp;

pub use pack::Outgoing;
pub use request::{Refusal, Request};

/// What ingest needs from outside.
pub trait Ports: Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Fresh chance, for the IDs of events that have none.
    fn dice(&self) -> [u8; 10];

    /// Sends messages to the events queue and says of each, in the same order, whether the queue
    /// confirmed it. A message whose fate is unknown counts as not confirmed.
    fn send(&self, messages: &[Outgoing]) -> impl Future<Output = Vec<Sent>> + Send;

    /// The public keys as a JWK Set; `None` when they cannot be read now.
    fn published_keys(&self) -> impl Future<Output = Option<String>> + Send;
}

/// What the producer is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Every event is stored. The IDs, in the order of the request.
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
    let now = ports.now();
    let events = match request.parse(source, names, now, || ports.dice()) {
        Ok(events) => events,
        Err(refusal) => return Answer::Refused(refusal),
    };
    let ids: Vec<EventId> = events.iter().map(|event| event.id.clone()).collect();
    let messages = pack::pack(&events);
    let fates = ports.send(&messages).await;

    let mut stored = Vec::new();
    let mut not_stored = Vec::new();
    for (index, message) in messages.into_iter().enumerate() {
        match fates.get(index) {
            Some(Sent::Confirmed) => stored.extend(message.event_ids),
            Some(Sent::Unconfirmed) | None => not_stored.extend(message.event_ids),
        }
    }
    if not_stored.is_empty() {
        Answer::Accepted(ids)
    } else {
        Answer::Unavailable { stored, not_stored, retry_after_s: RETRY_AFTER_S }
    }
}
