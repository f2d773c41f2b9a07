//! For tests of this module: a row, and whoever holds the key that is in it.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::AkamaiSource;
use crate::id::CaptureApplicationId;

pub(super) const NOW_S: u64 = 1_795_428_000;
pub(super) const ISSUER: &str = "https://v1.api.us.janrain.com/c/webhooks";
pub(super) const URL: &str = "https://hooks.example.com/v1/sources/akamai-identity-cloud/events";

/// Making one takes a while; all tests share it.
static PAIR: LazyLock<RsaKeyPair> =
    LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"));

pub(super) fn application() -> CaptureApplicationId {
    CaptureApplicationId::parse("capture-app-1").expect("an ID")
}

pub(super) fn jwks() -> Value {
    let encode = |number: aws_lc_rs::io::Positive<'_>| {
        URL_SAFE_NO_PAD.encode(number.big_endian_without_leading_zero())
    };
    let public = PAIR.public_key();
    let (n, e) = (encode(public.modulus()), encode(public.exponent()));
    json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k1", "n": n, "e": e}]})
}

pub(super) fn row() -> Value {
    json!({
        "pk": "SOURCE#akamai_identity_cloud#capture-app-1", "sk": "CONFIG", "propertyId": "p1",
        "issuer": ISSUER, "jwks": jwks(), "enabled": true,
    })
}

/// The row with some attributes changed; `null` removes one.
pub(super) fn row_with(patch: &Value) -> Value {
    patched(row(), patch)
}

pub(super) fn source_with(patch: &Value) -> AkamaiSource {
    let row = row_with(patch).as_object().expect("an object").clone();
    AkamaiSource::read(&application(), row).expect("a readable row")
}

/// The documented claims.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "iat": NOW_S, "jti": "b70046bd", "aud": URL, "txn": "t1", "toe": NOW_S - 7,
        "events": {"entityUpdated": event()},
    })
}

pub(super) fn event() -> Value {
    json!({
        "attributes": ["email"], "captureApplicationId": "capture-app-1",
        "captureClientId": "capture-client-1", "entityType": "user",
        "globalSub": "capture-v1://us.janraincapture.com/capture-app-1/user/u1", "sub": "u1",
        "id": "00000000-0000-4000-8000-000000000001",
    })
}

/// An object with some members changed; `null` removes one.
pub(super) fn patched(mut object: Value, patch: &Value) -> Value {
    let members = object.as_object_mut().expect("an object");
    for (name, value) in patch.as_object().expect("an object") {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    object
}

pub(super) fn sign(claims: &str) -> String {
    sign_under(r#"{"typ":"secevent+jwt","alg":"RS256","kid":"k1"}"#, claims)
}

pub(super) fn sign_under(header: &str, claims: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut signature = vec![0; PAIR.public_modulus_len()];
    let random = SystemRandom::new();
    PAIR.sign(&RSA_PKCS1_SHA256, &random, input.as_bytes(), &mut signature).expect("signs");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}
