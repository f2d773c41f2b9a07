//! What the built-in target takes for its own, and what it does not.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;

const URL: &str = "https://api.example/v1/doctor";

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed")
}

fn published() -> String {
    let x = URL_SAFE_NO_PAD.encode(pair().public_key());
    let key = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k1", "x": x});
    json!({ "keys": [key] }).to_string()
}

fn signed(header: &Value, payload: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(pair().sign(input.as_bytes()));
    format!("{input}.{signature}")
}

fn header() -> Value {
    json!({"alg": "EdDSA", "kid": "k1", "typ": "secevent+jwt"})
}

fn token(aud: &Value) -> String {
    signed(&header(), &json!({"jti": "e1", "aud": aud}).to_string())
}

fn received(body: &str, url: Option<&str>) -> Answer {
    let request = Request {
        content_type: Some("application/secevent+jwt"),
        content_encoding: None,
        body: Some(body.as_bytes()),
        trace: None,
    };
    receive(request, url, Some(&published()))
}

#[test]
fn a_notification_for_this_url_verifies() {
    for aud in [json!([URL]), json!(URL), json!(["https://other.example", URL])] {
        assert_eq!(received(&token(&aud), Some(URL)), Answer::Verified, "{aud}");
    }
    // A laptop has no TLS, and nobody says so.
    let plain = json!([URL.replace("https", "http")]);
    assert_eq!(received(&token(&plain), Some(URL)), Answer::Verified);
}

#[test]
fn what_is_for_another_url_does_not() {
    for aud in [
        json!(["https://other.example/v1/doctor"]),
        json!([format!("{URL}/")]),
        json!("api.example"),
        json!([7]),
        json!({}),
        Value::Null,
    ] {
        let refused = Answer::Refused(SetRefusal::Audience);
        assert_eq!(received(&token(&aud), Some(URL)), refused, "{aud}");
    }
    let unknown = received(&token(&json!([URL])), None);
    assert_eq!(unknown, Answer::Refused(SetRefusal::Audience));
}

#[test]
fn what_does_not_prove_itself_is_refused_by_its_rule() {
    let with = |name: &str, value: Value| {
        let mut header = header();
        header[name] = value;
        signed(&header, &json!({"aud": URL}).to_string())
    };
    let good = token(&json!(URL));
    let (input, _) = good.rsplit_once('.').expect("three parts");
    let forged = format!("{input}.{}", URL_SAFE_NO_PAD.encode([1; 64]));
    let large = "a".repeat(SET_BYTES_MAX + 1);
    for (body, rule) in [
        (with("typ", json!("JWT")), SetRefusal::Type),
        (with("alg", json!("none")), SetRefusal::Algorithm),
        (with("alg", json!("ES256")), SetRefusal::Key),
        (with("kid", json!("k2")), SetRefusal::Key),
        (with("jwk", json!({})), SetRefusal::Header),
        (signed(&json!({"alg": "EdDSA", "typ": "secevent+jwt"}), "{}"), SetRefusal::KeyId),
        (signed(&header(), r#"{"aud":1,"aud":2}"#), SetRefusal::Payload),
        (forged, SetRefusal::Signature),
        ("{}".to_owned(), SetRefusal::Token),
        (large, SetRefusal::TooLarge),
    ] {
        assert_eq!(received(&body, Some(URL)), Answer::Refused(rule), "{rule}");
    }
    let plain = Request {
        content_type: Some("application/json"),
        content_encoding: None,
        body: Some(good.as_bytes()),
        trace: None,
    };
    let refused = receive(plain, Some(URL), Some(&published()));
    assert_eq!(refused, Answer::Refused(SetRefusal::ContentType));
}

#[test]
fn without_keys_nobody_can_say() {
    let request = |body: &'static str| Request {
        content_type: Some("application/secevent+jwt"),
        content_encoding: None,
        body: Some(body.as_bytes()),
        trace: None,
    };
    let token: &'static str = Box::leak(token(&json!(URL)).into_boxed_str());
    for published in [None, Some("<html>")] {
        assert_eq!(receive(request(token), Some(URL), published), Answer::NoKeys);
    }
    // What is no token is refused all the same.
    assert_eq!(receive(request("x"), Some(URL), None), Answer::Refused(SetRefusal::Token));
}
