//! Rows as they are read, and as they are refused.

use super::*;
use crate::id::PropertyId;
use serde_json::json;

fn property() -> Scope {
    Scope::Property(PropertyId::parse("p1").expect("valid"))
}

pub(super) fn read(patch: &Value) -> Result<Subscription, String> {
    let mut row = json!({
        "pk": "PROPERTY#p1", "sk": "SUBSCRIPTION#s1", "category": "user_data_change",
        "endpoint": "https://target.example.com/hook", "enabled": true,
    });
    let object = row.as_object_mut().expect("an object");
    for (name, value) in patch.as_object().expect("an object") {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    Subscription::read(&property(), object.clone(), &EventTypeNames::default())
        .map_err(|problem| problem.to_string())
}

#[test]
fn a_plain_row_is_read_with_the_documented_defaults() {
    let subscription = read(&json!({})).expect("readable");
    assert_eq!(subscription.retry, RetryPolicy { timeout_ms: 5_000, attempts_max: None });
    assert_eq!(subscription.event_types, None);
    assert!(read(&json!({"description": "mine", "createdBy": "me"})).is_ok());
}

#[test]
fn a_row_that_does_not_parse_says_which_attribute_and_shows_no_value() {
    for (patch, said) in [
        (
            json!({"sk": "SUB#1"}),
            "attribute sk: expected SUBSCRIPTION# and 1 to 64 of A-Z, a-z, 0-9, '_' and '-'",
        ),
        (
            json!({"category": "users"}),
            "attribute category: expected user_data_change, transactional_email or enrich",
        ),
        (
            json!({"category": "enrich"}),
            "attribute category: expected user_data_change under PROPERTY#, the others under CLIENT#",
        ),
        (json!({"endpoint": null}), "attribute endpoint: expected a string"),
        (json!({"endpoint": 7}), "attribute endpoint: expected a string"),
        (json!({"enabled": "yes"}), "attribute enabled: expected a boolean"),
        (json!({"enabled": null}), "attribute enabled: expected a boolean"),
        (
            json!({"eventTypes": ["login"]}),
            "attribute eventTypes: expected one or more event types of the row's category",
        ),
        (
            json!({"eventTypes": []}),
            "attribute eventTypes: expected one or more event types of the row's category",
        ),
        (
            json!({"retry": {"timeoutMs": 60_000}}),
            "attribute retry.timeoutMs: expected 500 to 15,000",
        ),
        (json!({"retry": []}), "attribute retry: expected a map"),
        (json!({"signingAlg": "HS256"}), "attribute signingAlg: expected ES256, RS256 or EdDSA"),
        (json!({"format": "xml"}), "attribute format: expected set or standard_webhooks"),
        (
            json!({"encryptionJwkUri": "https://t.example.com/jwks"}),
            "attribute encryptionJwksUri: expected a value under exactly this name, or nothing",
        ),
        (
            json!({"Fields": ["ip"]}),
            "attribute fields: expected a value under exactly this name, or nothing",
        ),
        (json!({"webhookSecrets": {}}), "attribute webhookSecrets: expected a list of maps"),
        (
            json!({"encryptionJwk": {"kty": "EC"}}),
            "attribute encryptionJwk: expected kty EC with crv P-256, or kty RSA",
        ),
    ] {
        assert_eq!(read(&patch).err().as_deref(), Some(said), "{patch}");
    }
}

#[test]
fn unreadable_rows_fail_no_neighbour() {
    let good = |id: &str| {
        json!({
            "sk": format!("SUBSCRIPTION#{id}"), "category": "user_data_change",
            "endpoint": "https://t.example/", "enabled": true,
        })
    };
    let rows = [good("b"), json!({"sk": "SUBSCRIPTION#x"}), good("a")];
    let rows = rows.into_iter().map(|row| row.as_object().expect("an object").clone());
    let read = Subscriptions::read(&property(), rows, &EventTypeNames::default());
    let ids: Vec<_> = read.readable.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(read.unreadable.len(), 1);
    assert_eq!(read.unreadable[0].sort_key, "SUBSCRIPTION#x");
}
