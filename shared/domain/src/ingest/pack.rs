//! Packing events into as few queue messages as SQS's billing allows.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::event::Event;
use crate::id::EventId;
use crate::limits::MESSAGE_PACK_BYTES_MAX;
use crate::scope::Scope;

/// A message for the events queue. No `Debug`: its body may hold personal data.
#[derive(Clone)]
pub struct Outgoing {
    /// The fair queue's group: the scope's key (at most 128 characters of SQS's alphabet).
    pub group: String,
    /// The body, as `message::QueueMessage::parse` reads it.
    pub body: String,
    /// The events in it.
    pub event_ids: Vec<EventId>,
}

/// What [`crate::message::QueueMessage::EventsV1`] is when the events are JSON already.
#[derive(Serialize)]
enum Packed {
    EventsV1 { events: Vec<Box<RawValue>> },
}

struct Parcel {
    scope: Scope,
    events: Vec<Box<RawValue>>,
    event_ids: Vec<EventId>,
    bytes: usize,
}

/// Packs events of the same scope together, in their order, up to 64 KiB of JSON a message. An
/// event that is larger than that travels alone.
pub(super) fn pack(events: &[Event]) -> Vec<Outgoing> {
    let mut parcels: Vec<Parcel> = Vec::new();
    for event in events {
        let json = to_raw_value(event).expect("an event is plain JSON");
        let bytes = json.get().len() + 1;
        let fits = |parcel: &&mut Parcel| {
            parcel.scope == event.scope && parcel.bytes + bytes <= MESSAGE_PACK_BYTES_MAX
        };
        // The latest parcel of the scope is the only one with room: keep the order of events.
        let open = parcels.iter_mut().rev().find(|parcel| parcel.scope == event.scope);
        if let Some(parcel) = open.filter(fits) {
            parcel.events.push(json);
            parcel.event_ids.push(event.id.clone());
            parcel.bytes += bytes;
        } else {
            parcels.push(Parcel {
                scope: event.scope.clone(),
                events: vec![json],
                event_ids: vec![event.id.clone()],
                bytes: bytes + ENVELOPE_BYTES,
            });
        }
    }
    parcels.into_iter().map(Parcel::seal).collect()
}

/// `{"EventsV1":{"events":[]}}`
const ENVELOPE_BYTES: usize = 26;

impl Parcel {
    fn seal(self) -> Outgoing {
        let packed = Packed::EventsV1 { events: self.events };
        Outgoing {
            group: self.scope.key(),
            body: serde_json::to_string(&packed).expect("raw JSON in an array is JSON"),
            event_ids: self.event_ids,
        }
    }
}
