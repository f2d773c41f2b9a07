//! A posted event of a kilobyte, from its bytes to an event.

use domain::event::{Arrival, Event};
use domain::event_type::{EventTypeNames, Source};
use domain::json::{Object, Pointer, Problems, Text};
use domain::limits::JSON_DEPTH_MAX;
use domain::time::Timestamp;
use serde_json::{Value, json};

/// A body and what it is read with.
pub struct Posting {
    body: Vec<u8>,
    names: EventTypeNames,
}

impl Posting {
    /// A `registration` of 1,024 bytes.
    #[must_use]
    pub fn new() -> Self {
        let body = |filler: usize| {
            json!({
                "id": "01975c0e-7c1e-7d2b-a3ff-5a5ef7a2b1c4", "type": "registration",
                "occurredAt": "2026-11-23T10:00:00.250Z", "clientId": "client-1", "sub": "user-1",
                "data": {
                    "user": {
                        "email": "somebody@mail.example", "phoneNumber": "+1 555 0100",
                        "givenName": "Some", "familyName": "Body", "locale": "en-GB",
                    },
                    "verification": {
                        "url": "https://idp.example.com/verify?code=c0de", "channel": "email",
                        "expiresAt": "2026-11-24T10:00:00Z",
                    },
                    "preferences": [1, 2.5, true, null, {"newsletter": false}],
                    "notes": "n".repeat(filler),
                },
            })
            .to_string()
        };
        let body = body(1_024 - body(0).len()).into_bytes();
        Self { body, names: EventTypeNames::default() }
    }

    /// Its length, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// The floor: its tree of values.
    ///
    /// # Errors
    ///
    /// Never: it is JSON.
    pub fn tree(&self) -> serde_json::Result<Value> {
        serde_json::from_slice(&self.body)
    }

    /// As ingest reads it: walked once, taken apart, checked. `None` of what is no event.
    #[must_use]
    pub fn event(&self) -> Option<Event> {
        let text = Text::check(&self.body, JSON_DEPTH_MAX).ok()?;
        let mut problems = Problems::default();
        let object = Object::read(text, Pointer::root(), &mut problems)?;
        let arrival = Arrival {
            source: Source::NextIdentity,
            accepted_at: Timestamp::from_ms(1_795_428_000_000),
            names: &self.names,
            dice: [7; 10],
        };
        Event::parse(object, arrival, &mut problems)
    }
}

impl Default for Posting {
    fn default() -> Self {
        Self::new()
    }
}
