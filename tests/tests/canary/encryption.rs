//! Targets that are encrypted to, and rows and key sets with keys that may not be used. Nothing of a
//! key, of its URL's query, or of what is encrypted may be seen; and what a target gets, whoever
//! looks on cannot read.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use local::samples::{PROPERTY, row};
use serde_json::{Value, json};
use testkit::canary::sightings;
use testkit::receiver::{Receiver, Reply};
use testkit::recipient::Recipient;

use crate::deliveries::{hostile, is};
use crate::postings::queued;
use crate::stack::{Stack, s};
use crate::words::{self, DATUM, ENDPOINT_QUERY, KEY_SET, KEY_SET_QUERY, ROW};

/// A JWK as an attribute of a row.
fn map(jwk: &Value) -> AttributeValue {
    let member =
        |(name, value): (&String, &Value)| (name.clone(), s(value.as_str().expect("text")));
    let members: HashMap<_, _> = jwk.as_object().expect("an object").iter().map(member).collect();
    AttributeValue::M(members)
}

pub(crate) async fn play(stack: &Stack) {
    let (receiver, recipient) = (Receiver::start().await, Recipient::new("mine"));
    let keys = |keys: Value| Reply::status(200).body(json!({ "keys": keys }).to_string());
    let mut private = recipient.jwk();
    private["d"] = KEY_SET.into();
    receiver.script("/keys", [keys(json!([recipient.jwk()]))]);
    receiver.script("/private", [keys(json!([private, KEY_SET]))]);
    receiver.script("/no-json", [Reply::status(200).body(KEY_SET)]);
    receiver.script("/keys-down", [hostile(503).body(KEY_SET)]);
    receiver.script("/enc-refused", [hostile(400)]);
    let uri = |path| s(format!("{}?token={KEY_SET_QUERY}", receiver.url(path)));
    let mut pinned_private = recipient.jwk();
    pinned_private["d"] = ROW.into();
    for (id, name, value) in [
        ("enc-pinned", "encryptionJwk", map(&recipient.jwk())),
        ("enc-fetched", "encryptionJwksUri", uri("/keys")),
        ("enc-private", "encryptionJwksUri", uri("/private")),
        ("enc-no-json", "encryptionJwksUri", uri("/no-json")),
        ("enc-refused", "encryptionJwk", map(&recipient.jwk())),
        ("enc-keys-down", "encryptionJwksUri", uri("/keys-down")),
        ("enc-bad-row", "encryptionJwk", map(&pinned_private)),
        ("enc-bad-uri", "encryptionJwksUri", s(format!("https://h.internal/?{KEY_SET_QUERY}"))),
    ] {
        let endpoint = format!("{}?token={ENDPOINT_QUERY}", receiver.url(&format!("/{id}")));
        let mut subscribed = row(PROPERTY, id, "user_data_change", &endpoint);
        subscribed.insert(name.to_owned(), value);
        let once = AttributeValue::N("1".to_owned());
        let retry = AttributeValue::M(HashMap::from([("attemptsMax".to_owned(), once)]));
        subscribed.insert("retry".to_owned(), retry);
        stack.put("subscriptions", subscribed).await;
    }
    stack.hand_over("events", &queued("sealed")).await;
    for (id, reason) in [
        ("enc-private", "encryption_key_unusable"),
        ("enc-no-json", "exhausted:encryption_key_unavailable"),
        ("enc-bad-uri", "encryption_key_unusable"),
        ("enc-refused", "exhausted:http_400"),
        ("enc-keys-down", "exhausted:encryption_key_unavailable"),
    ] {
        stack.until(id, |items| items.iter().any(|item| is(item, id, reason))).await;
    }
    let requests = receiver.requests();
    let sent: Vec<_> =
        requests.iter().filter(|request| request.path.starts_with("/enc-")).collect();
    assert_eq!(sent.len(), 3, "to the pinned and the fetched key, and once refused");
    for request in sent {
        let body = std::str::from_utf8(&request.body).expect("text");
        let opened = recipient.open(body).expect("it opens");
        assert!(opened.payload().to_string().contains(DATUM), "it was under way");
        assert_eq!(sightings(&words::all(), body), Vec::<String>::new());
    }
}
