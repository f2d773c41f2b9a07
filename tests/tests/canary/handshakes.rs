//! Endpoints that are to show that they want to hear of anybody. Whoever knows a challenge can speak
//! for its endpoint: neither it nor its echo may be seen, whether there is one or not.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::verification::{CHALLENGE_TYPE, WEBHOOK_CHALLENGE_TYPE};
use local::samples::row;
use local::target::Signer;
use serde_json::{Value, json};
use testkit::canary::Canary;
use testkit::receiver::{Receiver, Reply, Request};

use crate::deliveries::{hostile, is};
use crate::logins;
use crate::postings::queued_of;
use crate::stack::{Item, Stack, s};
use crate::words::{ENDPOINT_PASSWORD, ENDPOINT_QUERY, ENDPOINT_USER};

const SCOPE: &str = "PROPERTY#canary-handshakes";

/// What was sent as a challenge, to be looked for.
pub(crate) async fn play(stack: &Stack) -> Vec<Canary> {
    let receiver = Receiver::start().await;
    let keys = stack.key_set().await;
    receiver.script("/echoes", [hostile(200).echoing(&keys)]);
    receiver.script("/asked", [hostile(200).echoing(&keys)]);
    for (path, status) in [("/silent", 200), ("/refuses", 403), ("/webhook", 200)] {
        receiver.script(path, [hostile(status)]);
    }
    for (id, format) in [("silent", "set"), ("refuses", "set"), ("webhook", "standard_webhooks")] {
        subscribe(stack, id, &at(&receiver, &format!("/{id}")), format).await;
    }
    let forbidden =
        format!("https://{ENDPOINT_USER}:{ENDPOINT_PASSWORD}@h.example.com/?{ENDPOINT_QUERY}");
    subscribe(stack, "forbidden", &forbidden, "set").await;
    subscribe(stack, "echoes", &at(&receiver, "/echoes"), "set").await;
    stack.hand_over("events", &queued_of(SCOPE, "greeted")).await;
    for (id, reason) in [
        ("silent", "exhausted:endpoint_unverified"),
        ("webhook", "exhausted:endpoint_unverified"),
        ("refuses", "exhausted:http_403"),
        ("forbidden", "egress_blocked"),
    ] {
        stack.until(reason, |items| items.iter().any(|item| is(item, id, reason))).await;
    }
    before_a_login(stack, &receiver).await;

    let rows = stack.scan("subscriptions").await;
    let is_verified =
        |id: &str| rows.iter().any(|row| is_row(row, id) && row.contains_key("verifiedEndpoint"));
    assert!(is_verified("echoes"), "its echo was not heard");
    assert!(!is_verified("silent") && !is_verified("webhook"));
    let mut canaries = Vec::new();
    for challenge in receiver.requests().iter().filter_map(challenge) {
        let octets = URL_SAFE_NO_PAD.decode(&challenge).expect("base64url");
        canaries.push(Canary::new("challenge", challenge));
        canaries.push(Canary::new("challenge", octets));
    }
    assert_eq!(canaries.len(), 10, "five endpoints were asked");
    canaries
}

fn at(receiver: &Receiver, path: &str) -> String {
    format!("{}?token={ENDPOINT_QUERY}", receiver.url(path))
}

fn is_row(row: &Item, id: &str) -> bool {
    row.get("sk") == Some(&s(format!("SUBSCRIPTION#{id}")))
}

async fn subscribe(stack: &Stack, id: &str, endpoint: &str, format: &str) {
    let mut subscribed = row(SCOPE, id, "user_data_change", endpoint);
    let once = AttributeValue::N("1".to_owned());
    let retry = AttributeValue::M([("attemptsMax".to_owned(), once)].into());
    subscribed.insert("retry".to_owned(), retry);
    subscribed.insert("format".to_owned(), s(format));
    subscribed.insert("verification".to_owned(), s("required"));
    stack.put("subscriptions", subscribed).await;
}

/// A target that is asked about logins once it has echoed.
async fn before_a_login(stack: &Stack, receiver: &Receiver) {
    let signer = Signer::generate();
    receiver.script("/keys", [Reply::status(200).body(signer.key_set().to_owned())]);
    let client = "CLIENT#canary-handshakes";
    logins::subscribe(stack, client, "asked", receiver, "/asked", "/keys").await;
    let rows = stack.scan("subscriptions").await;
    let mut asked = rows.into_iter().find(|row| is_row(row, "asked")).expect("a row");
    asked.insert("verification".to_owned(), s("required"));
    stack.put("subscriptions", asked).await;
    logins::login(stack, "canary-handshakes").await;
    let requests = receiver.requests();
    let questions = requests.iter().filter(|it| it.path == "/asked" && challenge(it).is_none());
    assert_eq!(questions.count(), 1, "its echo was not heard");
}

/// The challenge that a request brings, in a token or in a standard webhook.
fn challenge(request: &Request) -> Option<String> {
    let body = std::str::from_utf8(&request.body).ok()?;
    if let Ok(webhook) = serde_json::from_str::<Value>(body) {
        let is_one = webhook["type"] == json!(WEBHOOK_CHALLENGE_TYPE);
        return is_one.then(|| webhook["data"]["challenge"].as_str().map(str::to_owned)).flatten();
    }
    let payload = URL_SAFE_NO_PAD.decode(body.split('.').nth(1)?).ok()?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    payload["events"][CHALLENGE_TYPE]["challenge"].as_str().map(str::to_owned)
}
