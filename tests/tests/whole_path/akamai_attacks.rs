//! Who would like to be Akamai Identity Cloud: every attack over real HTTP, each with its own answer,
//! and nothing on the queue.

use domain::jose::Algorithm;
use domain::limits::SET_BYTES_MAX;
use local::aws::{Fault, Service};
use local::functions::Name;
use serde_json::{Value, json};
use testkit::akamai::fuzz::{Bench, attacks};
use testkit::akamai::{
    ISSUER, LISTENER, MEDIA_TYPE, PATH, SAMPLES, claims, event, header, impostor, signer, token,
    token_of,
};
use testkit::answers::{Signer, token_of as raw_token};

use crate::support::Stack;

/// The claims of an update, with one of them changed.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims(&json!({"entityUpdated": event("entityUpdated", "e1")}));
    claims[name] = value;
    claims
}

fn signed_under(signer: &Signer, patch: &Value) -> String {
    let mut header = header();
    for (name, value) in patch.as_object().expect("an object") {
        header[name] = value.clone();
    }
    let claims = claims(&json!({"entityUpdated": event("entityUpdated", "e1")}));
    signer.sign_text(&header.to_string(), claims.to_string().as_bytes())
}

/// An HMAC by a key that everybody has: our own public one.
fn confused(payload: &str) -> String {
    use aws_lc_rs::hmac;
    let public = signer().jwks().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes());
    let header = r#"{"typ":"secevent+jwt","alg":"HS256","kid":"akamai-sample-1"}"#;
    let unsigned = raw_token(header, payload.as_bytes(), b"");
    let input = unsigned.trim_end_matches('.');
    let signature = hmac::sign(&key, input.as_bytes());
    raw_token(header, payload.as_bytes(), signature.as_ref())
}

type Attack = (&'static str, String, u16, &'static str);

/// Tokens that are not Akamai's, or are not what they were.
fn forgeries() -> Vec<Attack> {
    let akamai = signer();
    let good = token_of(&akamai, "entityUpdated", "e1");
    let other = token_of(&akamai, "entityUpdated", "e2");
    let parts: Vec<&str> = good.split('.').collect();
    let payload = claims(&json!({"entityUpdated": event("entityUpdated", "e1")})).to_string();
    let none = |alg: &str| {
        let header = json!({"typ": "secevent+jwt", "alg": alg, "kid": "akamai-sample-1"});
        raw_token(&header.to_string(), payload.as_bytes(), b"")
    };
    let changed = {
        let (payload, signature) = (other.split('.').nth(1).expect("a payload"), parts[2]);
        format!("{}.{payload}.{signature}", parts[0])
    };
    let another = Signer::new(Algorithm::Ps256, "akamai-sample-1");
    vec![
        ("a55 alg none, no signature", none("none"), 400, "invalid_request"),
        ("a55 alg nOnE", format!("{}AQID", none("nOnE")), 400, "invalid_key"),
        ("a56 HS256 by the public key", confused(&payload), 400, "invalid_key"),
        ("a57 PS256", signed_under(&another, &json!({"alg": "PS256"})), 400, "invalid_key"),
        ("a57 RS512", signed_under(&akamai, &json!({"alg": "RS512"})), 400, "invalid_key"),
        (
            "a57 PS256 that says RS256",
            signed_under(&another, &json!({})),
            400,
            "authentication_failed",
        ),
        (
            "another's key",
            token_of(&impostor(), "entityUpdated", "e1"),
            400,
            "authentication_failed",
        ),
        ("an unknown key", signed_under(&impostor(), &json!({"kid": "k9"})), 400, "invalid_key"),
        ("no kid", signed_under(&akamai, &json!({"kid": null})), 400, "invalid_request"),
        ("an empty kid", signed_under(&akamai, &json!({"kid": ""})), 400, "invalid_key"),
        ("a55 another message's signature", changed, 400, "authentication_failed"),
        ("a55 no signature", format!("{}.{}.", parts[0], parts[1]), 400, "invalid_request"),
        ("a59 crit", signed_under(&akamai, &json!({"crit": ["x"]})), 400, "invalid_request"),
        ("a59 b64", signed_under(&akamai, &json!({"b64": false})), 400, "invalid_request"),
        ("a59 jwk", signed_under(&akamai, &json!({"jwk": akamai.jwk()})), 400, "invalid_request"),
        (
            "a59 x5u",
            signed_under(&akamai, &json!({"x5u": "https://a.example/"})),
            400,
            "invalid_request",
        ),
        ("a59 zip", signed_under(&akamai, &json!({"zip": "DEF"})), 400, "invalid_request"),
        ("a60 a JWT", signed_under(&akamai, &json!({"typ": "JWT"})), 400, "invalid_request"),
        (
            "a60 an access token",
            signed_under(&akamai, &json!({"typ": "at+jwt"})),
            400,
            "invalid_request",
        ),
        ("a73 padding", good.replacen('.', "=.", 1), 400, "invalid_request"),
        ("a73 a line's end", format!("{good}\n"), 400, "invalid_request"),
        ("a74 two parts", format!("{}.{}", parts[0], parts[1]), 400, "invalid_request"),
        ("a74 four parts", format!("{good}.{}", parts[2]), 400, "invalid_request"),
        (
            "a74 the JSON serialization",
            json!({"payload": parts[1], "protected": parts[0], "signature": parts[2]}).to_string(),
            400,
            "invalid_request",
        ),
        ("nothing", String::new(), 400, "invalid_request"),
        ("128 KiB and one", "x".repeat(SET_BYTES_MAX + 1), 413, "invalid_request"),
        ("1 MiB", "x".repeat(1024 * 1024), 413, "invalid_request"),
    ]
}

/// What Akamai did sign, and not to say this here.
fn misstatements() -> Vec<Attack> {
    let akamai = signer();
    let signed = |name: &str, value: Value| token(&akamai, &claims_with(name, value));
    let text = |text: &str| akamai.sign_text(&header().to_string(), text.as_bytes());
    let whole = claims(&json!({"entityUpdated": event("entityUpdated", "e1")})).to_string();
    let twice = whole.replacen("\"iss\"", "\"jti\":\"n2\",\"iss\"", 1);
    let sub_twice = whole.replacen("\"sub\"", "\"sub\":\"u2\",\"sub\"", 1);
    assert!(twice != whole && sub_twice != whole);
    let (one, two) = (event("entityCreated", "e1"), event("entityDeleted", "e2"));
    vec![
        ("a61 another issuer", signed("iss", json!("https://a.example/")), 400, "invalid_issuer"),
        ("a61 iss as an array", signed("iss", json!([ISSUER])), 400, "invalid_issuer"),
        ("a61 iss with a slash", signed("iss", json!(format!("{ISSUER}/"))), 400, "invalid_issuer"),
        ("no issuer", signed("iss", Value::Null), 400, "invalid_issuer"),
        (
            "a61 another audience",
            signed("aud", json!("https://a.example/")),
            400,
            "invalid_audience",
        ),
        (
            "a61 others' audience",
            signed("aud", json!(["https://a.example/"])),
            400,
            "invalid_audience",
        ),
        ("no audience", signed("aud", Value::Null), 400, "invalid_audience"),
        (
            "a61 aud in capitals",
            signed("aud", json!(LISTENER.to_uppercase())),
            400,
            "invalid_audience",
        ),
        ("a62 iat as text", signed("iat", json!("1763892000")), 400, "invalid_request"),
        ("a62 iat of year 9999", signed("iat", json!(253_402_300_799_u64)), 400, "invalid_request"),
        ("a62 toe of year 9999", signed("toe", json!(253_402_300_799_u64)), 400, "invalid_request"),
        ("a62 a broken iat", signed("iat", json!(1.5)), 400, "invalid_request"),
        ("no toe", signed("toe", Value::Null), 400, "invalid_request"),
        ("expired", signed("exp", json!(1)), 400, "invalid_request"),
        ("no jti", signed("jti", Value::Null), 400, "invalid_request"),
        (
            "two events",
            signed("events", json!({"entityCreated": one, "entityDeleted": two})),
            400,
            "invalid_request",
        ),
        ("no event", signed("events", json!({})), 400, "invalid_request"),
        ("no events", signed("events", Value::Null), 400, "invalid_request"),
        ("events in an array", signed("events", json!([one])), 400, "invalid_request"),
        (
            "an event without a user",
            signed(
                "events",
                json!({"entityDeleted": {"captureApplicationId": one["captureApplicationId"], "entityType": "user", "id": "e1"}}),
            ),
            400,
            "invalid_request",
        ),
        (
            "an event without an application",
            signed(
                "events",
                json!({"entityDeleted": {"entityType": "user", "id": "e1", "sub": "u1"}}),
            ),
            400,
            "invalid_request",
        ),
        ("a35 a claim twice", text(&twice), 400, "invalid_request"),
        ("a35 a member twice", text(&sub_twice), 400, "invalid_request"),
        (
            "a35 10,000 levels",
            text(&whole.replacen("[\"email\"]", &"[".repeat(10_000), 1)),
            400,
            "invalid_request",
        ),
        ("not JSON", text("entityUpdated"), 400, "invalid_request"),
        (
            "a74 a JWS in a JWS",
            text(&token_of(&akamai, "entityUpdated", "e1")),
            400,
            "invalid_request",
        ),
    ]
}

#[tokio::test]
async fn a55_to_a74_who_would_like_to_be_akamai_is_refused_and_nothing_is_enqueued() {
    let stack = Stack::start().await;
    // With SQS down, whatever tried to enqueue something would be answered 503.
    stack.local.aws().faults().set(Fault::Down(Service::Sqs));
    for (name, body, status, err) in forgeries().into_iter().chain(misstatements()) {
        let answer = stack.post(PATH, MEDIA_TYPE, body).await;
        assert_eq!((answer.status, &answer.body["err"]), (status, &json!(err)), "{name}");
        assert!(answer.body["description"].is_string(), "{name}");
        assert_eq!(answer.headers["content-language"], "en", "{name}");
        let members = answer.body.as_object().expect("an object").len();
        assert_eq!(members, 2, "{name}: no more than err and description");
    }
    let good = token_of(&signer(), "entityUpdated", "e1");
    assert_eq!(stack.post(PATH, MEDIA_TYPE, good).await.status, 503, "this one does try");
    stack.stop().await;
}

#[tokio::test]
async fn a36_only_a_security_event_token_is_taken_and_version_2_is_not() {
    let stack = Stack::start().await;
    stack.local.aws().faults().set(Fault::Down(Service::Sqs));
    let good = || token_of(&signer(), "entityUpdated", "e1");
    for content_type in
        ["application/json", "text/plain", "application/jwt", "application/secevent"]
    {
        let answer = stack.post(PATH, content_type, good()).await;
        assert_eq!((answer.status, &answer.body["err"]), (415, &json!("invalid_request")));
    }
    let version_2 = json!([{"captureId": "x"}]).to_string();
    assert_eq!(stack.post(PATH, "application/json", version_2).await.status, 415);
    let spelled = "Application/SecEvent+JWT; charset=utf-8";
    assert_eq!(stack.post(PATH, spelled, good()).await.status, 503, "taken, and SQS is down");
    let payload = |patch: Value| {
        let mut payload = json!({
            "version": "2.0", "rawPath": PATH, "headers": {"content-type": MEDIA_TYPE},
            "requestContext": {"http": {"method": "POST"}, "stage": "$default"},
            "body": good(), "isBase64Encoded": false,
        });
        payload.as_object_mut().expect("an object").extend(patch.as_object().expect("one").clone());
        payload
    };
    for (patch, status) in [
        (json!({"isBase64Encoded": true}), 400),
        (json!({"headers": {"content-type": MEDIA_TYPE, "content-encoding": "gzip"}}), 415),
        (json!({"headers": {}}), 415),
    ] {
        let answer = stack.invoke(Name::Ingest, payload(patch.clone())).await.expect("an answer");
        assert_eq!(answer["statusCode"], status, "{patch}");
    }
    stack.stop().await;
}

#[test]
fn ten_thousand_mutations_of_a_token_are_believed_only_where_they_are_right() {
    let bench = Bench::new();
    let mut refused = std::collections::BTreeMap::<String, usize>::new();
    for (index, attack) in attacks(&bench, 11).take(10_000).enumerate() {
        match bench.check(&attack) {
            Ok(None) => *refused.entry("none".to_owned()).or_default() += 1,
            Ok(Some(rule)) => *refused.entry(rule.to_string()).or_default() += 1,
            Err(broken) => panic!("attack {index}: {broken}: {}", String::from_utf8_lossy(&attack)),
        }
    }
    // The rules that a changed token can break are all broken, and right ones are among them.
    for rule in [
        "none",
        "token",
        "typ",
        "alg",
        "kid",
        "payload",
        "events",
        "application",
        "key",
        "signature",
        "iss",
        "aud",
        "time",
        "identifiers",
        "event",
    ] {
        assert!(refused.contains_key(rule), "{rule}: {refused:?}");
    }
}

#[test]
fn the_tokens_of_events_are_those_of_the_test_key() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/sets");
    for (name, id) in SAMPLES {
        let written = std::fs::read_to_string(folder.join(format!("{name}.jwt"))).expect("a file");
        assert!(written == token_of(&signer(), name, id), "{name}.jwt is not what the key signs");
    }
    let written = std::fs::read_to_string(folder.join("jwks.json")).expect("a file");
    let written: Value = serde_json::from_str(&written).expect("JSON");
    let mut key = signer().jwk();
    key["use"] = "sig".into();
    assert_eq!(written, json!({"keys": [key]}));
}
