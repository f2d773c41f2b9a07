//! Idempotency: an event that is posted again is sent once.
//!
//! In two phases. Before the send every event with a producer's ID is *begun*: its ID is noted as
//! pending, with a hash of its body. After the send those that the queue has confirmed are noted
//! as sent. "Put if absent, then send" would lose an event whose send failed: the repetition would
//! find the ID and be answered 202. Here only an ID noted as sent is not sent again.
//!
//! Nothing here may lose an event. Where the table cannot be asked, or cannot be told, the event is
//! sent, at worst twice; the delivery is the same one, and a receiver drops it by its `jti`.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Ports;
use super::request::{GivenBy, Posted, Refusal};
use crate::event::Event;
use crate::event_type::{EventType, Source};
use crate::id::{ClientId, EventId, PropertyId, Sub};
use crate::json::{Problems, canonical};
use crate::limits::{IDEMPOTENCY_S, INGEST_ANSWER_MS, INGEST_BEGIN_MS, INGEST_MARK_MS};
use crate::scope::Scope;
use crate::time::{Deadline, Timestamp};

/// Whether an event that is posted again is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// By its ID, for 24 hours.
    On,
    /// Every posting is sent.
    Off,
}

/// One posting of an event: whose, under which ID, with which body.
#[derive(Clone, PartialEq, Eq)]
pub struct Posting {
    /// Two scopes may use the same ID.
    pub scope: Scope,
    /// The producer's ID.
    pub id: EventId,
    /// What is posted under it.
    pub body: BodyHash,
}

/// What is known of a posting that is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The ID was not known; it is now, as pending.
    New,
    /// It was begun before with this body, and not noted as sent: it is sent, perhaps again.
    Pending,
    /// It was sent with this body: not again.
    Sent,
    /// The ID belongs to another body.
    Conflict,
    /// The table could not be asked: it is sent, perhaps again.
    Unknown,
}

/// A hash of what a producer says in an event. No `Debug`: short data could be guessed from it.
#[derive(Clone, PartialEq, Eq)]
pub struct BodyHash(String);

/// The events of a request that are to be sent; only [`begin`] lets an event pass.
pub(super) struct Unsent(Vec<Event>);

/// A request whose events have been begun.
pub(super) struct Cleared {
    /// The IDs of all its events, in the order of the request.
    pub(super) ids: Vec<EventId>,
    /// Those that are not known as sent.
    pub(super) unsent: Unsent,
    /// Which of those the table knows as pending.
    pending: Vec<Posting>,
}

impl Posting {
    /// The key of the table's item: `<scope key>#<event ID>`. None of the parts can hold a `#`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}#{}", self.scope.key(), self.id)
    }

    /// The posting of an event that carries its producer's ID, and a moment from whom.
    #[must_use]
    pub fn of(event: &Event, occurred_at: GivenBy) -> Self {
        let body = BodyHash::of(event, occurred_at);
        Self { scope: event.scope.clone(), id: event.id.clone(), body }
    }
}

impl BodyHash {
    /// SHA-256, in 43 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of everything that is delivered and does not come from us: a moment that we put in is left
    /// out, because the repetition gets another one. A change of this spelling makes a conflict of
    /// every repetition that spans the change.
    fn of(event: &Event, occurred_at: GivenBy) -> Self {
        #[derive(Serialize)]
        struct Said<'a>(
            EventType,
            Source,
            Option<Timestamp>,
            Option<&'a PropertyId>,
            Option<&'a ClientId>,
            Option<&'a Sub>,
        );
        let occurred_at = match occurred_at {
            GivenBy::Producer => Some(event.occurred_at),
            GivenBy::Us => None,
        };
        // Akamai says neither: they are of our row of its source, which may change meanwhile.
        let (property_id, client_id) = match event.source {
            Source::NextIdentity => (event.property_id.as_ref(), event.client_id.as_ref()),
            Source::AkamaiIdentityCloud => (None, None),
        };
        let said =
            Said(event.kind, event.source, occurred_at, property_id, client_id, event.sub.as_ref());
        let mut text = serde_json::to_string(&said).expect("strings and numbers are plain JSON");
        canonical::write(&event.data, &mut text);
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(text)))
    }
}

impl Deref for Unsent {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.0
    }
}

/// Until when an ID is known that was noted at this moment, in epoch seconds. From that second on
/// it is not, whether or not the table has deleted it.
#[must_use]
pub fn known_until_s(noted_at: Timestamp) -> u64 {
    noted_at.as_s() + IDEMPOTENCY_S
}

/// When an ID was noted that is known until this second; the other way round than
/// [`known_until_s`].
#[must_use]
pub fn noted_at(known_until_s: u64) -> Timestamp {
    Timestamp::from_ms(known_until_s.saturating_sub(IDEMPOTENCY_S).saturating_mul(1_000))
}

/// Begins the events of a request, or refuses it whole because of an ID that belongs to another
/// body.
pub(super) async fn begin(
    posted: Vec<Posted>,
    now: Timestamp,
    ports: &impl Ports,
) -> Result<Cleared, Refusal> {
    let ids = posted.iter().map(|posted| posted.event.id.clone()).collect();
    let postings = match ports.idempotency() {
        Idempotency::Off => Vec::new(),
        Idempotency::On => recognisable(&posted),
    };
    let by = Deadline::at(now.plus_ms(INGEST_BEGIN_MS));
    let begun =
        if postings.is_empty() { Vec::new() } else { ports.begin(&postings, now, by).await };
    // An ID stands in a request once.
    let mut begun: HashMap<EventId, (Posting, Begun)> = postings
        .into_iter()
        .zip(begun)
        .map(|(posting, begun)| (posting.id.clone(), (posting, begun)))
        .collect();

    let (mut unsent, mut pending, mut conflicts) = (Vec::new(), Vec::new(), Problems::default());
    for Posted { event, pointer, .. } in posted {
        match begun.remove(&event.id) {
            Some((posting, Begun::New | Begun::Pending)) => {
                pending.push(posting);
                unsent.push(event);
            }
            Some((_, Begun::Sent)) => {}
            Some((_, Begun::Conflict)) => {
                conflicts.add(pointer.child("id"), "was posted before with another body");
            }
            // Not asked about, or asked in vain. A table that did not answer now is not told
            // afterwards either: that would only make the producer wait twice.
            None | Some((_, Begun::Unknown)) => unsent.push(event),
        }
    }
    if conflicts.is_empty() {
        Ok(Cleared { ids, unsent: Unsent(unsent), pending })
    } else {
        Err(Refusal::Conflict(conflicts.into_vec()))
    }
}

/// An ID of ours is new by itself and nobody can repeat it.
fn recognisable(posted: &[Posted]) -> Vec<Posting> {
    let given = posted.iter().filter(|posted| posted.id == GivenBy::Producer);
    given.map(|posted| Posting::of(&posted.event, posted.occurred_at)).collect()
}

impl Cleared {
    /// Notes which of the events the queue has confirmed. What is not noted may be sent again.
    pub(super) async fn mark_sent(
        self,
        confirmed: &HashSet<EventId>,
        started_at: Timestamp,
        ports: &impl Ports,
    ) {
        let mut sent = self.pending;
        sent.retain(|posting| confirmed.contains(&posting.id));
        if sent.is_empty() {
            return;
        }
        let now = ports.now();
        let answer_at = Deadline::at(started_at.plus_ms(INGEST_ANSWER_MS));
        let by = Deadline::at(now.plus_ms(INGEST_MARK_MS)).earlier(answer_at);
        ports.mark_sent(&sent, now, by).await;
    }
}

#[cfg(test)]
impl From<Vec<Event>> for Unsent {
    fn from(events: Vec<Event>) -> Self {
        Self(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_type::EventTypeNames;
    use crate::ingest::Request;

    const PLAIN: &str = r#"{"id":"e1","type":"userUpdated","occurredAt":"2026-11-23T10:00:00Z",
        "propertyId":"p1","clientId":"c1","sub":"u1","data":{"a":1.0,"b":"é"}}"#;

    /// The postings of a body that arrives this many milliseconds after the epoch.
    fn postings(body: &str, at_ms: u64) -> Vec<Posting> {
        let request = Request {
            content_type: Some("application/json"),
            content_encoding: None,
            body: Some(body.as_bytes()),
            trace: None,
        };
        let now = Timestamp::from_ms(at_ms);
        let posted =
            request.parse(Source::NextIdentity, &EventTypeNames::default(), now, || [7; 10]);
        recognisable(&posted.unwrap_or_else(|refusal| unreachable!("{refusal:?}")))
    }

    fn hash(body: &str) -> String {
        postings(body, 1)[0].body.as_str().to_owned()
    }

    #[test]
    fn a_body_repeated_in_another_spelling_is_the_same_body() {
        let spelled = r#"[ {"sub":"u1","data":{ "b":"\u00e9", "a":1.0 },"clientId":"c1",
            "propertyId":"p1","type":"account/v1/userUpdated","id":"e1",
            "occurredAt":"2026-11-23T11:00:00.000+01:00"} ]"#;
        assert_eq!(hash(spelled), hash(PLAIN));
        assert_eq!(hash(PLAIN).len(), 43);
    }

    #[test]
    fn whatever_else_a_producer_says_makes_another_body() {
        for (said, instead) in [
            ("userUpdated", "userCreated"),
            ("10:00:00Z", "10:00:01Z"),
            (r#""occurredAt":"2026-11-23T10:00:00Z","#, ""),
            (r#""p1""#, r#""p2""#),
            (r#""c1""#, r#""c2""#),
            (r#""clientId":"c1","#, ""),
            (r#""u1""#, r#""u2""#),
            ("1.0", "1"),
            ("é", "e"),
            (r#""a":"#, r#""c":"#),
        ] {
            let other = PLAIN.replacen(said, instead, 1);
            assert_ne!(other, PLAIN);
            assert_ne!(hash(&other), hash(PLAIN), "{instead} for {said}");
        }
    }

    #[test]
    fn what_we_put_in_is_not_in_the_hash() {
        let bare = r#"{"id":"e1","type":"newDevice","clientId":"c1","occurredAt":null}"#;
        assert!(postings(bare, 1_000) == postings(bare, 2_000));
        let empty = bare.replace(r#""occurredAt":null"#, r#""data":{}"#);
        assert!(postings(bare, 1_000) == postings(&empty, 1_000));
        let first = r#"{"id":"e1","type":"newDevice","clientId":"c1",
            "occurredAt":"1970-01-01T00:00:01Z"}"#;
        assert!(postings(bare, 1_000) != postings(first, 1_000), "the same moment, but given");
    }

    #[test]
    fn an_event_without_an_id_is_not_asked_about() {
        let nameless = r#"{"type":"newDevice","clientId":"c1"}"#;
        let null = r#"{"type":"newDevice","clientId":"c2","id":null}"#;
        let named = r#"{"type":"newDevice","clientId":"c3","id":"e3"}"#;
        let found = postings(&format!("[{named},{null}]"), 1);
        assert_eq!(found.iter().map(Posting::key).collect::<Vec<_>>(), ["CLIENT#c3#e3"]);
        assert!(postings(nameless, 1).is_empty());
    }

    #[test]
    fn a84_keys_hold_the_scope() {
        let of_property = postings(PLAIN, 1).remove(0);
        let client = r#"{"id":"e1","type":"newDevice","clientId":"p1"}"#;
        assert_eq!(of_property.key(), "PROPERTY#p1#e1");
        assert_eq!(postings(client, 1)[0].key(), "CLIENT#p1#e1");
    }
}
