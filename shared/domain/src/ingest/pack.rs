//! Packing events into as few queue messages as SQS's billing allows.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::idempotency::Unsent;
use crate::id::EventId;
use crate::limits::MESSAGE_PACK_BYTES_MAX;
use crate::message::queue_safe;
use crate::scope::Scope;
use crate::trace::Trace;

/// A message for the events queue. No `Debug`: its body may hold personal data.
#[derive(Clone)]
pub struct Outgoing {
    /// The fair queue's group: the scope's key (at most 128 characters of SQS's alphabet).
    pub group: String,
    /// The body, as `message::QueueMessage::parse` reads it.
    pub body: String,
    /// The events in it.
    pub event_ids: Vec<EventId>,
    /// The trace that they belong to.
    pub trace: Option<Trace>,
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
    trace: Option<Trace>,
    bytes: usize,
}

/// Packs events of the same scope together, in their order, up to 64 KiB of JSON a message. An
/// event that is larger than that travels alone.
pub(super) fn pack(events: &Unsent) -> Vec<Outgoing> {
    let mut parcels: Vec<Parcel> = Vec::new();
    for event in events.iter() {
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
                trace: event.trace,
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
            body: queue_safe(serde_json::to_string(&packed).expect("raw JSON in an array is JSON")),
            event_ids: self.event_ids,
            trace: self.trace,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Event;
    use crate::message::QueueMessage;

    fn event(index: usize, client: u8, padding: usize) -> Event {
        let json = format!(
            r#"{{"id":"e{index}","type":"newDevice","source":"next_identity","occurredAt":1,
            "acceptedAt":2,"scope":"CLIENT#c{client}","clientId":"c{client}","data":{{"x":"{}"}}}}"#,
            "x".repeat(padding)
        );
        serde_json::from_str(&json).expect("an event")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn packing_loses_nothing_keeps_order_and_respects_the_limit(
            shapes in proptest::collection::vec((0u8..4, 0usize..40_000), 0..40)
        ) {
            let events: Vec<_> = shapes
                .iter()
                .enumerate()
                .map(|(index, (client, padding))| event(index, *client, *padding))
                .collect();
            let mut unpacked: Vec<Vec<String>> = vec![Vec::new(); 4];
            for message in pack(&events.into()) {
                let Ok(QueueMessage::EventsV1(read)) = QueueMessage::parse(&message.body) else {
                    panic!("delivery cannot read what ingest packs");
                };
                prop_assert_eq!(&read.scope().key(), &message.group);
                prop_assert!(
                    message.body.len() <= MESSAGE_PACK_BYTES_MAX || read.as_slice().len() == 1
                );
                let ids: Vec<_> = read.as_slice().iter().map(|event| event.id.clone()).collect();
                prop_assert_eq!(&ids, &message.event_ids);
                let client = usize::from(message.group.as_bytes()["CLIENT#c".len()] - b'0');
                unpacked[client].extend(ids.iter().map(ToString::to_string));
            }
            for (client, ids) in unpacked.iter().enumerate() {
                let sent = shapes.iter().enumerate().filter(|(_, shape)| usize::from(shape.0) == client);
                let sent: Vec<_> = sent.map(|(index, _)| format!("e{index}")).collect();
                prop_assert_eq!(ids, &sent);
            }
        }

        #[test]
        fn small_events_of_one_scope_share_a_message(count in 1usize..50) {
            let events: Vec<_> = (0..count).map(|index| event(index, 0, 10)).collect();
            prop_assert_eq!(pack(&events.into()).len(), 1);
        }
    }
}
