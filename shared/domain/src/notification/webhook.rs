//! A standard webhook: plain JSON, and the signatures over it in a header.
//!
//! By Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com>): what is signed is
//! `webhook-id.webhook-timestamp.body`; `webhook-signature` lists every signature, so that a
//! receiver verifies while keys change. `v1` is HMAC-SHA256 with a secret that the subscription
//! shares with its target, `v1a` is Ed25519 with the deployment's key. The arithmetic is the
//! adapters'.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{WebhookHeaders, data};
use crate::event::Event;
use crate::event_type::EventTypeNames;
use crate::subscription::Subscription;

/// The media type of a standard webhook's body.
pub const WEBHOOK_MEDIA_TYPE: &str = "application/json";

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
    id: &'a str,
    data: Box<RawValue>,
}

/// The body of the standard webhook of an event to a subscription: `type`, `timestamp` (when it
/// occurred, RFC 3339) and `data` as the specification names them, and the event's `id`, the same
/// for every subscription.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "strings and raw JSON always serialise")]
pub fn webhook_payload(
    event: &Event,
    subscription: &Subscription,
    names: &EventTypeNames,
) -> String {
    let payload = Payload {
        kind: names.uri(event.kind),
        timestamp: event.occurred_at.to_rfc3339(),
        id: event.id.as_str(),
        data: data(event, subscription.fields.as_ref()),
    };
    serde_json::to_string(&payload).expect("strings and raw JSON always serialise")
}

/// A signature of a signing input, by its scheme.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// HMAC-SHA256 with a secret of the subscription.
    V1([u8; 32]),
    /// Ed25519 with a key of the deployment.
    V1a([u8; 64]),
}

impl Signature {
    /// Its scheme, a comma, and base64.
    fn push_to(&self, list: &mut String) {
        match self {
            Self::V1(mac) => {
                list.push_str("v1,");
                STANDARD.encode_string(mac, list);
            }
            Self::V1a(signature) => {
                list.push_str("v1a,");
                STANDARD.encode_string(signature, list);
            }
        }
    }
}

/// A standard webhook that is to be signed. No `Debug`: it may hold personal data.
pub struct UnsignedWebhook {
    signing_input: String,
    body_at: usize,
}

/// A standard webhook with at least one signature. The bytes that were signed are those that are
/// sent. No `Debug`: it may hold personal data.
pub struct SignedWebhook {
    body: String,
    signatures: String,
}

impl UnsignedWebhook {
    /// This payload under these headers.
    #[must_use]
    pub fn new(headers: &WebhookHeaders, payload: &str) -> Self {
        let mut signing_input = format!("{}.{}.", headers.id, headers.timestamp.as_s());
        let body_at = signing_input.len();
        signing_input.push_str(payload);
        Self { signing_input, body_at }
    }

    /// What a signer signs.
    #[must_use]
    pub fn signing_input(&self) -> &str {
        &self.signing_input
    }

    /// With its signatures, which a receiver tries in this order; `None` without any: nothing is
    /// sent unsigned.
    #[must_use]
    pub fn signed(mut self, signatures: &[Signature]) -> Option<SignedWebhook> {
        let mut list = String::new();
        for signature in signatures {
            if !list.is_empty() {
                list.push(' ');
            }
            signature.push_to(&mut list);
        }
        let body = self.signing_input.split_off(self.body_at);
        (!list.is_empty()).then_some(SignedWebhook { body, signatures: list })
    }
}

impl SignedWebhook {
    /// The value of `webhook-signature`: ASCII.
    #[must_use]
    pub fn signatures(&self) -> &str {
        &self.signatures
    }

    /// The body: the very bytes that were signed.
    #[must_use]
    pub fn as_body(&self) -> &str {
        &self.body
    }

    /// As [`Self::as_body`].
    #[must_use]
    pub fn into_body(self) -> String {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{event, subscription_with};
    use super::*;
    use crate::id::{DeliveryId, EventId, SubscriptionId};
    use crate::time::Timestamp;

    fn headers() -> WebhookHeaders {
        let event = EventId::parse("e1").expect("valid");
        let subscription = SubscriptionId::parse("s1").expect("valid");
        WebhookHeaders {
            id: DeliveryId::of(&super::super::tests::event("{}").scope, &event, &subscription),
            timestamp: Timestamp::from_ms(1_795_395_601_999),
            attempt: 1,
            trace: None,
        }
    }

    fn payload_with(data: &str, fields: &serde_json::Value) -> String {
        webhook_payload(&event(data), &subscription_with(fields), &EventTypeNames::default())
    }

    #[test]
    fn a_payload_is_plain_json_with_the_members_that_the_specification_names() {
        assert_eq!(
            payload_with(r#"{"dataSourceInfo":{"entityType":"user"},"x":1.50}"#, &().into()),
            concat!(
                r#"{"type":"account/v1/userCreated","timestamp":"2026-11-23T00:59:59Z","id":"e1","#,
                r#""data":{"sub":"u1","propertyId":"p1","clientId":"c1","#,
                r#""dataSourceInfo":{"entityType":"user"},"x":1.50}}"#
            )
        );
    }

    #[test]
    fn what_a_subscription_does_not_list_is_not_in_the_payload() {
        let payload = payload_with(r#"{"x":1.50,"y":"secret"}"#, &serde_json::json!(["x"]));
        assert!(payload.ends_with(r#""clientId":"c1","x":1.50}}"#), "{payload}");
    }

    #[test]
    fn what_is_signed_is_what_is_sent() {
        let unsigned = UnsignedWebhook::new(&headers(), r#"{"a":1}"#);
        let id = headers().id;
        assert_eq!(unsigned.signing_input(), format!(r#"{id}.1795395601.{{"a":1}}"#));
        let signed = unsigned.signed(&[Signature::V1([0; 32])]).expect("a signature");
        assert_eq!(signed.as_body(), r#"{"a":1}"#);
        assert!(!id.as_str().contains('.'), "the parts cannot run into each other");
    }

    #[test]
    fn signatures_are_a_list_and_never_an_empty_one() {
        let unsigned = || UnsignedWebhook::new(&headers(), "{}");
        let all = [Signature::V1([0; 32]), Signature::V1([255; 32]), Signature::V1a([0; 64])];
        let signed = unsigned().signed(&all).expect("signatures");
        let zeros = |bytes: usize| STANDARD.encode(vec![0; bytes]);
        let ones = STANDARD.encode([255; 32]);
        let expected = format!("v1,{} v1,{ones} v1a,{}", zeros(32), zeros(64));
        assert_eq!(signed.signatures(), expected);
        assert!(unsigned().signed(&[]).is_none());
    }
}
