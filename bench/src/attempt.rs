//! An attempt as far as it is our processor's: the guard, the payload, the signature.
//!
//! Looking names up and the way to the target are left out: they are waiting.

use std::net::IpAddr;

use adapters::signing::SigningKeys;
use adapters::webhook_secrets::{WebhookKey, WebhookSecret};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Signature};
use domain::egress::{EgressPolicy, GuardedUrl, judge_address};
use domain::event::Event;
use domain::event_type::EventTypeNames;
use domain::id::DeliveryId;
use domain::jose::{Algorithm, Compact};
use domain::notification::Signature as WebhookSignature;
use domain::notification::{
    Issuer, SignedWebhook, UnsignedWebhook, WebhookHeaders, payload, webhook_payload,
};
use domain::subscription::Subscription;
use domain::time::Timestamp;
use serde_json::json;

/// What an attempt starts from.
pub struct Attempt {
    event: Event,
    subscription: Subscription,
    names: EventTypeNames,
    issuer: Issuer,
    headers: WebhookHeaders,
    keys: SigningKeys,
    secret: WebhookKey,
    /// What the endpoint's name has been resolved to.
    addresses: Vec<IpAddr>,
    bare: EcdsaKeyPair,
    bare_input: Vec<u8>,
}

impl Attempt {
    /// The documented `userUpdated`, to a subscription that takes everything, with fresh keys.
    ///
    /// # Panics
    ///
    /// When the operating system has no randomness to give.
    #[must_use]
    pub fn new() -> Self {
        let event: Event = serde_json::from_str(EVENT).expect("an event");
        let row = json!({
            "sk": "SUBSCRIPTION#s1", "category": "user_data_change", "enabled": true,
            "endpoint": "https://hooks.target.example.com/identity/events?tenant=acme",
        });
        let row = row.as_object().expect("an object").clone();
        let names = EventTypeNames::default();
        let subscription = Subscription::read(&event.scope, row, &names).expect("a row");
        let addresses = ["8.8.8.8", "8.8.4.4", "2606:4700::1111", "2606:4700::1001"];
        let id = DeliveryId::of(&event.scope, &event.id, &subscription.id);
        let headers = WebhookHeaders {
            id,
            timestamp: Timestamp::from_ms(1_795_428_000_000),
            attempt: 1,
            trace: None,
        };
        let mut attempt = Self {
            event,
            subscription,
            names,
            issuer: Issuer::parse("https://idp.example.com").expect("an issuer"),
            headers,
            keys: SigningKeys::parse(&SigningKeys::generate()).expect("keys"),
            secret: WebhookSecret::generate().key(),
            addresses: addresses.map(|address| address.parse().expect("an address")).to_vec(),
            bare: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("randomness"),
            bare_input: Vec::new(),
        };
        // As many octets as the token's signing input has.
        let token = attempt.token();
        let signed = token.as_str().rsplit_once('.').map_or(0, |(input, _)| input.len());
        attempt.bare_input = vec![b'x'; signed];
        attempt
    }

    /// The egress guard: the URL as the row has it, and every address of its name.
    #[must_use]
    pub fn guard(&self) -> Option<GuardedUrl> {
        let policy = EgressPolicy::production();
        let url = GuardedUrl::judge(&self.subscription.endpoint, policy).ok()?;
        let are_public =
            self.addresses.iter().all(|address| judge_address(*address, policy).is_ok());
        are_public.then_some(url)
    }

    /// The Security Event Token, built and signed by ES256.
    ///
    /// # Panics
    ///
    /// Never: there is a key.
    #[must_use]
    pub fn token(&self) -> Compact {
        let payload = payload(&self.event, &self.subscription, &self.issuer, &self.names);
        self.keys.sign(Algorithm::Es256, &payload).expect("an ES256 key")
    }

    /// The floor of [`Self::token`]: a bare ECDSA signature of as many octets.
    ///
    /// # Panics
    ///
    /// As [`Self::new`].
    #[must_use]
    pub fn bare_signature(&self) -> Signature {
        self.bare.sign(&SystemRandom::new(), &self.bare_input).expect("randomness")
    }

    /// The standard webhook, built and signed by `v1`: HMAC-SHA256.
    ///
    /// # Panics
    ///
    /// Never: there is a signature.
    #[must_use]
    pub fn webhook_v1(&self) -> SignedWebhook {
        let payload = webhook_payload(&self.event, &self.subscription, &self.names);
        let webhook = UnsignedWebhook::new(&self.headers, &payload);
        let signature = WebhookSignature::V1(self.secret.sign(webhook.signing_input()));
        webhook.signed(&[signature]).expect("a signature")
    }

    /// The standard webhook, built and signed by `v1a`: Ed25519.
    ///
    /// # Panics
    ///
    /// As [`Self::webhook_v1`].
    #[must_use]
    pub fn webhook_v1a(&self) -> SignedWebhook {
        let payload = webhook_payload(&self.event, &self.subscription, &self.names);
        let webhook = UnsignedWebhook::new(&self.headers, &payload);
        let signatures = self.keys.sign_webhook(webhook.signing_input());
        webhook.signed(&signatures).expect("a signature")
    }

    /// Everything of an attempt with a token.
    #[must_use]
    pub fn whole(&self) -> Option<(GuardedUrl, Compact)> {
        Some((self.guard()?, self.token()))
    }
}

impl Default for Attempt {
    fn default() -> Self {
        Self::new()
    }
}

/// As it comes from the queue.
const EVENT: &str = r#"{"id":"01975c0e-7c1e-7d2b-a3ff-5a5ef7a2b1c4","type":"userUpdated",
"source":"next_identity","occurredAt":1795395599000,"acceptedAt":1795395600999,
"scope":"PROPERTY#property-1","propertyId":"property-1","clientId":"client-1",
"sub":"5ba7c0de-0000-4000-8000-00000000beef",
"data":{"dataSourceInfo":{"attributes":["email","givenName","primaryAddress.city"],
"captureApplicationId":"app-1","captureClientId":"capture-1","entityType":"user",
"globalSub":"capture-v1://example/user/5ba7c0de","sub":"5ba7c0de-0000-4000-8000-00000000beef"}}}"#;
