//! What the functions are invoked with.

use local::samples;
use serde_json::{Value, json};

/// The scope of subscriptions that are many.
pub(super) const PROPERTY: &str = "figures";

/// An event as posted, of so many bytes of JSON.
pub(super) fn event(id: &str, property: &str, bytes: usize) -> Value {
    let bare = sized(id, property, "");
    let filling = bytes.saturating_sub(bare.to_string().len());
    sized(id, property, &"x".repeat(filling))
}

fn sized(id: &str, property: &str, filling: &str) -> Value {
    json!({
        "id": id, "type": "userUpdated", "propertyId": property,
        "sub": "6f1c1f0e-2b8a-4f7e-9c1d-3a5b7e9d1f20", "data": {"filling": filling},
    })
}

/// A posting of so many events.
pub(super) fn posting(number: usize, events: usize, bytes: usize) -> Value {
    let event = |index| event(&format!("f{number}-{index}"), PROPERTY, bytes);
    let events: Vec<Value> = (0..events).map(event).collect();
    json!({
        "version": "2.0", "rawPath": "/v1/events", "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST"}, "stage": "$default"},
        "body": Value::from(events).to_string(), "isBase64Encoded": false,
    })
}

/// A batch of so many messages of one event each.
pub(super) fn batch(number: usize, property: &str, messages: usize, bytes: usize) -> Value {
    let record = |index| {
        let mut event = event(&format!("f{number}-{index}"), property, bytes);
        event["source"] = "next_identity".into();
        event["occurredAt"] = 1_795_428_000_000_u64.into();
        event["acceptedAt"] = 1_795_428_000_250_u64.into();
        event["scope"] = format!("PROPERTY#{property}").into();
        json!({
            "messageId": format!("m{index}"),
            "body": json!({"EventsV1": {"events": [event]}}).to_string(),
            "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:events",
        })
    };
    json!({"Records": (0..messages).map(record).collect::<Vec<_>>()})
}

/// The sample login by a direct Invoke, with a request ID or without.
pub(super) fn login(number: usize, is_named: bool) -> Value {
    let mut login: Value = serde_json::from_str(samples::LOGINS[0].body).unwrap_or_default();
    if let Some(members) = login.as_object_mut() {
        members.remove("requestId");
        if is_named {
            members.insert("requestId".to_owned(), format!("figures-{number}").into());
        }
    }
    login
}
