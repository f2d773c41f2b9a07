//! What is said of tokens and webhooks, right and wrong.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::jose::signing_input;

const NOW: Timestamp = Timestamp::from_ms(1_795_428_000_000);

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed")
}

fn keys() -> KeySet {
    let x = URL_SAFE_NO_PAD.encode(pair().public_key());
    let key = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k1", "x": x});
    KeySet::from_json(&json!({"keys": [key]})).expect("a key set")
}

fn expected() -> Expected<'static> {
    let (issuer, audience) = (Some("https://idp.example.com"), Some("https://t.example/hook"));
    Expected { issuer, audience, now: NOW }
}

fn payload() -> Value {
    json!({
        "iss": "https://idp.example.com", "iat": NOW.as_s() - 60, "jti": "e1", "toe": NOW.as_s() - 61,
        "aud": ["https://t.example/hook"],
        "events": {"account/v1/userCreated": {"sub": "secret", "propertyId": "p1"}},
    })
}

fn signed(header: &Value, payload: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let input = format!("{}.{}", part(header), part(payload));
    let signature = URL_SAFE_NO_PAD.encode(pair().sign(input.as_bytes()));
    format!("{input}.{signature}")
}

fn header() -> Value {
    json!({"alg": "EdDSA", "kid": "k1", "typ": "secevent+jwt"})
}

fn flaws(token: &str) -> Vec<String> {
    let flaws = check_token(token.as_bytes(), &keys(), expected()).flaws;
    flaws.iter().map(ToString::to_string).collect()
}

#[test]
fn a_notification_has_no_flaw_and_names_what_it_holds() {
    let input = signing_input(Algorithm::EdDsa, "k1", TYP, &payload().to_string());
    let signature = URL_SAFE_NO_PAD.encode(pair().sign(input.as_bytes()));
    let received = format!("\n{input}.{signature}\r\n");
    let checked = check_token(received.as_bytes(), &keys(), expected());
    assert_eq!(checked.flaws, []);
    assert_eq!(checked.signed_by.as_deref(), Some("k1, EdDSA"));
    assert_eq!(checked.event_id.as_deref(), Some("e1"));
    assert_eq!(checked.issued_at, Some(NOW.minus_ms(60_000)));
    assert_eq!(checked.members, ["aud", "events", "iat", "iss", "jti", "toe"]);
    let names = vec!["propertyId".to_owned(), "sub".to_owned()];
    assert_eq!(checked.events, [("account/v1/userCreated".to_owned(), names)]);
}

#[test]
fn what_is_no_token_is_told_by_what_it_looks_like() {
    for (received, said) in [
        ("", "there is nothing in it"),
        ("{\"type\":\"x\"}", "it is plain JSON and no token"),
        ("a.b.c.d.e", "it is encrypted (a JWE of five parts)"),
        ("a.b", "it is no compact JWS: expected three parts with dots between, there are 2"),
    ] {
        let flaws = flaws(received);
        assert!(flaws.len() == 1 && flaws[0].starts_with(said), "{received:?}: {flaws:?}");
    }
    assert_eq!(check_token(b"\xff.\xff.\xff", &keys(), expected()).flaws, [Flaw::NotText]);
}

#[test]
fn headers_are_told_one_by_one() {
    let with = |name: &str, value: Value| {
        let mut header = header();
        header[name] = value;
        flaws(&signed(&header, &payload()))
    };
    assert_eq!(with("typ", json!("JWT")), ["header typ: expected secevent+jwt, there is JWT"]);
    assert_eq!(with("typ", json!("application/SecEvent+JWT")), [""; 0]);
    assert_eq!(with("kid", json!("k2")), ["header kid: k2 is not in the key set, which has k1"]);
    assert_eq!(with("alg", json!("ES256")), ["header alg: the key k1 is not for ES256"]);
    let none = with("alg", json!("none"));
    assert!(none.len() == 1 && none[0].ends_with("there is none"), "{none:?}");
    let jku = with("jku", json!("https://evil.example/"));
    assert_eq!(jku, ["header jku: a token must not choose how it is verified"]);
    let mut bare = header();
    bare.as_object_mut().expect("an object").remove("kid");
    let said = flaws(&signed(&bare, &payload()));
    assert_eq!(said, ["header kid: it is missing, so any key could be meant"]);
}

/// A header that no receiver's library would take is not passed over: nothing unproven verifies.
#[test]
fn what_is_not_verified_never_counts_as_verified() {
    let mut deep = header();
    deep["x"] = json!([[[[[1]]]]]);
    let token = signed(&deep, &payload());
    let (input, _) = token.rsplit_once('.').expect("three parts");
    for token in [format!("{input}.AAAA"), token] {
        assert!(!flaws(&token).is_empty(), "{token}");
    }
}

#[test]
fn members_are_told_all_at_once_and_no_value_of_theirs_but_the_issuer() {
    let mut other = payload();
    other["iss"] = json!("https://other.example");
    other["aud"] = json!("https://other.example/?token=secret");
    other["iat"] = json!(NOW.as_s() + 3_600);
    other["sub"] = json!("secret");
    other["events"]["account/v1/userDeleted"] = json!({"email": "secret"});
    let said = flaws(&signed(&header(), &other));
    assert_eq!(
        said,
        [
            "payload iss: expected https://idp.example.com, there is https://other.example",
            "iat: it is 3600 seconds ahead of this clock; one of the two is wrong",
            "payload aud: the expected endpoint is not in it: it was sent to another one",
            "payload sub: expected to be absent: the user stands in the event (RFC 8417 §4)",
            "payload events: expected one event, there are 2",
        ]
    );
    let said = flaws(&signed(&header(), &json!({})));
    let members = ["iss", "iat", "toe", "jti", "aud", "events"];
    for (said, name) in said.iter().zip(members) {
        assert!(said.starts_with(&format!("payload {name}: expected")), "{said}");
    }
    assert_eq!(said.len(), members.len());
}

#[test]
fn every_changed_character_of_a_signed_part_is_a_flaw() {
    let token = signed(&header(), &payload());
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let checked = check_token(&changed, &keys(), expected());
        assert!(checked.signed_by.is_none() && !checked.flaws.is_empty(), "{at}");
    }
    let checked = check_token(token.as_bytes(), &KeySet::default(), expected());
    let said = checked.flaws[0].to_string();
    assert_eq!(said, "header kid: k1 is not in the key set, which has no key that signs");
}

const BODY: &str = r#"{"type":"account/v1/userCreated","timestamp":"2026-11-23T10:00:00Z","id":"e1","data":{"sub":"u"}}"#;

fn webhook(signatures: &str, is_mac: Option<IsMac<'_>>) -> Checked {
    let received =
        ReceivedWebhook { id: "dlv_1", timestamp: "1795427990", signatures, body: BODY.as_bytes() };
    check_webhook(received, is_mac, Some(&keys()), NOW)
}

#[test]
fn one_signature_of_a_webhook_that_verifies_is_enough() {
    let input = format!("dlv_1.1795427990.{BODY}");
    let good = format!("v1a,{}", STANDARD.encode(pair().sign(input.as_bytes())));
    let bad = format!("v1a,{}", STANDARD.encode([0; 64]));
    let unknown = "v9,AAAA";
    let checked = webhook(&format!("{unknown} {bad} {good}"), None);
    assert_eq!(checked.flaws, []);
    assert_eq!(checked.signed_by.as_deref(), Some("v1a"));
    assert_eq!(checked.events[0].0, "account/v1/userCreated");
    assert_eq!(webhook(&bad, None).flaws, [Flaw::Scheme("v1a")]);
    let is_it = |given: &[u8], mac: &[u8]| given == input.as_bytes() && mac == [1, 2, 3];
    assert_eq!(webhook("v1,AQID", Some(&is_it)).signed_by.as_deref(), Some("v1"));
    assert_eq!(webhook("v1,AQIE", Some(&is_it)).flaws, [Flaw::Scheme("v1")]);
    assert!(matches!(webhook("v1,AQID", None).flaws[..], [Flaw::NothingToCheck(_)]));
}

#[test]
fn a_webhook_s_headers_and_body_are_told_as_well() {
    let received =
        ReceivedWebhook { id: "msg_1", timestamp: "soon", signatures: "v1", body: b"[1]" };
    let said: Vec<String> =
        check_webhook(received, None, None, NOW).flaws.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "webhook-id: expected a delivery's ID, dlv_…",
            "webhook-timestamp: expected seconds since 1970, digits alone",
            "webhook-signature: expected v1,… or v1a,…, separated by spaces",
            "webhook-signature: there is no signature that could be checked: it holds neither v1 nor v1a",
            "its body is not a JSON object: it is something else",
        ]
    );
}
