//! Akamai Identity Cloud as it posts to the listener, and as somebody posts who would like to be it.
//!
//! The key is written down, so that the tokens of `events/sets` stay the same; it opens nothing but
//! what takes the samples' row for real.

pub mod fuzz;

use domain::id::CaptureApplicationId;
use domain::jose::Algorithm;
use domain::source::AkamaiSource;
use serde_json::{Value, json};

use crate::answers::Signer;

/// The application of the samples.
pub const APPLICATION: &str = "zzyn9gy9r8xdy5zkru4y54syk6";
/// The `iss` of its tokens.
pub const ISSUER: &str =
    "https://v1.api.us.janrain.com/00000000-0000-0000-0000-000000000000/webhooks";
/// The listener, as it is registered.
pub const LISTENER: &str = "https://hooks.example.com/v1/sources/akamai-identity-cloud/events";
/// Where the listener is.
pub const PATH: &str = "/v1/sources/akamai-identity-cloud/events";
/// What tokens are posted as.
pub const MEDIA_TYPE: &str = "application/secevent+jwt";
/// The user that the samples are about.
pub const USER: &str = "6b004bc5-179c-45c2-815d-31b06169371d";
/// When the samples were issued: 2025-11-23T10:00:00Z. Old is no mistake.
pub const ISSUED_AT_S: u64 = 1_763_892_000;

/// The holder of the samples' key.
#[must_use]
pub fn signer() -> Signer {
    Signer::of_pem(include_str!("akamai/test-key.pem"), "akamai-sample-1")
}

/// Somebody else with a key for the same algorithm, under the same `kid`.
#[must_use]
pub fn impostor() -> Signer {
    Signer::new(Algorithm::Rs256, "akamai-sample-1")
}

/// The row of the samples' application, with these keys in it.
#[must_use]
pub fn row(jwks: &Value) -> Value {
    json!({
        "propertyId": "demo-property", "issuer": ISSUER, "audience": LISTENER, "jwks": jwks,
        "enabled": true,
    })
}

/// The source of a row.
#[must_use]
pub fn source(row: &Value) -> AkamaiSource {
    let application = CaptureApplicationId::parse(APPLICATION).expect("an ID");
    let row = row.as_object().expect("an object").clone();
    AkamaiSource::read(&application, row).expect("a readable row")
}

/// What an event of this name says, under this event ID.
#[must_use]
pub fn event(name: &str, id: &str) -> Value {
    if name == "test" {
        return json!({ "id": id });
    }
    let mut event = json!({
        "captureApplicationId": APPLICATION,
        "captureClientId": "elrrniux51a3nrhfwzklvz3t46lb5n2m",
        "entityType": "user",
        "globalSub": format!("capture-v1://us.janraincapture.com/{APPLICATION}/user/{USER}"),
        "sub": USER,
        "id": id,
    });
    if name == "entityUpdated" {
        event["attributes"] = json!(["email"]);
    }
    event
}

/// The claims of a token with these `events`.
#[must_use]
pub fn claims(events: &Value) -> Value {
    json!({
        "iss": ISSUER, "iat": ISSUED_AT_S, "jti": "b70046bd-44c7-4575-b1a2-9b8556d1f040",
        "aud": LISTENER, "txn": "5d2f2c4e-6c0e-4d7e-8a1b-0f9e8d7c6b5a", "toe": ISSUED_AT_S - 2,
        "events": events,
    })
}

/// An honest header.
#[must_use]
pub fn header() -> Value {
    json!({"typ": "secevent+jwt", "alg": "RS256", "kid": "akamai-sample-1"})
}

/// The token of these claims.
#[must_use]
pub fn token(signer: &Signer, claims: &Value) -> String {
    signer.sign_text(&header().to_string(), claims.to_string().as_bytes())
}

/// The token of an event of this name, under this event ID.
#[must_use]
pub fn token_of(signer: &Signer, name: &str, id: &str) -> String {
    token(signer, &claims(&json!({ name: event(name, id) })))
}

/// The files of `events/sets`, by the name of the event that is in them, and its ID.
pub const SAMPLES: [(&str, &str); 4] = [
    ("entityCreated", "0192f3a1-7c4e-7d10-9a5b-000000000001"),
    ("entityUpdated", "0192f3a1-7c4e-7d10-9a5b-000000000002"),
    ("entityDeleted", "0192f3a1-7c4e-7d10-9a5b-000000000003"),
    ("test", "0192f3a1-7c4e-7d10-9a5b-000000000004"),
];
