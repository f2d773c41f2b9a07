//! What the built-in target takes for its own, and what it does not.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::doctor::round_trip::Trip;
use crate::event_type::EventTypeNames;
use crate::jose::Algorithm;
use crate::notification::Issuer;
use crate::subscription::Subscription;
use crate::time::Timestamp;
use crate::verification::Challenge;

const URL: &str = "https://api.example/v1/doctor";

/// What a trip is called.
const NAME: &str = "doctor-q6urq6urq6urqw";

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

/// The event of a round trip, for somebody.
fn token(aud: &Value) -> String {
    let events = json!({"account/v1/userUpdated": {"sub": "doctor", "propertyId": NAME}});
    signed(&header(), &json!({"jti": NAME, "aud": aud, "events": events}).to_string())
}

/// A token for this target, with these events.
fn with_events(events: &Value) -> String {
    signed(&header(), &json!({"jti": "e1", "aud": [URL], "events": events}).to_string())
}

fn refused(rule: SetRefusal) -> Answer {
    Answer::Refused(Refusal::Token(rule))
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
        assert!(received(&token(&aud), Some(URL)) == Answer::Arrived, "{aud}");
    }
    // A laptop has no TLS, and nobody says so.
    let plain = json!([URL.replace("https", "http")]);
    assert!(received(&token(&plain), Some(URL)) == Answer::Arrived);
}

#[test]
fn the_challenge_of_a_round_trip_is_echoed() {
    let text = URL_SAFE_NO_PAD.encode([9; 32]);
    let said = json!({"challenge": text, "subscriptionId": NAME});
    let answer = received(&with_events(&json!({CHALLENGE_TYPE: said})), Some(URL));
    let Answer::Challenged(echo) = answer else { panic!("it is echoed") };
    assert_eq!(echo.as_str(), text);
}

#[test]
fn the_challenge_that_delivery_sends_for_a_trip_s_row_is_echoed() {
    let trip = Trip::new([7; 10], URL.to_owned(), Algorithm::EdDsa).expect("a name");
    let names = EventTypeNames::default();
    let row = trip.row().into_iter().collect();
    let subscription = Subscription::read(&trip.scope, row, &names).expect("readable");
    let issuer = Issuer::parse("https://idp.example.com").expect("valid");
    let challenge = Challenge::new(Timestamp::from_ms(1), [7; 42]);
    let token = signed(&header(), &challenge.token_payload(&subscription, &issuer));
    let Answer::Challenged(echo) = received(&token, Some(URL)) else { panic!("it is echoed") };
    let body = json!({"challenge": echo.as_str()}).to_string();
    assert!(challenge.is_echoed_by(body.as_bytes()));
}

/// Somebody has a subscription of theirs lead here: it is not verified, and swallows nothing.
#[test]
fn what_is_ours_and_of_no_round_trip_is_refused() {
    let challenge = URL_SAFE_NO_PAD.encode([9; 32]);
    let kind = "account/v1/userUpdated";
    let event = json!({"sub": "u1", "propertyId": NAME});
    for events in [
        json!({CHALLENGE_TYPE: {"challenge": challenge, "subscriptionId": "new"}}),
        json!({CHALLENGE_TYPE: {"challenge": challenge, "subscriptionId": "doctor-who"}}),
        json!({CHALLENGE_TYPE: {"challenge": challenge}}),
        json!({CHALLENGE_TYPE: {"challenge": challenge, "propertyId": NAME}}),
        json!({CHALLENGE_TYPE: {"challenge": &challenge[1..], "subscriptionId": NAME}}),
        json!({CHALLENGE_TYPE: {"challenge": format!("{challenge}AAAA"), "subscriptionId": NAME}}),
        json!({CHALLENGE_TYPE: {"challenge": "<script>", "subscriptionId": NAME}}),
        json!({CHALLENGE_TYPE: {"challenge": 7, "subscriptionId": NAME}}),
        json!({CHALLENGE_TYPE: {"challenge": challenge, "subscriptionId": NAME}, kind: event}),
        json!({kind: {"sub": "u1", "propertyId": "p1"}}),
        json!({kind: {"sub": "u1", "propertyId": "doctor-who"}}),
        json!({kind: {"sub": "u1", "clientId": NAME}}),
        json!({kind: {"sub": "u1", "subscriptionId": NAME}}),
        json!({kind: "doctor"}),
        json!({}),
        json!([event]),
        Value::Null,
    ] {
        let answer = received(&with_events(&events), Some(URL));
        assert!(answer == Answer::Refused(Refusal::NoRoundTrip), "{events}");
    }
    assert_eq!(Refusal::NoRoundTrip.to_string(), "no_round_trip");
    assert_eq!(Refusal::Token(SetRefusal::Audience).to_string(), "aud");
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
        assert!(received(&token(&aud), Some(URL)) == refused(SetRefusal::Audience), "{aud}");
    }
    let unknown = received(&token(&json!([URL])), None);
    assert!(unknown == refused(SetRefusal::Audience));
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
        assert!(received(&body, Some(URL)) == refused(rule), "{rule}");
    }
    let plain = Request {
        content_type: Some("application/json"),
        content_encoding: None,
        body: Some(good.as_bytes()),
        trace: None,
    };
    let answer = receive(plain, Some(URL), Some(&published()));
    assert!(answer == refused(SetRefusal::ContentType));
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
        assert!(receive(request(token), Some(URL), published) == Answer::NoKeys);
    }
    // What is no token is refused all the same.
    assert!(receive(request("x"), Some(URL), None) == refused(SetRefusal::Token));
}
