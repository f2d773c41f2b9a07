//! The challenge: what it says in each format, and what counts as its echo.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::id::{DeliveryId, EventId};
use crate::json::{Object, Pointer, Problems, Text};
use crate::limits::JSON_DEPTH_MAX;
use crate::notification::{Issuer, WebhookHeaders};
use crate::subscription::Subscription;
use crate::time::Timestamp;

/// The member of `events` that a token's challenge stands in. It is no event type: nobody subscribes
/// to it, and `EventTypeNames` does not rename it.
pub const CHALLENGE_TYPE: &str = "endpoint/v1/verification";

/// The `type` of a standard webhook that is a challenge.
pub const WEBHOOK_CHALLENGE_TYPE: &str = "endpoint.verification";

/// What a challenge is made of: 256 bits that its endpoint has to echo, and ten octets for its ID.
pub type ChallengeDice = [u8; ECHOED + NAMING];

const ECHOED: usize = 32;
const NAMING: usize = 10;

/// What an endpoint has to echo, this once. No `Debug`: whoever knows it can speak for the endpoint.
pub struct Challenge {
    id: EventId,
    text: String,
    at: Timestamp,
}

/// A challenge that somebody of ours was sent, to be sent back. No `Debug`, as of a [`Challenge`].
#[derive(Clone, PartialEq, Eq)]
pub struct Echo(String);

impl Echo {
    /// Of a text that has the shape of our challenges; of no other.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let octets = URL_SAFE_NO_PAD.decode(text).ok()?;
        (octets.len() == ECHOED).then(|| Self(text.to_owned()))
    }

    /// The text to send back as `challenge`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Challenge {
    /// A fresh one, made now.
    #[must_use]
    pub fn new(now: Timestamp, dice: ChallengeDice) -> Self {
        let (echoed, naming) = dice.split_at(ECHOED);
        let id = EventId::assign(now, std::array::from_fn(|index| naming[index]));
        Self { id, text: URL_SAFE_NO_PAD.encode(echoed), at: now }
    }

    /// What helps the receiver. A challenge is no attempt of a delivery, and its ID is its own.
    #[must_use]
    pub fn headers(&self, subscription: &Subscription) -> WebhookHeaders {
        WebhookHeaders {
            id: DeliveryId::of(&subscription.scope, &self.id, &subscription.id),
            timestamp: self.at,
            attempt: 1,
            trace: None,
        }
    }

    /// The payload of the Security Event Token that brings it, as JSON.
    #[must_use]
    pub fn token_payload(&self, subscription: &Subscription, issuer: &Issuer) -> String {
        let said = json!({"challenge": self.text, "subscriptionId": subscription.id.as_str()});
        let payload = json!({
            "iss": issuer.as_str(),
            "iat": self.at.as_s(),
            "jti": self.id.as_str(),
            "aud": [subscription.endpoint],
            "events": { CHALLENGE_TYPE: said },
        });
        payload.to_string()
    }

    /// The body of the standard webhook that brings it.
    #[must_use]
    pub fn webhook_payload(&self) -> String {
        let payload = json!({
            "type": WEBHOOK_CHALLENGE_TYPE,
            "timestamp": self.at.to_rfc3339(),
            "data": {"challenge": self.text},
        });
        payload.to_string()
    }

    /// Whether a reply's body is a JSON object whose `challenge` is this one. Other members are let
    /// be; a member given twice says nothing.
    #[must_use]
    pub fn is_echoed_by(&self, body: &[u8]) -> bool {
        let Ok(text) = Text::check(body, JSON_DEPTH_MAX) else { return false };
        // What is wrong with it is nobody's to see.
        let mut unsaid = Problems::default();
        let echo = Object::read(text, Pointer::root(), &mut unsaid)
            .and_then(|mut reply| reply.take_str("challenge", &mut unsaid));
        echo.is_some_and(|echo| {
            let (echo, text) = (echo.as_bytes(), self.text.as_bytes());
            aws_lc_rs::constant_time::verify_slices_are_equal(echo, text).is_ok()
        })
    }
}
