//! What travels through the queues: small, versioned in the variant, readable by the next release.
//!
//! `{"EventsV1":{"events":[…]}}` on `events`: events of one scope, with `cursor` and `until` when the
//! message is a portion of a wide fan-out. `{"RetryV1":{"deliveryId":"…","attempt":n}}` on `retries`: a wake-up, which
//! carries no truth of its own; the ledger has it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::event::Event;
use crate::id::{DeliveryId, SubscriptionId};
use crate::json::Members;
use crate::scope::Scope;

/// A queue message, parsed.
#[derive(Serialize)]
pub enum QueueMessage {
    /// Events to deliver.
    EventsV1(Events),
    /// A ledger item to look at.
    RetryV1(Wakeup),
}

/// Events of one scope: at least one, and all of the same scope; and for whom of those that listen.
#[derive(Clone, Serialize)]
pub struct Events {
    events: Vec<Event>,
    #[serde(flatten)]
    span: Span,
}

/// A place in a fan-out: one pair of event and subscription. Pairs are in the order of events, then
/// of subscription IDs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// Position in `events`.
    pub event: usize,
    /// The subscription, which need not be there any more.
    pub subscription: SubscriptionId,
}

/// Which pairs of a fan-out a message stands for: all of them, unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Only those behind this one.
    #[serde(rename = "cursor", skip_serializing_if = "Option::is_none")]
    after: Option<Cursor>,
    /// Only those up to this one, and this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Cursor>,
}

impl Span {
    /// `None` when it ends where it begins, or before: it would stand for nobody, and a message
    /// that stands for nobody is a loss that nobody notices.
    #[must_use]
    pub fn new(after: Option<Cursor>, until: Option<Cursor>) -> Option<Self> {
        let is_empty = matches!((&after, &until), (Some(after), Some(until)) if after >= until);
        (!is_empty).then_some(Self { after, until })
    }

    /// Whether it stands for all pairs, and is no portion.
    pub(crate) fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the message stands for this pair.
    pub(crate) fn holds(&self, event: usize, subscription: &SubscriptionId) -> bool {
        let place =
            |cursor: &Cursor| (event, subscription).cmp(&(cursor.event, &cursor.subscription));
        self.after.as_ref().is_none_or(|after| place(after).is_gt())
            && self.until.as_ref().is_none_or(|until| place(until).is_le())
    }

    /// The spans that it falls into when it is cut behind each of these places, which are in order
    /// and within it.
    pub(crate) fn cut(&self, ends: Vec<Cursor>) -> Vec<Self> {
        let mut after = self.after.clone();
        let until = ends.into_iter().map(Some).chain([self.until.clone()]);
        until
            .map(|until| Self { after: std::mem::replace(&mut after, until.clone()), until })
            .collect()
    }
}

/// A wake-up of one delivery. Stale twins are harmless: the ledger's `attempt` decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wakeup {
    /// Which delivery.
    pub delivery_id: DeliveryId,
    /// How many attempts had been made when the wake-up was sent.
    pub attempt: u32,
}

/// What became of a message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The queue has it.
    Confirmed,
    /// The queue refused it, could not be reached, or did not answer in time.
    Unconfirmed,
}

/// Why a record cannot be read. It goes to the dead-letter queue at first sight, with this reason
/// as the message attribute `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON, or not an object with one member.
    #[error("not_a_message")]
    NotAMessage,
    /// A version that this release does not know. A newer one will: move it back after the upgrade.
    #[error("unknown_version")]
    UnknownVersion,
    /// The version is known, its content is not what that version promises.
    #[error("invalid_content")]
    InvalidContent,
    /// A wake-up on the events queue, or events on the retries queue.
    #[error("wrong_queue")]
    WrongQueue,
}

impl Events {
    /// Events of one scope. `None` when there are none, or of more than one scope.
    #[must_use]
    pub fn new(events: Vec<Event>, span: Span) -> Option<Self> {
        let scope = &events.first()?.scope;
        events.iter().all(|event| event.scope == *scope).then_some(Self { events, span })
    }

    /// The scope of all of them.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.events[0].scope
    }

    /// The events, in the order in which they were posted.
    #[must_use]
    pub fn as_slice(&self) -> &[Event] {
        &self.events
    }

    /// Which pairs of event and subscription are meant.
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// The same events for others.
    pub(crate) fn spanning(&self, span: Span) -> Self {
        Self { events: self.events.clone(), span }
    }
}

impl QueueMessage {
    /// Reads the body of an SQS record.
    pub fn parse(body: &str) -> Result<Self, Unreadable> {
        let raw: &RawValue = serde_json::from_str(body).map_err(|_| Unreadable::NotAMessage)?;
        let members = Members::of(raw);
        let [(version, content)] = members.as_slice() else {
            return Err(Unreadable::NotAMessage);
        };
        match version.as_ref() {
            "EventsV1" => {
                let read: EventsContent =
                    serde_json::from_str(content.get()).map_err(|_| Unreadable::InvalidContent)?;
                Span::new(read.cursor, read.until)
                    .and_then(|span| Events::new(read.events, span))
                    .map(Self::EventsV1)
                    .ok_or(Unreadable::InvalidContent)
            }
            "RetryV1" => serde_json::from_str(content.get())
                .map(Self::RetryV1)
                .map_err(|_| Unreadable::InvalidContent),
            _ => Err(Unreadable::UnknownVersion),
        }
    }

    /// The body of an SQS record.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "serialising owned strings and numbers cannot fail"
    )]
    pub fn to_body(&self) -> String {
        queue_safe(serde_json::to_string(self).expect("a queue message is plain JSON"))
    }
}

/// Legal in JSON strings, refused in SQS messages.
const REFUSED_BY_QUEUES: [char; 2] = ['\u{fffe}', '\u{ffff}'];

/// How long a JSON text is once [`queue_safe`] has written its escapes, in bytes.
pub(crate) fn queued_bytes(json: &str) -> usize {
    const ESCAPE_GROWS_BY_BYTES: usize = "\\uffff".len() - '\u{ffff}'.len_utf8();
    json.len() + json.matches(REFUSED_BY_QUEUES).count() * ESCAPE_GROWS_BY_BYTES
}

/// JSON without the two characters that JSON allows in strings and SQS in no message: they are
/// written as escapes
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
pub(crate) fn queue_safe(json: String) -> String {
    if json.contains(REFUSED_BY_QUEUES) {
        json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
    } else {
        json
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsContent {
    events: Vec<Event>,
    #[serde(default)]
    cursor: Option<Cursor>,
    #[serde(default)]
    until: Option<Cursor>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"id":"e1","type":"userCreated","source":"next_identity","occurredAt":1,
        "acceptedAt":2,"scope":"PROPERTY#p1","propertyId":"p1","sub":"u1","data":{"a": 1}}"#;

    fn reason(body: &str) -> Option<Unreadable> {
        QueueMessage::parse(body).err()
    }

    #[test]
    fn a_message_reads_back_as_itself() {
        let (cursor, until) = (
            r#""cursor":{"event":0,"subscription":"s1"}"#,
            r#""until":{"event":0,"subscription":"s2"}"#,
        );
        for span in
            [String::new(), cursor.to_owned(), until.to_owned(), format!("{cursor},{until}")]
        {
            let comma = if span.is_empty() { "" } else { "," };
            let body = format!(r#"{{"EventsV1":{{"events":[{EVENT}]{comma}{span}}}}}"#);
            let message = QueueMessage::parse(&body).expect("readable");
            let again = QueueMessage::parse(&message.to_body()).expect("readable");
            assert_eq!(again.to_body(), message.to_body());
            assert!(message.to_body().contains(r#""data":{"a": 1}"#));
            assert!(message.to_body().ends_with(&format!("{span}}}}}")), "{}", message.to_body());
        }
    }

    #[test]
    fn a_span_that_is_cut_stands_for_the_same_pairs_each_in_one_part() {
        let place = |event, subscription: &str| Cursor {
            event,
            subscription: SubscriptionId::parse(subscription).expect("valid"),
        };
        let whole = Span::new(Some(place(0, "b")), Some(place(2, "b"))).expect("not empty");
        let parts = whole.cut(vec![place(0, "c"), place(1, "a")]);
        assert_eq!(parts.len(), 3);
        for event in 0..4 {
            for subscription in ["a", "b", "c", "d"] {
                let place = place(event, subscription);
                let holders = parts.iter().filter(|part| part.holds(event, &place.subscription));
                let expected = usize::from(whole.holds(event, &place.subscription));
                assert_eq!(holders.count(), expected, "{place:?}");
            }
        }
    }

    #[test]
    fn characters_that_sqs_refuses_travel_as_escapes() {
        let odd = EVENT.replace("{\"a\": 1}", "{\"a\":\"\u{fffe}-\u{ffff}\"}");
        let message = QueueMessage::parse(&format!(r#"{{"EventsV1":{{"events":[{odd}]}}}}"#));
        let message = message.expect("readable");
        let body = message.to_body();
        let unescaped = serde_json::to_string(&message).expect("JSON");
        assert_eq!(queued_bytes(&unescaped), body.len());
        assert!(body.contains(r#"{"a":"\ufffe-\uffff"}"#), "{body}");
        assert!(QueueMessage::parse(&body).is_ok());
    }

    #[test]
    fn a54_unreadable_records_have_their_reasons() {
        let other_scope = EVENT.replace("PROPERTY#p1", "PROPERTY#p2");
        let cases = [
            ("", Unreadable::NotAMessage),
            ("hello", Unreadable::NotAMessage),
            ("{}", Unreadable::NotAMessage),
            (r#"{"EventsV1":{},"RetryV1":{}}"#, Unreadable::NotAMessage),
            (r#"{"EventsV2":{}}"#, Unreadable::UnknownVersion),
            (r#"{"EventsV1":{"events":[]}}"#, Unreadable::InvalidContent),
            (r#"{"EventsV1":{"events":[{"id":"e"}]}}"#, Unreadable::InvalidContent),
            (
                &format!(r#"{{"EventsV1":{{"events":[{EVENT},{other_scope}]}}}}"#),
                Unreadable::InvalidContent,
            ),
            (
                &format!(
                    r#"{{"EventsV1":{{"events":[{EVENT}],"cursor":{{"event":0,"subscription":"s1"}},"until":{{"event":0,"subscription":"s1"}}}}}}"#
                ),
                Unreadable::InvalidContent,
            ),
            (r#"{"RetryV1":{"deliveryId":"x","attempt":1}}"#, Unreadable::InvalidContent),
            (r#"{"RetryV1":{"deliveryId":"dlv_x","attempt":-1}}"#, Unreadable::InvalidContent),
            (
                r#"{"RetryV1":{"deliveryId":"dlv_x","attempt":99999999999}}"#,
                Unreadable::InvalidContent,
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(reason(body), Some(expected), "{body}");
        }
    }
}
