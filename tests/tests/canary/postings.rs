//! What producers post: events full of personal data, and every way to be refused.

use local::functions::Name;
use local::samples::{EVENTS, PROPERTY};
use serde_json::{Value, json};

use crate::stack::Stack;
use crate::words::{CODE, DATUM, EMAIL, MALFORMED, SUB};

/// One event of every type, with canaries for the samples' data.
pub(crate) fn personal() -> Vec<String> {
    EVENTS.iter().map(|sample| with_canaries(sample.body)).collect()
}

/// A sample's body with canaries for its data.
pub(crate) fn with_canaries(body: &str) -> String {
    let user = "6f1c1f0e-2b8a-4f7e-9c1d-3a5b7e9d1f20";
    let replaced = body
        .replace("ada@example.com", &format!("{EMAIL}@example.com"))
        .replace("example-code", CODE)
        .replace("\"Ada\"", &format!("\"{DATUM}\""))
        .replace("Firefox", DATUM)
        .replace(user, SUB);
    assert_ne!(replaced, body, "a sample without a datum");
    replaced
}

/// A queue message of an event full of personal data.
pub(crate) fn queued(id: &str) -> String {
    queued_of(PROPERTY, id)
}

/// The same of another property.
pub(crate) fn queued_of(scope: &str, id: &str) -> String {
    let property_id = scope.strip_prefix("PROPERTY#").expect("a property's scope");
    let event = json!({
        "id": id, "type": "userUpdated", "source": "next_identity", "occurredAt": 1,
        "acceptedAt": 2, "scope": scope, "propertyId": property_id, "sub": SUB,
        "data": {"email": format!("{EMAIL}@example.com"), "name": DATUM, "url": CODE},
    });
    json!({"EventsV1": {"events": [event]}}).to_string()
}

pub(crate) async fn play(stack: &Stack) {
    for body in personal() {
        let (status, said) = stack.post("/v1/events", "application/json", body).await;
        assert_eq!(status, 202, "{said}");
    }
    for (status, body) in refused() {
        let (answered, said) = stack.post("/v1/events", "application/json", body.clone()).await;
        assert_eq!(answered, status, "{}: {said}", String::from_utf8_lossy(&body));
    }
    for content_type in ["text/plain", &format!("application/{MALFORMED}"), MALFORMED] {
        let (status, _) = stack.post("/v1/events", content_type, personal().remove(0)).await;
        assert_eq!(status, 415);
    }
    let (status, _) = stack.post(&format!("/v1/{MALFORMED}"), "application/json", "{}").await;
    assert_eq!(status, 404);
    let whole = json!({
        "version": "2.0", "rawPath": "/v1/events", "rawQueryString": MALFORMED,
        "headers": {"content-type": "application/json", "authorization": MALFORMED},
        "requestContext": {"http": {"method": "POST"}, "stage": "$default"},
        "body": MALFORMED, "isBase64Encoded": true,
    });
    for (member, value) in [("version", json!("2.0")), ("rawPath", json!(MALFORMED))] {
        let mut payload = whole.clone();
        payload[member] = value;
        stack.invoke(Name::Ingest, payload).await;
    }
}

/// Bodies with a canary in every value, and what they are answered.
fn refused() -> Vec<(u16, Vec<u8>)> {
    let with = |member: &str, value: Value| {
        let mut event = json!({
            "id": "e1", "type": "userUpdated", "propertyId": "demo-property", "sub": SUB,
            "data": {"user": {"email": EMAIL}},
        });
        event[member] = value;
        (422, event.to_string().into_bytes())
    };
    let word = || json!(MALFORMED);
    let mut repeated: Value = serde_json::from_str(EVENTS[9].body).expect("a sample");
    repeated["sub"] = word();
    let broken = |status: u16, text: String| (status, text.into_bytes());
    vec![
        broken(400, MALFORMED.to_owned()),
        broken(400, format!("\u{feff}{{\"type\":\"{MALFORMED}\"}}")),
        broken(400, format!(r#"{{"type":"{MALFORMED}""#)),
        broken(400, format!(r#"{{"type":"{MALFORMED}"}} {MALFORMED}"#)),
        broken(400, format!(r#"{{"type":"\ud800{MALFORMED}"}}"#)),
        broken(
            400,
            format!(r#"{{"type":"login","data":{{"a":"{MALFORMED}","a":"{MALFORMED}"}}}}"#),
        ),
        broken(400, format!("{}\"{MALFORMED}\"", "[".repeat(40))),
        (400, [b"{\"type\":\"\xff".as_slice(), MALFORMED.as_bytes(), b"\"}"].concat()),
        broken(409, repeated.to_string()),
        broken(413, json!({"type": "login", "data": MALFORMED.repeat(20_000)}).to_string()),
        broken(422, json!(MALFORMED).to_string()),
        broken(422, json!([MALFORMED, {"type": MALFORMED}]).to_string()),
        broken(422, "{}".to_owned()),
        with("id", json!(format!("{MALFORMED} !"))),
        with("id", json!([MALFORMED])),
        with("type", word()),
        with("type", json!({"of": MALFORMED})),
        with("occurredAt", word()),
        with("propertyId", json!(MALFORMED.repeat(10))),
        with("propertyId", json!([MALFORMED])),
        with("clientId", json!(format!("{MALFORMED}\u{7}"))),
        with("sub", json!(format!("{MALFORMED}\u{e9}"))),
        with("sub", json!([MALFORMED])),
        with("data", word()),
        with("data", json!([MALFORMED])),
        with("data", json!({"sub": MALFORMED, "propertyId": MALFORMED})),
        with("data", json!({"dataSourceInfo": MALFORMED})),
        with("more", word()),
    ]
}
