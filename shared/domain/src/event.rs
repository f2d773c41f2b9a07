//! An event: an immutable fact about an end user, parsed once at the door.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::event_type::{Category, DataSet, EventType, EventTypeNames, Source};
use crate::id::{ClientId, EventId, PropertyId, Sub};
use crate::json::{Object, Problems};
use crate::scope::Scope;
use crate::time::Timestamp;
use crate::trace::{self, Trace};

/// A fact that a source reported. Its JSON is what queue messages and the ledger carry.
///
/// `data` is kept to the byte as the source wrote it (two characters that no queue takes travel as
/// their escapes, see `message`). No `Debug`: it may hold personal data and
/// bearer credentials (`verification.url`).
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The producer's ID, or one that we assigned; the `jti` of every notification.
    pub id: EventId,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// Who says so.
    pub source: Source,
    /// When it happened, by the source's clock; the `toe` of every notification.
    pub occurred_at: Timestamp,
    /// When we accepted it; the `iat` of every notification.
    pub accepted_at: Timestamp,
    /// Who may listen: property or client ID, as the type's category demands.
    pub scope: Scope,
    /// The property, where the source named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property_id: Option<PropertyId>,
    /// The client ID, where the source named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// The end user, where the source named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Sub>,
    /// The trace of the request that brought it, where there is one. Whatever reads a message or an
    /// item without knowing of it passes it by.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "trace::lenient")]
    pub trace: Option<Trace>,
    /// The type's standard data and whatever the source put beside it: a JSON object.
    pub data: Box<RawValue>,
}

/// What parsing an event needs to know besides its text.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Who posted it.
    pub source: Source,
    /// When we took it in.
    pub accepted_at: Timestamp,
    /// What the types are called here.
    pub names: &'a EventTypeNames,
    /// Chance, for the ID of an event that has none.
    pub dice: [u8; 10],
}

impl Event {
    /// Parses one posted event (`{"id","type","occurredAt","propertyId","clientId","sub","data"}`).
    ///
    /// `id` may be missing (then it is assigned), and so may `occurredAt` (then it happened when we
    /// heard of it) and `data` (then it is empty). `None` means that at least one complaint was
    /// added to `problems`.
    pub fn parse(
        mut object: Object<'_>,
        arrival: Arrival<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let id = take_id("id", &mut object, arrival, problems);
        let kind = take_kind(&mut object, arrival, problems);
        let occurred_at = object.take_moment("occurredAt", problems);
        let known = "id, type, occurredAt, propertyId, clientId, sub and data";
        let occurred_at = occurred_at.unwrap_or(arrival.accepted_at);
        Self::parse_rest(object, (id, kind, occurred_at), known, arrival, problems)
    }

    /// Parses a login as the enrich path is asked about it
    /// (`{"clientId","propertyId","sub","requestId","data"}`): the login event of this moment. Its
    /// ID is the `requestId`, where there is one.
    pub fn parse_login(
        mut object: Object<'_>,
        arrival: Arrival<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let id = take_id("requestId", &mut object, arrival, problems);
        let known = "clientId, propertyId, sub, requestId, deadline and data";
        let login = (id, Some(EventType::Login), arrival.accepted_at);
        Self::parse_rest(object, login, known, arrival, problems)
    }

    fn parse_rest(
        mut object: Object<'_>,
        (id, kind, occurred_at): (Option<EventId>, Option<EventType>, Timestamp),
        known: &str,
        arrival: Arrival<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let property_id = object.take_parsed("propertyId", problems, PropertyId::parse);
        let client_id = object.take_parsed("clientId", problems, ClientId::parse);
        let sub = object.take_parsed("sub", problems, Sub::parse);
        let data = object.take_raw("data");
        let scope = kind.and_then(|kind| {
            if kind.category() != Category::TransactionalEmail {
                object.require("sub", sub.as_ref(), problems);
            }
            scope_of(kind, property_id.as_ref(), client_id.as_ref(), &object, problems)
        });
        let data = match (data, kind) {
            (None, _) => Some(RawValue::from_string("{}".to_owned()).ok()?),
            (Some(_), None) => None,
            (Some(raw), Some(kind)) => {
                let named = [
                    ("sub", sub.as_ref().map(Sub::as_str)),
                    ("propertyId", property_id.as_ref().map(PropertyId::as_str)),
                    ("clientId", client_id.as_ref().map(ClientId::as_str)),
                ];
                check_data(raw, kind, &named, &object, problems).then(|| raw.to_owned())
            }
        };
        object.finish(known, problems);
        Some(Self {
            id: id?,
            kind: kind?,
            source: arrival.source,
            occurred_at,
            accepted_at: arrival.accepted_at,
            scope: scope?,
            property_id,
            client_id,
            sub,
            trace: None,
            data: data?,
        })
    }

    /// Takes `data` apart into its members, in their order and to the byte.
    #[must_use]
    pub fn data_members(&self) -> Vec<(std::borrow::Cow<'_, str>, &RawValue)> {
        crate::json::Members::of(&self.data)
    }
}

/// The producer's ID, or one of our own for an event that has none.
fn take_id(
    name: &str,
    object: &mut Object<'_>,
    arrival: Arrival<'_>,
    problems: &mut Problems,
) -> Option<EventId> {
    match object.take_raw(name) {
        None => Some(EventId::assign(arrival.accepted_at, arrival.dice)),
        Some(raw) => {
            let text: Option<String> = serde_json::from_str(raw.get()).ok();
            let id = match text {
                None => Err("expected a string".to_owned()),
                Some(text) => EventId::parse(&text).map_err(|error| error.to_string()),
            };
            id.map_err(|detail| problems.add(object.at(name), detail)).ok()
        }
    }
}

fn take_kind(
    object: &mut Object<'_>,
    arrival: Arrival<'_>,
    problems: &mut Problems,
) -> Option<EventType> {
    let kind = object.take_parsed("type", problems, |text| {
        let kind = arrival.names.parse(text).ok_or_else(|| {
            let known: Vec<_> =
                EventType::ALL.iter().map(|kind| arrival.names.uri(*kind)).collect();
            format!("is no event type; known are {}", known.join(", "))
        })?;
        if kind.is_emitted_by(arrival.source) {
            Ok(kind)
        } else {
            Err("cannot be emitted by this source".to_owned())
        }
    });
    object.require("type", kind, problems)
}

fn scope_of(
    kind: EventType,
    property_id: Option<&PropertyId>,
    client_id: Option<&ClientId>,
    object: &Object<'_>,
    problems: &mut Problems,
) -> Option<Scope> {
    match kind.category() {
        Category::UserDataChange => {
            object.require("propertyId", property_id, problems).cloned().map(Scope::Property)
        }
        Category::TransactionalEmail | Category::Enrich => {
            object.require("clientId", client_id, problems).cloned().map(Scope::Client)
        }
    }
}

/// Checks the standard members of `data`; what else stands there is kept unseen.
///
/// The documented data sets repeat `sub`, `propertyId` and `clientId`. Here they stand once, in
/// the event; a `data` that repeats them must not contradict it.
fn check_data(
    raw: &RawValue,
    kind: EventType,
    named: &[(&str, Option<&str>)],
    event: &Object<'_>,
    problems: &mut Problems,
) -> bool {
    let mut found = Problems::default();
    let pointer = event.at("data");
    if let Some(mut data) = Object::read_raw(raw, pointer, &mut found) {
        for (name, expected) in named {
            let at = data.at(name);
            let repeated = data.take_str(name, &mut found);
            if repeated.is_some() && repeated.as_deref() != *expected {
                found.add(at, format!("contradicts /{name} of the event"));
            }
        }
        match kind.data_set() {
            DataSet::DataChange => check_data_source_info(&mut data, &mut found),
            DataSet::Email => check_user(&mut data, &mut found),
            DataSet::EmailWithLink => {
                check_user(&mut data, &mut found);
                check_verification(&mut data, &mut found);
            }
            DataSet::Login => {
                check_strings(&mut data, &["ip", "userAgent", "authMethod"], &mut found);
                check_user(&mut data, &mut found);
            }
        }
    }
    let sound = found.is_empty();
    problems.append(found);
    sound
}

fn check_strings(object: &mut Object<'_>, names: &[&str], problems: &mut Problems) {
    for name in names {
        object.take_str(name, problems);
    }
}

fn check_user(data: &mut Object<'_>, problems: &mut Problems) {
    if let Some(mut user) = data.take_object("user", problems) {
        let names = ["email", "phoneNumber", "givenName", "familyName", "locale"];
        check_strings(&mut user, &names, problems);
    }
}

fn check_verification(data: &mut Object<'_>, problems: &mut Problems) {
    if let Some(mut verification) = data.take_object("verification", problems) {
        check_strings(&mut verification, &["url", "channel"], problems);
        verification.take_moment("expiresAt", problems);
    }
}

fn check_data_source_info(data: &mut Object<'_>, problems: &mut Problems) {
    if let Some(mut info) = data.take_object("dataSourceInfo", problems) {
        check_source_members(&mut info, problems);
    }
}

/// Checks what a third party's source says about a change, as far as its shape is promised.
pub(crate) fn check_source_members(info: &mut Object<'_>, problems: &mut Problems) {
    info.take_strings("attributes", problems);
    let names = ["captureApplicationId", "captureClientId", "entityType", "globalSub", "sub"];
    check_strings(info, &names, problems);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Pointer, Text};

    fn parse(text: &str) -> Result<Event, Vec<String>> {
        parse_from(text, Source::NextIdentity)
    }

    fn parse_from(text: &str, source: Source) -> Result<Event, Vec<String>> {
        let names = EventTypeNames::default();
        let arrival = Arrival {
            source,
            accepted_at: Timestamp::from_ms(1_795_428_000_000),
            names: &names,
            dice: [7; 10],
        };
        let mut problems = Problems::default();
        let text = Text::check(text.as_bytes(), 32).expect("well-formed");
        let event = Object::read(text, Pointer::root(), &mut problems)
            .and_then(|object| Event::parse(object, arrival, &mut problems));
        let said = problems.into_vec();
        match event {
            Some(event) if said.is_empty() => Ok(event),
            _ => Err(said.into_iter().map(|p| format!("{} {}", p.pointer, p.detail)).collect()),
        }
    }

    #[test]
    fn an_event_keeps_its_data_to_the_byte() {
        let data = r#"{ "dataSourceInfo": {"attributes": ["email"]},  "extra":1.50 }"#;
        let event = parse(&format!(
            r#"{{"id":"e1","type":"userUpdated","propertyId":"p1","sub":"u1","data":{data}}}"#
        ))
        .expect("valid");
        assert_eq!(event.data.get(), data);
        let again: Event =
            serde_json::from_str(&serde_json::to_string(&event).expect("JSON")).expect("readable");
        assert_eq!(again.data.get(), data);
        assert_eq!(again.scope.key(), "PROPERTY#p1");
    }

    #[test]
    fn an_event_without_id_time_and_data_gets_them() {
        let event = parse(r#"{"type":"registration","clientId":"c1"}"#).expect("valid");
        assert_eq!(event.id.as_str().len(), 36);
        assert_eq!(event.occurred_at, event.accepted_at);
        assert_eq!(event.data.get(), "{}");
    }

    #[test]
    fn each_category_needs_the_id_of_its_scope() {
        let missing = |text: &str| parse(text).map(|_| ()).unwrap_err();
        assert_eq!(
            missing(r#"{"type":"userCreated","clientId":"c","sub":"u"}"#),
            ["/propertyId is required"]
        );
        assert_eq!(
            missing(r#"{"type":"forgotPassword","propertyId":"p"}"#),
            ["/clientId is required"]
        );
        assert_eq!(
            missing(r#"{"type":"login","propertyId":"p"}"#),
            ["/sub is required", "/clientId is required"]
        );
    }

    #[test]
    fn wrong_members_are_named_all_at_once() {
        let said = parse(
            r#"{"id":"a.b","type":"registration","clientId":7,"when":1,
               "data":{"user":{"email":["x"]},"verification":{"expiresAt":"soon"},"sub":"u"}}"#,
        )
        .map(|_| ())
        .unwrap_err();
        assert_eq!(
            said,
            [
                "/id may hold only A-Z, a-z, 0-9, '_' and '-'",
                "/clientId expected a string",
                "/data/sub contradicts /sub of the event",
                "/data/user/email expected a string",
                "/data/verification/expiresAt expected an RFC 3339 moment such as 2026-11-23T10:00:00Z",
                "/when is not known here; known are id, type, occurredAt, propertyId, clientId, sub and data",
            ]
        );
    }

    #[test]
    fn a_source_is_refused_what_it_cannot_emit() {
        for kind in EventType::ALL {
            let text = format!(
                r#"{{"type":"{}","propertyId":"p","clientId":"c","sub":"u"}}"#,
                kind.name()
            );
            assert!(parse(&text).is_ok(), "{kind:?}");
            let from_akamai = parse_from(&text, Source::AkamaiIdentityCloud).map(|_| ());
            if kind.is_emitted_by(Source::AkamaiIdentityCloud) {
                assert_eq!(from_akamai, Ok(()), "{kind:?}");
            } else {
                let said = from_akamai.unwrap_err();
                assert_eq!(said, ["/type cannot be emitted by this source"], "{kind:?}");
            }
        }
    }
}
