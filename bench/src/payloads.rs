//! What the functions are invoked with.

use serde_json::{Value, json};

/// What the benches' user data change events are about.
pub const PROPERTY: &str = "bench";

/// An event as posted, of so many bytes of JSON.
#[must_use]
pub fn event(id: &str, property: &str, bytes: usize) -> Value {
    let sized = |filling: &str| {
        json!({
            "id": id, "type": "userUpdated", "propertyId": property,
            "sub": "6f1c1f0e-2b8a-4f7e-9c1d-3a5b7e9d1f20",
            "data": {"dataSourceInfo": {"attributes": ["email", "givenName"]}, "filling": filling},
        })
    };
    let bare = sized("").to_string().len();
    sized(&"x".repeat(bytes.saturating_sub(bare)))
}

/// An HTTP API's payload (format 2.0) around a body, with the headers that API Gateway adds.
#[must_use]
pub fn http(body: &str) -> String {
    let body = Value::from(body);
    let (head, tail) = HTTP.split_once("@body@").unwrap_or((HTTP, ""));
    format!("{head}{body}{tail}")
}

const HTTP: &str = r#"{"version":"2.0","routeKey":"POST /v1/events","rawPath":"/v1/events","rawQueryString":"","headers":{"accept":"*/*","accept-encoding":"gzip, deflate","authorization":"AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20261123/us-east-1/execute-api/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=67d67ab0f5d8a4d4e1d0b0a3c1b0d7a3a1b8c1b0d7a3a1b8c1b0d7a3a1b8c1b0","content-length":"1024","content-type":"application/json","host":"hooks.example.com","user-agent":"identity-platform/4.2","x-amz-date":"20261123T100000Z","x-amzn-trace-id":"Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e","x-forwarded-for":"198.51.100.10","x-forwarded-port":"443","x-forwarded-proto":"https"},"requestContext":{"accountId":"123456789012","apiId":"abcdefghij","authentication":null,"authorizer":{"iam":{"accessKey":"ASIAIOSFODNN7EXAMPLE","accountId":"123456789012","callerId":"AROAEXAMPLE:platform","cognitoIdentity":null,"principalOrgId":"o-exampleorgid","userArn":"arn:aws:sts::123456789012:assumed-role/platform/platform","userId":"AROAEXAMPLE:platform"}},"domainName":"hooks.example.com","domainPrefix":"hooks","http":{"method":"POST","path":"/v1/events","protocol":"HTTP/1.1","sourceIp":"198.51.100.10","userAgent":"identity-platform/4.2"},"requestId":"JKJaXmPLvHcESHA=","routeKey":"POST /v1/events","stage":"$default","time":"23/Nov/2026:10:00:00 +0000","timeEpoch":1795428000000},"body":@body@,"isBase64Encoded":false}"#;

/// A posting of so many events, the first of which has this number.
#[must_use]
pub fn posting(first: usize, events: usize, property: &str, bytes: usize) -> String {
    let event = |number: usize| event(&format!("b{number}"), property, bytes);
    let events: Vec<Value> = (first..first + events).map(event).collect();
    match events.as_slice() {
        [one] => one.to_string(),
        many => Value::from(many).to_string(),
    }
}

/// A message of the events queue with one event.
#[must_use]
pub fn message(number: usize, property: &str, bytes: usize) -> String {
    let mut event = event(&format!("b{number}"), property, bytes);
    event["source"] = "next_identity".into();
    event["occurredAt"] = 1_795_428_000_000_u64.into();
    event["acceptedAt"] = 1_795_428_000_250_u64.into();
    event["scope"] = format!("PROPERTY#{property}").into();
    json!({"EventsV1": {"events": [event]}}).to_string()
}

/// A login by a direct Invoke.
#[must_use]
pub fn login(client: &str) -> String {
    json!({
        "clientId": client, "sub": "6f1c1f0e-2b8a-4f7e-9c1d-3a5b7e9d1f20",
        "data": {
            "ip": "198.51.100.10", "userAgent": "Mozilla/5.0", "authMethod": "password",
            "user": {"email": "someone@example.com", "givenName": "Some", "familyName": "One"},
        },
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_size_and_the_payload_is_json() {
        assert_eq!(event("b1", "bench", 1_024).to_string().len(), 1_024);
        let posted: Value = serde_json::from_str(&http(&posting(5, 2, "p", 512))).expect("JSON");
        let body: Value =
            serde_json::from_str(posted["body"].as_str().expect("text")).expect("JSON");
        assert_eq!((body[0]["id"].as_str(), body[1]["id"].as_str()), (Some("b5"), Some("b6")));
        let one: Value = serde_json::from_str(&posting(1, 1, "p", 512)).expect("JSON");
        assert_eq!(one["propertyId"], "p");
    }
}
