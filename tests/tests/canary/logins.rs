//! Logins: what journeys ask, what targets answer, and every way in which either is refused.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use local::functions::Name;
use local::samples::{LOGINS, row};
use local::target::Signer;
use serde_json::{Value, json};
use testkit::receiver::{Receiver, Reply};

use crate::deliveries::hostile;
use crate::postings::with_canaries;
use crate::stack::{Stack, s};
use crate::words::{
    ANSWER, CLAIM, CLAIM_NAME, ENDPOINT_QUERY, KEY_SET, KEY_SET_QUERY, MALFORMED, ROW, SUB,
};

const ISSUER: &str = "https://target.example.com";

pub(crate) async fn play(stack: &Stack) {
    refused(stack).await;
    let (receiver, signer) = (Receiver::start().await, Signer::generate());
    receiver.script("/keys", [Reply::status(200).body(signer.key_set().to_owned())]);
    receiver.script("/no-keys", [Reply::status(200).body(format!(r#"{{"keys":"{KEY_SET}"}}"#))]);
    receiver.script("/no-json", [Reply::status(200).body(KEY_SET)]);
    for sample in LOGINS {
        stack.post("/v1/enrich/login", "application/json", with_canaries(sample.body)).await;
    }
    for (number, reply) in answers(&signer).into_iter().enumerate() {
        let path = format!("/answer-{number}");
        receiver.script(&path, [reply]);
        subscribe(stack, &format!("CLIENT#c{number}"), "only", &receiver, &path, "/keys").await;
        login(stack, &format!("c{number}")).await;
    }
    let good = Reply::status(200).body(signed(&signer, &json!({"claim": CLAIM})));
    receiver.script("/good", [good]);
    for keys in ["/no-keys", "/no-json", "/nothing"] {
        subscribe(stack, &format!("CLIENT#of{keys}"), "only", &receiver, "/good", keys).await;
        login(stack, &format!("of{keys}")).await;
    }
    conflict(stack, &receiver, &signer).await;
    let mut unreadable = row("CLIENT#odd", "odd", "enrich", &format!("https://{ROW}.example/"));
    unreadable.insert("response".to_owned(), s(ROW));
    stack.put("subscriptions", unreadable).await;
    login(stack, "odd").await;
}

/// Two targets set a claim differently; who asked is told its name, and the log is not.
async fn conflict(stack: &Stack, receiver: &Receiver, signer: &Signer) {
    for (id, value) in [("one", CLAIM.to_owned()), ("two", format!("{CLAIM}2"))] {
        let path = format!("/conflict-{id}");
        let answer = signed(signer, &json!({CLAIM_NAME: value}));
        receiver.script(&path, [Reply::status(200).body(answer)]);
        subscribe(stack, "CLIENT#conflict", id, receiver, &path, "/keys").await;
    }
    let answered = login(stack, "conflict").await;
    assert_eq!(answered["custom_claims"][CLAIM_NAME], CLAIM, "{answered}");
    assert_eq!(answered["reasons"], json!([format!("claim_conflict:{CLAIM_NAME}")]));
}

/// Replies that say something that must not be quoted.
fn answers(signer: &Signer) -> Vec<Reply> {
    let proven = signed(signer, &json!({}));
    let (head, _) = proven.rsplit_once('.').expect("three parts");
    let stranger = Signer::generate();
    let body = |text: String| Reply::status(200).body(text);
    vec![
        hostile(200),
        hostile(302),
        hostile(500),
        body(ANSWER.to_owned()),
        body(format!("{ANSWER}.{ANSWER}.{ANSWER}")),
        body(format!("{head}.{ANSWER}")),
        body(signed(&stranger, &json!({"claim": ANSWER}))),
        body(signed(signer, &json!({"sub": ANSWER}))),
        body(signed(signer, &json!({"claim": {"deep": ANSWER}}))),
        body(signer.sign(&json!({"iss": ANSWER, "iat": 1, "action": "allow"}))),
        body(signer.sign(&json!({"iss": ISSUER, "iat": now_s(), "action": ANSWER}))),
        body(signer.sign(&json!({
            "iss": ISSUER, "iat": now_s(), "action": "allow", "more": ANSWER,
        }))),
        Reply::status(200).header("content-type", ANSWER).body(proven),
    ]
}

fn now_s() -> u64 {
    adapters::clock::now().as_s()
}

pub(crate) fn signed(signer: &Signer, claims: &Value) -> String {
    signer.sign(&json!({
        "iss": ISSUER, "iat": now_s(), "action": "allow", "custom_claims": claims,
    }))
}

pub(crate) async fn subscribe(
    stack: &Stack,
    scope: &str,
    id: &str,
    receiver: &Receiver,
    path: &str,
    keys: &str,
) {
    let endpoint = format!("{}?token={ENDPOINT_QUERY}", receiver.url(path));
    let mut subscribed = row(scope, id, "enrich", &endpoint);
    let jwks_uri = format!("{}?token={KEY_SET_QUERY}", receiver.url(keys));
    let response = [
        ("issuer", ISSUER),
        ("jwksUri", &jwks_uri),
        ("alg", "ES256"),
        // A script cannot repeat a question's `jti`.
        ("binding", "optional"),
    ];
    let response: HashMap<_, _> =
        response.into_iter().map(|(name, value)| (name.to_owned(), s(value))).collect();
    subscribed.insert("response".to_owned(), AttributeValue::M(response));
    stack.put("subscriptions", subscribed).await;
}

/// Asks about a login of this client.
pub(crate) async fn login(stack: &Stack, client: &str) -> Value {
    let mut login: Value = serde_json::from_str(&with_canaries(LOGINS[0].body)).expect("a sample");
    login["clientId"] = json!(client);
    let (status, said) = stack.post_json("/v1/enrich/login", &login).await;
    assert_eq!(status, 200, "{said}");
    serde_json::from_str(&said).expect("a decision")
}

async fn refused(stack: &Stack) {
    for (status, body) in [
        (400, MALFORMED.to_owned()),
        (400, format!(r#"{{"clientId":"{MALFORMED}","clientId":"{MALFORMED}"}}"#)),
        (422, json!(MALFORMED).to_string()),
        (422, json!({"clientId": [MALFORMED], "sub": SUB}).to_string()),
        (422, json!({"clientId": "c", "sub": [MALFORMED], "data": MALFORMED}).to_string()),
        (422, json!({"clientId": "c", "sub": SUB, "deadline": MALFORMED}).to_string()),
        (422, json!({"clientId": "c", "sub": SUB, "data": {"sub": MALFORMED}}).to_string()),
        (422, json!({"clientId": "c", "sub": SUB, "more": MALFORMED}).to_string()),
    ] {
        let (answered, said) =
            stack.post("/v1/enrich/login", "application/json", body.clone()).await;
        assert_eq!(answered, status, "{body}: {said}");
    }
    let (status, _) = stack.post("/v1/enrich/login", MALFORMED, "{}").await;
    assert_eq!(status, 415);
    stack.invoke(Name::Enrich, json!({"clientId": [MALFORMED], "sub": MALFORMED.repeat(30)})).await;
    stack.invoke(Name::Enrich, json!(MALFORMED)).await;
}
