//! Reading a request: `POST /v1/events` with one event or an array of up to 100.

use std::collections::HashSet;

use serde_json::value::RawValue;

use crate::event::{Arrival, Event};
use crate::event_type::{EventTypeNames, Source};
use crate::json::{Object, Pointer, Problem, Problems, Text, TextError};
use crate::limits::{EVENT_BYTES_MAX, JSON_DEPTH_MAX, REQUEST_BYTES_MAX, REQUEST_EVENTS_MAX};
use crate::media_type;
use crate::message::queued_bytes;
use crate::time::Timestamp;
use crate::trace::Trace;

/// A request as it came, header values and bytes.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `Content-Type`, with or without parameters.
    pub content_type: Option<&'a str>,
    /// `Content-Encoding`; only `identity` is taken.
    pub content_encoding: Option<&'a str>,
    /// The body; `None` when its transfer encoding could not be undone.
    pub body: Option<&'a [u8]>,
    /// The trace that it belongs to.
    pub trace: Option<Trace>,
}

/// Why a request is refused. Nothing of it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not `application/json`, or compressed.
    MediaType,
    /// The body says it is Base64 and is not.
    Encoding,
    /// Not JSON that can be read in only one way.
    Text(TextError),
    /// Larger than the limit. The pointer names the event, or the whole request.
    TooLarge {
        /// What is too large.
        pointer: Pointer,
        /// The limit, in bytes.
        limit_bytes: usize,
    },
    /// JSON, but not events.
    Invalid(Vec<Problem>),
    /// IDs that belong to other bodies.
    Conflict(Vec<Problem>),
    /// The `requestId` belongs to another login.
    AnotherLogin,
}

/// An event of a request.
pub(crate) struct Posted {
    pub(crate) event: Event,
    /// Where it stands in the request.
    pub(super) pointer: Pointer,
    /// Whose ID it has.
    pub(crate) id: GivenBy,
    /// By whose clock it occurred.
    pub(crate) occurred_at: GivenBy,
}

/// Where a member of an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenBy {
    /// It stood in the request.
    Producer,
    /// We put it in.
    Us,
}

impl GivenBy {
    pub(crate) fn of(object: &Object<'_>, name: &str) -> Self {
        if object.has(name) { Self::Producer } else { Self::Us }
    }
}

impl<'a> Request<'a> {
    /// The body, if it is JSON by its headers.
    pub fn checked_body(self) -> Result<&'a [u8], Refusal> {
        self.checked_body_of("application/json")
    }

    /// The body, if it is of this media type by its headers.
    pub(super) fn checked_body_of(self, wanted: &str) -> Result<&'a [u8], Refusal> {
        let is_wanted =
            self.content_type.is_some_and(|said| media_type::is_one_of(&[wanted], said));
        if !is_wanted || !is_plain(self.content_encoding) {
            return Err(Refusal::MediaType);
        }
        self.body.ok_or(Refusal::Encoding)
    }

    /// Parses all events, or says everything that is wrong with them. An ID stands in a request
    /// once, even where the scopes differ: the answer names events by their IDs alone.
    pub(crate) fn parse(
        self,
        source: Source,
        names: &EventTypeNames,
        now: Timestamp,
        mut dice: impl FnMut() -> [u8; 10],
    ) -> Result<Vec<Posted>, Refusal> {
        let body = self.checked_body()?;
        if body.len() > REQUEST_BYTES_MAX {
            let pointer = Pointer::root();
            return Err(Refusal::TooLarge { pointer, limit_bytes: REQUEST_BYTES_MAX });
        }
        let texts = split(body)?;
        let mut problems = Problems::default();
        let mut events = Vec::with_capacity(texts.len());
        let mut seen = HashSet::new();
        for (pointer, raw) in texts {
            let arrival = Arrival { source, accepted_at: now, names, dice: dice() };
            let Some(object) = Object::read_raw(raw, pointer.clone(), &mut problems) else {
                continue;
            };
            let (id, occurred_at) =
                (GivenBy::of(&object, "id"), GivenBy::of(&object, "occurredAt"));
            if let Some(mut event) = Event::parse(object, arrival, &mut problems) {
                event.trace = self.trace;
                if !seen.insert(event.id.clone()) {
                    problems.add(pointer.child("id"), "is given twice in this request");
                }
                events.push(Posted { event, pointer, id, occurred_at });
            }
        }
        if problems.is_empty() { Ok(events) } else { Err(Refusal::Invalid(problems.into_vec())) }
    }
}

/// The events of a body, unread, each with where it stands.
fn split(body: &[u8]) -> Result<Vec<(Pointer, &RawValue)>, Refusal> {
    let is_array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let text = Text::check(body, JSON_DEPTH_MAX + usize::from(is_array)).map_err(Refusal::Text)?;
    let invalid =
        |detail: String| Refusal::Invalid(vec![Problem { pointer: Pointer::root(), detail }]);
    let texts = if is_array {
        let elements: Vec<&RawValue> = serde_json::from_str(text.as_str())
            .map_err(|_| invalid("expected an array of events".to_owned()))?;
        if !(1..=REQUEST_EVENTS_MAX).contains(&elements.len()) {
            let count = elements.len();
            return Err(invalid(format!(
                "expected 1 to {REQUEST_EVENTS_MAX} events, there are {count}"
            )));
        }
        let placed = |(index, raw)| (Pointer::root().element(index), raw);
        elements.into_iter().enumerate().map(placed).collect()
    } else {
        let whole: &RawValue = serde_json::from_str(text.as_str())
            .map_err(|_| invalid("expected an event".to_owned()))?;
        vec![(Pointer::root(), whole)]
    };
    match texts.iter().find(|(_, raw)| queued_bytes(raw.get()) > EVENT_BYTES_MAX) {
        None => Ok(texts),
        Some((pointer, _)) => {
            let pointer = pointer.clone();
            Err(Refusal::TooLarge { pointer, limit_bytes: EVENT_BYTES_MAX })
        }
    }
}

/// Whether a `Content-Encoding` leaves the body as it is.
fn is_plain(content_encoding: Option<&str>) -> bool {
    content_encoding.is_none_or(|coding| coding.trim().eq_ignore_ascii_case("identity"))
}
