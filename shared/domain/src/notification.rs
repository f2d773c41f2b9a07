//! The notification: a Security Event Token (RFC 8417) that tells a target what happened, or a
//! standard webhook where the subscription asks for one.
//!
//! Its payload is a function of event and subscription alone, so every attempt carries the same
//! one; the signature is made at send time, with the key that is then current.

pub mod check;
mod webhook;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::Event;
use crate::event_type::EventTypeNames;
use crate::id::DeliveryId;
use crate::jose::{Compact, CompactJwe};
use crate::json::push_member;
use crate::subscription::{Fields, Subscription};
use crate::time::Timestamp;
use crate::trace::Trace;

pub use webhook::{Signature, SignedWebhook, UnsignedWebhook, WEBHOOK_MEDIA_TYPE, webhook_payload};

/// The media type of a Security Event Token (RFC 8417 §7.2), and without `application/` its `typ`.
pub const MEDIA_TYPE: &str = "application/secevent+jwt";
/// The `typ` header of a notification (RFC 8417 §2.3).
pub const TYP: &str = "secevent+jwt";

/// The `iss` of everything we sign: an https URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer(String);

/// The text is no issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an https URL without query and fragment, such as https://idp.example.com")]
pub struct InvalidIssuer;

impl Issuer {
    /// Checks and takes an issuer (as OpenID Connect Discovery 1.0 §3 wants one).
    pub fn parse(text: &str) -> Result<Self, InvalidIssuer> {
        let url = url::Url::parse(text).map_err(|_| InvalidIssuer)?;
        let is_plain = url.query().is_none() && url.fragment().is_none();
        if url.scheme() == "https" && url.has_host() && is_plain {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidIssuer)
        }
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: u64,
    jti: &'a str,
    aud: [&'a str; 1],
    toe: u64,
    events: Box<RawValue>,
}

/// The payload of the Security Event Token of an event to a subscription's endpoint, as JSON.
///
/// `events` has one member, named by the event's type; its value is the standard data: `sub`,
/// `propertyId` and `clientId` first, then the members of `data` to the byte, or those of them that
/// the subscription's `fields` let out. No top-level `sub` and no `exp` (RFC 8417 §2.2, §4).
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "strings, numbers and raw JSON always serialise")]
pub fn payload(
    event: &Event,
    subscription: &Subscription,
    issuer: &Issuer,
    names: &EventTypeNames,
) -> String {
    let claims = Claims {
        iss: issuer.as_str(),
        iat: event.accepted_at.as_s(),
        jti: event.id.as_str(),
        aud: [&subscription.endpoint],
        toe: event.occurred_at.as_s(),
        events: events_member(names.uri(event.kind), &data(event, subscription.fields.as_ref())),
    };
    serde_json::to_string(&claims).expect("strings, numbers and raw JSON always serialise")
}

fn events_member(uri: &str, data: &RawValue) -> Box<RawValue> {
    let mut json = String::from("{");
    push_member(&mut json, uri, data);
    json.push('}');
    raw(json)
}

/// The standard data of an event, as far as these fields let it out.
fn data(event: &Event, fields: Option<&Fields>) -> Box<RawValue> {
    let mut data = String::with_capacity(event.data.get().len() + 128);
    data.push('{');
    let identifiers = [
        ("sub", event.sub.as_ref().map(crate::id::Sub::as_str)),
        ("propertyId", event.property_id.as_ref().map(crate::id::PropertyId::as_str)),
        ("clientId", event.client_id.as_ref().map(crate::id::ClientId::as_str)),
    ];
    for (name, value) in identifiers {
        if let Some(value) = value {
            push_member(&mut data, name, &raw(Value::from(value).to_string()));
        }
    }
    for (name, value) in event.data_members() {
        if identifiers.iter().any(|(known, _)| *known == name) {
            continue;
        }
        match fields {
            None => push_member(&mut data, &name, value),
            Some(fields) => {
                if let Some(selected) = fields.select(&name, value) {
                    push_member(&mut data, &name, &selected);
                }
            }
        }
    }
    data.push('}');
    raw(data)
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("assembled from JSON strings and raw JSON")
}

/// What is sent to a target: signed, and not to be changed any more. No `Debug`: it may hold
/// personal data. Whether a token goes in the clear is decided in one place, [`crate::sealing`].
pub enum Notification {
    /// A Security Event Token.
    Token(Compact),
    /// One that is encrypted to the target.
    Encrypted(CompactJwe),
    /// A standard webhook.
    Webhook(SignedWebhook),
}

impl Notification {
    /// The media type of its body: encryption changes nothing about that (RFC 7519 §5.2).
    #[must_use]
    pub const fn media_type(&self) -> &'static str {
        match self {
            Self::Token(_) | Self::Encrypted(_) => MEDIA_TYPE,
            Self::Webhook(_) => WEBHOOK_MEDIA_TYPE,
        }
    }

    /// The value of `webhook-signature`, where the signatures do not stand in the body.
    #[must_use]
    pub fn signatures(&self) -> Option<&str> {
        match self {
            Self::Token(_) | Self::Encrypted(_) => None,
            Self::Webhook(webhook) => Some(webhook.signatures()),
        }
    }

    /// Its body.
    #[must_use]
    pub fn as_body(&self) -> &str {
        match self {
            Self::Token(token) => token.as_str(),
            Self::Encrypted(token) => token.as_str(),
            Self::Webhook(webhook) => webhook.as_body(),
        }
    }

    /// As [`Self::as_body`].
    #[must_use]
    pub fn into_body(self) -> String {
        match self {
            Self::Token(token) => token.into_string(),
            Self::Encrypted(token) => token.into_string(),
            Self::Webhook(webhook) => webhook.into_body(),
        }
    }
}

/// The headers that help a receiver. A token is its own proof; of a standard webhook, ID and
/// timestamp are signed with the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookHeaders {
    /// `webhook-id`: the same on every attempt.
    pub id: DeliveryId,
    /// `webhook-timestamp`, in seconds: fresh on each attempt.
    pub timestamp: Timestamp,
    /// `webhook-attempt`: counted from 1.
    pub attempt: u32,
    /// `traceparent`: the span of this attempt, where the event has a trace.
    pub trace: Option<Trace>,
}

impl WebhookHeaders {
    /// The headers of an attempt, with its own span in the event's trace.
    #[must_use]
    pub fn of_attempt(id: DeliveryId, timestamp: Timestamp, attempt: u32, event: &Event) -> Self {
        let trace = event.trace.map(|trace| trace.child(id.as_str(), attempt));
        Self { id, timestamp, attempt, trace }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn event(data: &str) -> Event {
        let json = format!(
            r#"{{"id":"e1","type":"userCreated","source":"next_identity","occurredAt":1795395599000,
            "acceptedAt":1795395600999,"scope":"PROPERTY#p1","propertyId":"p1","clientId":"c1",
            "sub":"u1","data":{data}}}"#
        );
        serde_json::from_str(&json).expect("an event")
    }

    fn payload_of(data: &str) -> String {
        payload_with(data, &serde_json::json!(null))
    }

    pub(super) fn subscription_with(fields: &Value) -> Subscription {
        let row = serde_json::json!({
            "sk": "SUBSCRIPTION#s1", "category": "user_data_change", "enabled": true,
            "endpoint": "https://t.example/hook", "fields": fields,
        });
        let mut row = row.as_object().expect("an object").clone();
        row.retain(|_, value| !value.is_null());
        let scope = event("{}").scope;
        Subscription::read(&scope, row, &EventTypeNames::default()).expect("readable")
    }

    fn payload_with(data: &str, fields: &Value) -> String {
        let subscription = subscription_with(fields);
        let issuer = Issuer::parse("https://idp.example.com").expect("valid");
        payload(&event(data), &subscription, &issuer, &EventTypeNames::default())
    }

    #[test]
    fn a_payload_is_the_documented_one() {
        assert_eq!(
            payload_of(r#"{"dataSourceInfo":{"entityType":"user"},"x":1.50,"sub":"u1"}"#),
            concat!(
                r#"{"iss":"https://idp.example.com","iat":1795395600,"jti":"e1","#,
                r#""aud":["https://t.example/hook"],"toe":1795395599,"events":{"account/v1/userCreated":"#,
                r#"{"sub":"u1","propertyId":"p1","clientId":"c1","dataSourceInfo":{"entityType":"user"},"x":1.50}}}"#
            )
        );
        assert!(payload_of("{}").ends_with(r#"{"sub":"u1","propertyId":"p1","clientId":"c1"}}}"#));
    }

    #[test]
    fn what_a_subscription_does_not_list_is_not_in_the_payload() {
        let data = r#"{"dataSourceInfo":{"entityType":"user","attributes":["email"]},"x":1.50}"#;
        let ids = r#"{"sub":"u1","propertyId":"p1","clientId":"c1""#;
        for (fields, left) in [
            (
                serde_json::json!(["dataSourceInfo.attributes"]),
                r#","dataSourceInfo":{"attributes":["email"]}"#,
            ),
            (serde_json::json!(["x"]), r#","x":1.50"#),
            (serde_json::json!([]), ""),
        ] {
            let payload = payload_with(data, &fields);
            assert!(payload.ends_with(&format!("{ids}{left}}}}}}}")), "{payload}");
        }
    }

    #[test]
    fn an_issuer_is_an_https_url() {
        assert!(Issuer::parse("https://idp.example.com/tenant").is_ok());
        for bad in [
            "",
            "idp.example.com",
            "http://idp.example.com",
            "https://i.example/?a",
            "https://i.example/#a",
        ] {
            assert_eq!(Issuer::parse(bad), Err(InvalidIssuer), "{bad}");
        }
    }
}
