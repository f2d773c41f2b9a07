//! What Akamai Identity Cloud says (Webhooks v3): a Security Event Token that must prove itself
//! before a word of it counts, and the event that is in it.
//!
//! One word is read before anything is proven: which application the event is of, because that
//! finds the row with the issuer and the keys. Whoever lies about it has to have the key of the
//! application that they name, and then has only spoken for it.
//!
//! <https://techdocs.akamai.com/identity-cloud/docs/webhooks-v3-security-event-tokens>

use serde_json::value::RawValue;

use super::{AkamaiSource, SetRefusal};
use crate::event::{Event, check_source_members};
use crate::event_type::{EventType, Source};
use crate::id::{CaptureApplicationId, EventId, SourceTerm, Sub};
use crate::jose::{Key, Unverified, WantedKey};
use crate::json::{Members, Object, Pointer, Problems, Text, push_member};
use crate::limits::{JSON_DEPTH_MAX, SET_BYTES_MAX, SET_CLOCK_AHEAD_MAX_S};
use crate::scope::Scope;
use crate::time::Timestamp;

/// The event that Akamai sends to try out a listener.
const TEST: &str = "test";

/// A token taken apart; nothing in it is to be believed yet.
pub struct Unproven<'a> {
    token: Unverified<'a>,
    kid: String,
    name: String,
    application: Option<CaptureApplicationId>,
}

/// Where a token arrived, and when.
#[derive(Clone, Copy)]
pub struct Audience<'a> {
    /// The URL that it was posted to, where that is known.
    pub url: Option<&'a str>,
    /// When it is judged.
    pub now: Timestamp,
}

/// What a token says that has proven itself. No `Debug`: an event may hold personal data.
pub enum Proven {
    /// Something that happened to an end user.
    Event(Box<Event>),
    /// Nothing for us.
    Ignored(Ignored),
}

/// Why nothing comes of a token that is no mistake of its sender's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// It is a test of the listener.
    Test,
    /// An event that we do not know; its name, where the token has proven itself and the name can be
    /// shown.
    UnknownEvent(Option<SourceTerm>),
    /// An event about something else than an end user; of which type, where that can be shown.
    EntityType(Option<SourceTerm>),
}

impl<'a> Unproven<'a> {
    /// Takes the body of a request apart.
    pub fn parse(body: &'a [u8]) -> Result<Self, SetRefusal> {
        if body.len() > SET_BYTES_MAX {
            return Err(SetRefusal::TooLarge);
        }
        let text = std::str::from_utf8(body).map_err(|_| SetRefusal::Token)?;
        let token = Unverified::parse_set(text)?;
        if token.algorithm != Some(AkamaiSource::ALGORITHM) {
            return Err(SetRefusal::Algorithm);
        }
        let kid = token.kid.clone().filter(|kid| !kid.is_empty()).ok_or(SetRefusal::KeyId)?;
        let (name, application) = {
            let (name, raw) = only_event(&mut claims_of(token.claimed())?)?;
            let named = string(&mut members_of(raw)?, "captureApplicationId");
            let parsed = |named: Option<String>| {
                named.and_then(|named| CaptureApplicationId::parse(&named).ok())
            };
            let read = |named| parsed(named).ok_or(SetRefusal::Application);
            (name, named.map(read).transpose()?)
        };
        // A test has none, and of an event that we do not know nobody can say.
        if application.is_none() && event_type(&name).is_some() {
            return Err(SetRefusal::Application);
        }
        Ok(Self { token, kid, name, application })
    }

    /// The application that the event says it is of.
    #[must_use]
    pub fn application(&self) -> Option<&CaptureApplicationId> {
        self.application.as_ref()
    }

    /// What there is to say of a token without an application: nobody's key could prove it, and
    /// nothing comes of it.
    #[must_use]
    pub fn into_ignored(self) -> Ignored {
        if self.name == TEST { Ignored::Test } else { Ignored::UnknownEvent(None) }
    }

    /// The key that it says is on it.
    #[must_use]
    pub fn wanted_key(&self) -> WantedKey<'_> {
        WantedKey { kid: Some(&self.kid), algorithm: AkamaiSource::ALGORITHM }
    }

    /// Has it prove itself: by the key, and by everything that it claims.
    pub fn prove(
        self,
        key: &Key,
        source: &AkamaiSource,
        audience: Audience<'_>,
    ) -> Result<Proven, SetRefusal> {
        let payload = self.token.verify(key).ok_or(SetRefusal::Signature)?;
        let mut claims = claims_of(&payload)?;
        let issuer = string(&mut claims, "iss").flatten();
        if issuer.is_none_or(|issuer| !source.issuers.contains(&issuer)) {
            return Err(SetRefusal::Issuer);
        }
        if !is_for_us(&mut claims, source, audience.url) {
            return Err(SetRefusal::Audience);
        }
        let occurred_at = check_times(&mut claims, audience.now)?;
        let is_text = |text: Option<String>| text.is_some_and(|text| !text.is_empty());
        if !is_text(string(&mut claims, "jti").flatten())
            || string(&mut claims, "txn").is_some_and(|txn| !is_text(txn))
        {
            return Err(SetRefusal::Identifiers);
        }
        let (name, raw) = only_event(&mut claims)?;
        let kind = match event_type(&name) {
            Some(kind) => kind,
            None if name == TEST => return Ok(Proven::Ignored(Ignored::Test)),
            None => {
                return Ok(Proven::Ignored(Ignored::UnknownEvent(SourceTerm::parse(&name).ok())));
            }
        };
        read_event(raw, (kind, occurred_at), source, audience.now)
    }
}

/// The three events of Webhooks v3.
fn event_type(name: &str) -> Option<EventType> {
    match name {
        "entityCreated" => Some(EventType::UserCreated),
        "entityUpdated" => Some(EventType::UserUpdated),
        "entityDeleted" => Some(EventType::UserDeleted),
        _ => None,
    }
}

fn claims_of(payload: &[u8]) -> Result<Object<'_>, SetRefusal> {
    let text = Text::check(payload, JSON_DEPTH_MAX).map_err(|_| SetRefusal::Payload)?;
    Object::read(text, Pointer::root(), &mut Problems::default()).ok_or(SetRefusal::Payload)
}

/// The one member of `events` (RFC 8417 §2.2 allows several, for aspects of the same event; Akamai
/// sends one, and of several we would not know which it is).
fn only_event<'a>(claims: &mut Object<'a>) -> Result<(String, &'a RawValue), SetRefusal> {
    let events = claims.take_member("events").ok_or(SetRefusal::Events)?;
    let mut members = Members::of(events).into_iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => Ok((name.into_owned(), value)),
        _ => Err(SetRefusal::Events),
    }
}

fn members_of(event: &RawValue) -> Result<Object<'_>, SetRefusal> {
    let pointer = Pointer::root().child("events");
    Object::read_raw(event, pointer, &mut Problems::default()).ok_or(SetRefusal::Events)
}

/// A member that should be a string: `None` when absent, `Some(None)` when it is something else.
#[expect(clippy::option_option, reason = "absent, wrong and right are three things")]
fn string(object: &mut Object<'_>, name: &str) -> Option<Option<String>> {
    object.take_member(name).map(|raw| serde_json::from_str(raw.get()).ok())
}

/// Whether `aud`, a string or an array of them, names this listener.
fn is_for_us(claims: &mut Object<'_>, source: &AkamaiSource, url: Option<&str>) -> bool {
    let Some(aud) = claims.take_member("aud") else { return false };
    let named = match serde_json::from_str::<String>(aud.get()) {
        Ok(one) => vec![one],
        Err(_) => serde_json::from_str::<Vec<String>>(aud.get()).unwrap_or_default(),
    };
    if source.audiences.is_empty() {
        named.iter().any(|name| Some(name.as_str()) == url)
    } else {
        named.iter().any(|name| source.audiences.contains(name))
    }
}

/// Judges the times; `toe` is when it happened. How long ago is nobody's mistake: Akamai delivers
/// again for days.
fn check_times(claims: &mut Object<'_>, now: Timestamp) -> Result<Timestamp, SetRefusal> {
    let mut seconds = |name: &str| match claims.take_member(name) {
        None => Ok(None),
        Some(raw) => serde_json::from_str::<u64>(raw.get()).map(Some).map_err(|_| SetRefusal::Time),
    };
    let latest_s = now.as_s() + SET_CLOCK_AHEAD_MAX_S;
    let (iat, toe) = (seconds("iat")?, seconds("toe")?);
    let (exp, nbf) = (seconds("exp")?, seconds("nbf")?);
    let (Some(iat), Some(toe)) = (iat, toe) else { return Err(SetRefusal::Time) };
    let is_sound = iat <= latest_s
        && toe <= latest_s
        && exp.is_none_or(|exp| exp.saturating_add(SET_CLOCK_AHEAD_MAX_S) > now.as_s())
        && nbf.is_none_or(|nbf| nbf <= latest_s);
    if is_sound { Ok(Timestamp::from_ms(toe * 1_000)) } else { Err(SetRefusal::Time) }
}

/// The event in our words.
fn read_event(
    raw: &RawValue,
    (kind, occurred_at): (EventType, Timestamp),
    source: &AkamaiSource,
    now: Timestamp,
) -> Result<Proven, SetRefusal> {
    let mut event = members_of(raw)?;
    let mut text = |name: &str| string(&mut event, name).flatten().filter(|text| !text.is_empty());
    let (id, application) = (text("id"), text("captureApplicationId"));
    let (entity_type, sub) = (text("entityType"), text("sub"));
    let mut problems = Problems::default();
    check_source_members(&mut event, &mut problems);
    // The application has been read before, and it found the row; here it is proven.
    if !problems.is_empty() || application.as_deref() != Some(source.application.as_str()) {
        return Err(SetRefusal::Event);
    }
    let (Some(id), Some(entity_type)) = (id, entity_type) else { return Err(SetRefusal::Event) };
    if !source.entity_types.contains(&entity_type) {
        let entity_type = SourceTerm::parse(&entity_type).ok();
        return Ok(Proven::Ignored(Ignored::EntityType(entity_type)));
    }
    let sub = sub.and_then(|sub| Sub::parse(&sub).ok()).ok_or(SetRefusal::Event)?;
    Ok(Proven::Event(Box::new(Event {
        id: event_id(&id),
        kind,
        source: Source::AkamaiIdentityCloud,
        occurred_at,
        accepted_at: now,
        scope: Scope::Property(source.property_id.clone()),
        property_id: Some(source.property_id.clone()),
        client_id: source.client_id.clone(),
        sub: Some(sub),
        trace: None,
        data: data_of(raw),
    })))
}

/// What Akamai says of an event is its `dataSourceInfo`, to the byte; the event's own ID is ours.
fn data_of(raw: &RawValue) -> Box<RawValue> {
    let mut info = "{".to_owned();
    for (name, value) in Members::of(raw) {
        if name != "id" {
            push_member(&mut info, &name, value);
        }
    }
    let data = format!("{{\"dataSourceInfo\":{info}}}}}");
    RawValue::from_string(data).expect("members of an object make an object")
}

/// `aic_` and the ID that Akamai gave the event: it stays the same however often, and in however
/// many notifications, the event is delivered. One that no ID of ours can hold is hashed.
fn event_id(id: &str) -> EventId {
    EventId::parse(&format!("aic_{id}")).unwrap_or_else(|_| {
        let hashed = format!("aic_{}", EventId::of_content(&[id]));
        EventId::parse(&hashed).expect("47 characters of base64url")
    })
}

#[cfg(test)]
mod tests;
