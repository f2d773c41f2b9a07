//! Targets with a private key: what they get, they alone can read, and what is in it verifies as any
//! notification does.

use aws_sdk_dynamodb::types::AttributeValue;
use local::functions::Name;
use local::samples::{PROPERTY, row};
use local::target::Verifier;
use serde_json::{Value, json};
use testkit::receiver::{Receiver, Reply, Request};
use testkit::recipient::Recipient;

use crate::login_target::{CLIENT, LoginTarget};
use crate::support::{Stack, batch, events_message};

fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A JWK as an attribute of a row.
fn map(jwk: &Value) -> AttributeValue {
    let member = |(name, value): (&String, &Value)| {
        (name.clone(), s(value.as_str().expect("a member is text")))
    };
    AttributeValue::M(jwk.as_object().expect("an object").iter().map(member).collect())
}

/// A target that serves key sets, and is subscribed under an ID with one more attribute.
async fn subscribed(stack: &Stack, id: &str, attribute: &str, value: AttributeValue) -> Receiver {
    let receiver = Receiver::start().await;
    let mut row = row(PROPERTY, id, "user_data_change", &receiver.url("/hook"));
    row.insert(attribute.to_owned(), value);
    stack.put_row(row).await;
    receiver
}

fn posts(receiver: &Receiver) -> Vec<Request> {
    receiver.requests().into_iter().filter(|request| request.path == "/hook").collect()
}

fn key_set(keys: &[Value]) -> Reply {
    Reply::status(200).body(json!({ "keys": keys }).to_string())
}

/// Hands one event to the delivery function, which settles it.
async fn deliver(stack: &Stack, event: &str) {
    let answer = stack.invoke(Name::Delivery, batch("events", &[events_message(event)])).await;
    assert_eq!(answer.expect("an answer"), json!({"batchItemFailures": []}));
}

/// Opens a post with the target's key, and verifies the token in it by the published key set.
async fn verified(stack: &Stack, recipient: &Recipient, post: &Request, audience: &str) -> Value {
    assert_eq!(post.header("content-type"), Some("application/secevent+jwt"));
    let body = std::str::from_utf8(&post.body).expect("text");
    let opened = recipient.open(body).expect("it opens with the target's key");
    assert_eq!(opened.header["alg"], "ECDH-ES+A256KW");
    assert_eq!(opened.header["enc"], "A256GCM");
    assert_eq!(opened.header["cty"], "secevent+jwt");
    assert_eq!(opened.header["kid"], recipient.jwk()["kid"]);
    let jwks_url = format!("{}/.well-known/jwks.json", stack.local.api_url());
    let verifier = Verifier::new(jwks_url, stack.local.functions().issuer().to_owned());
    let token = verifier.verify(&opened.content, audience).await;
    token.unwrap_or_else(|refused| unreachable!("{refused}")).payload
}

#[tokio::test]
async fn a_target_with_a_key_gets_what_it_alone_can_open_and_then_verifies() {
    let stack = Stack::start().await;
    let recipient = Recipient::new("mine");
    let pinned = subscribed(&stack, "pinned", "encryptionJwk", map(&recipient.jwk())).await;
    let keys = Receiver::start().await;
    keys.script("/jwks.json", [key_set(&[recipient.jwk()])]);
    let uri = s(keys.url("/jwks.json"));
    let fetched = subscribed(&stack, "fetched", "encryptionJwksUri", uri).await;
    for event in ["e1", "e2"] {
        deliver(&stack, event).await;
    }
    for target in [&pinned, &fetched] {
        let posts = posts(target);
        assert_eq!(posts.len(), 2);
        for (post, event) in posts.iter().zip(["e1", "e2"]) {
            let payload = verified(&stack, &recipient, post, &target.url("/hook")).await;
            assert_eq!(payload["jti"], event);
            assert!(
                Recipient::new("mine")
                    .open(std::str::from_utf8(&post.body).expect("text"))
                    .is_none()
            );
        }
    }
    assert_eq!(keys.requests().len(), 1, "the key set is remembered");
    stack.stop().await;
}

#[tokio::test]
async fn a71_without_a_key_that_can_be_used_no_byte_reaches_the_target() {
    let stack = Stack::start().await;
    let good = Recipient::new("mine").jwk();
    let but = |name: &str, value: &Value| {
        let mut jwk = good.clone();
        jwk[name] = value.clone();
        jwk
    };
    let keys = Receiver::start().await;
    let unusable = [but("d", &good["x"]), but("y", &good["x"]), but("use", &json!("sig"))];
    keys.script("/unusable", [key_set(&unusable)]);
    keys.script("/down", [Reply::status(503)]);
    keys.script("/html", [Reply::status(200).header("content-type", "text/html").body("<html>")]);
    let uri = "encryptionJwksUri";
    let targets = [
        subscribed(&stack, "private", "encryptionJwk", map(&unusable[0])).await,
        subscribed(&stack, "off-curve", "encryptionJwk", map(&unusable[1])).await,
        subscribed(&stack, "no-map", "encryptionJwk", s(good.to_string())).await,
        subscribed(&stack, "unusable", uri, s(keys.url("/unusable"))).await,
        subscribed(&stack, "forbidden", uri, s("https://10.0.0.1/jwks.json")).await,
        subscribed(&stack, "down", uri, s(keys.url("/down"))).await,
        subscribed(&stack, "html", uri, s(keys.url("/html"))).await,
    ];
    deliver(&stack, "e1").await;
    let mut books: Vec<(String, String)> = stack
        .ledger()
        .await
        .iter()
        .map(|item| {
            let text = |name| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok());
            let why = text("reason").or(text("lastOutcome")).expect("a code").clone();
            (text("subscriptionId").expect("an ID").clone(), why)
        })
        .collect();
    books.sort();
    // Of the rows that cannot be read the log speaks, and nobody else.
    let expected = [
        ("down", "encryption_key_unavailable"),
        ("forbidden", "encryption_key_unusable"),
        ("html", "encryption_key_unavailable"),
        ("unusable", "encryption_key_unusable"),
    ];
    assert_eq!(books, expected.map(|(id, why)| (id.to_owned(), why.to_owned())));
    for target in &targets {
        assert_eq!(target.requests().len(), 0);
    }
    stack.stop().await;
}

#[tokio::test]
async fn a_login_is_asked_about_in_what_the_target_alone_can_open_or_is_challenged() {
    let stack = Stack::start().await;
    let target = LoginTarget::start(&stack).await;
    target.decides([target.says("allow", &json!({"tier": "gold"}))]);
    let recipient = Recipient::new("mine");
    stack.put_row(target.row(&[("encryptionJwk", map(&recipient.jwk()))])).await;
    let login = json!({"clientId": CLIENT, "sub": "u1"});
    let decision = stack.invoke(Name::Enrich, login.clone()).await.expect("a decision");
    assert_eq!(decision["action"], "allow", "{decision}");
    let requests = target.receiver.requests();
    let asked = requests.iter().find(|request| request.path == "/decide").expect("asked");
    let payload = verified(&stack, &recipient, asked, &target.receiver.url("/decide")).await;
    assert_eq!(payload["events"]["account/v1/login"]["sub"], "u1");
    stack.stop().await;

    let stack = Stack::start().await;
    let target = LoginTarget::start(&stack).await;
    target.decides([target.says("allow", &json!({}))]);
    let without = [("encryptionJwksUri", s(target.receiver.url("/jwks.json")))];
    stack.put_row(target.row(&without)).await;
    let decision = stack.invoke(Name::Enrich, login).await.expect("a decision");
    assert_eq!(decision["action"], "challenge", "its policy would allow: {decision}");
    assert_eq!(decision["reasons"], json!(["encryption_key_unusable"]));
    assert_eq!(target.asked(), 0);
    stack.stop().await;
}
