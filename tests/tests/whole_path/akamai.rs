//! Akamai Identity Cloud as a source: its tokens over real HTTP, its keys from a real server, its
//! events at the target.
//!
//! SQS is switched off where nothing may be sent: whatever tries is then answered 503.

use adapters::item::from_json;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::jose::Algorithm;
use local::aws::{Fault, Service};
use serde_json::{Value, json};
use testkit::akamai::{
    APPLICATION, ISSUED_AT_S, LISTENER, MEDIA_TYPE, PATH, SAMPLES, USER, claims, event, row,
    signer, token, token_of,
};
use testkit::answers::Signer;
use testkit::receiver::{Receiver, Reply};

use crate::support::{Answer, PATIENCE, Stack, arrived};

impl Stack {
    async fn put_source(&self, application: &str, row: &Value) {
        let key = [
            ("pk", format!("SOURCE#akamai_identity_cloud#{application}")),
            ("sk", "CONFIG".to_owned()),
        ];
        let key = key.map(|(name, text)| (name.to_owned(), AttributeValue::S(text)));
        let members = row.as_object().expect("an object").iter();
        let attributes = members.map(|(name, value)| (name.clone(), from_json(value)));
        self.put_row(attributes.chain(key)).await;
    }

    async fn post_token(&self, token: &str) -> Answer {
        self.post(PATH, MEDIA_TYPE, token).await
    }

    fn down(&self, service: Service) {
        self.local.aws().faults().set(Fault::Down(service));
    }

    fn up(&self) {
        self.local.aws().faults().clear_all();
    }
}

/// What a refusal says: status and code.
fn said(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["err"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn what_akamai_says_of_a_user_arrives_at_the_target() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    for (name, id) in &SAMPLES[..3] {
        let answer = stack.post_token(&token_of(&signer(), name, id)).await;
        assert_eq!((answer.status, &answer.body), (202, &json!("")), "{name}");
        let received = arrived(&mut news, &format!("aic_{id}")).await;
        let kind = format!("account/v1/{}", name.replace("entity", "user"));
        assert_eq!(received.event_type.as_deref(), Some(kind.as_str()));
        let payload = received.payload.expect("believed");
        assert_eq!(payload["toe"], ISSUED_AT_S - 2, "when it happened, long ago");
        let mut info = event(name, id);
        info.as_object_mut().expect("an object").remove("id");
        assert_eq!(
            payload["events"][kind],
            json!({"sub": USER, "propertyId": "demo-property", "dataSourceInfo": info})
        );
    }
    stack.stop().await;
}

#[tokio::test]
async fn a_test_of_the_listener_is_confirmed_and_nothing_comes_of_it() {
    let stack = Stack::start().await;
    stack.down(Service::Sqs);
    stack.down(Service::DynamoDb);
    let signed = token_of(&signer(), "test", "t1");
    let forged = format!("{}.AQID", signed.rsplit_once('.').expect("a signature").0);
    for token in [signed, forged] {
        let answer = stack.post_token(&token).await;
        assert_eq!((answer.status, answer.body), (202, json!("")));
    }
    stack.stop().await;
}

#[tokio::test]
async fn a33_a_token_that_comes_again_and_an_event_in_another_token_are_delivered_once() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    let token_with = |jti: &str| {
        let mut claims = claims(&json!({"entityUpdated": event("entityUpdated", "twice")}));
        claims["jti"] = jti.into();
        token(&signer(), &claims)
    };
    assert_eq!(stack.post_token(&token_with("n1")).await.status, 202);
    arrived(&mut news, "aic_twice").await;
    // Noted as sent by now or soon: a slow table may want it once more.
    let again = async {
        loop {
            stack.down(Service::Sqs);
            let same = stack.post_token(&token_with("n1")).await;
            let other = stack.post_token(&token_with("n2")).await;
            stack.up();
            if same.status == 202 && other.status == 202 {
                return [same.body, other.body];
            }
        }
    };
    let again = tokio::time::timeout(PATIENCE, again).await.expect("it is recognised");
    assert_eq!(again, [json!(""), json!("")]);
    let mut claims = claims(&json!({"entityUpdated": event("entityUpdated", "twice")}));
    claims["toe"] = (ISSUED_AT_S - 3).into();
    stack.down(Service::Sqs);
    let other_event = stack.post_token(&token(&signer(), &claims)).await;
    assert_eq!(said(&other_event), (400, "invalid_request"), "{}", other_event.body);
    assert!(news.try_recv().is_err(), "it was delivered twice");
    stack.stop().await;
}

#[tokio::test]
async fn what_is_nothing_for_us_is_confirmed() {
    let stack = Stack::start().await;
    stack.down(Service::Sqs);
    let mut profile = event("entityUpdated", "p1");
    profile["entityType"] = "profile".into();
    for events in [
        json!({"entityUpdated": profile}),
        json!({"sessionEnded": event("entityUpdated", "s1")}),
        json!({"sessionEnded": {"id": "s1"}}),
    ] {
        let answer = stack.post_token(&token(&signer(), &claims(&events))).await;
        assert_eq!((answer.status, answer.body), (202, json!("")), "{events}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn an_application_that_is_not_configured_and_one_that_is_switched_off_are_told_the_same() {
    let stack = Stack::start().await;
    let token_of_application = |application: &str| {
        let mut event = event("entityUpdated", "e1");
        event["captureApplicationId"] = application.into();
        token(&signer(), &claims(&json!({ "entityUpdated": event })))
    };
    let mut off = row(&signer().jwks());
    off["enabled"] = false.into();
    stack.put_source("switched-off", &off).await;
    stack.put_source("makes-no-sense", &json!({"enabled": true})).await;
    stack.down(Service::Sqs);
    let unknown = stack.post_token(&token_of_application("unknown")).await;
    let switched_off = stack.post_token(&token_of_application("switched-off")).await;
    assert_eq!(said(&unknown), (400, "access_denied"));
    assert_eq!(said(&switched_off), (400, "access_denied"));
    assert_eq!(unknown.body, switched_off.body);
    assert_eq!(unknown.headers["content-language"], "en");
    assert_eq!(unknown.headers["content-type"], "application/json");
    // The operator's mistake is ours: the event comes again.
    let answer = stack.post_token(&token_of_application("makes-no-sense")).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "2");
    stack.stop().await;
}

#[tokio::test]
async fn f03_our_trouble_is_a_503_and_the_token_comes_again() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    let token = token_of(&signer(), "entityCreated", "again");
    for service in [Service::DynamoDb, Service::Sqs] {
        stack.down(service);
        let answer = stack.post_token(&token).await;
        assert_eq!(
            (answer.status, &answer.headers["retry-after"]),
            (503, &"2".parse().expect("2"))
        );
        stack.up();
    }
    assert_eq!(stack.post_token(&token).await.status, 202);
    arrived(&mut news, "aic_again").await;
    stack.stop().await;
}

#[tokio::test]
async fn f25_akamai_may_change_its_keys_and_a_stranger_may_not_have_them_fetched() {
    let stack = Stack::start().await;
    let host = Receiver::start().await;
    let [first, second, third] = ["k1", "k2", "k3"].map(|kid| Signer::new(Algorithm::Rs256, kid));
    let serving = |signers: &[&Signer]| {
        let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
        let keys = json!({ "keys": keys }).to_string();
        Reply::status(200).header("content-type", "application/json").body(keys)
    };
    host.script(
        "/login/jwk",
        [serving(&[&first]), serving(&[&first, &second]), serving(&[&third])],
    );
    let mut uri = row(&Value::Null);
    uri["jwksUri"] = host.url("/login/jwk").into();
    stack.put_source(APPLICATION, &uri).await;
    let signed_by = |signer: &Signer, kid: &str, id: &str| {
        let header = json!({"typ": "secevent+jwt", "alg": "RS256", "kid": kid,
            "jku": host.url("/attacker")});
        let events = json!({"entityUpdated": event("entityUpdated", id)});
        signer.sign_text(&header.to_string(), claims(&events).to_string().as_bytes())
    };
    for (signer, kid, status, fetched) in [
        (&first, "k1", 202, 1),
        (&first, "k1", 202, 1),
        // A new key, a moment later: fetched at once …
        (&second, "k2", 202, 2),
        // … and then not again for 30 seconds, whatever is named.
        (&third, "k3", 400, 2),
        (&first, "forged", 400, 2),
        (&first, "k2", 400, 2),
        (&first, "k1", 202, 2),
    ] {
        let id = format!("{kid}-{fetched}-{status}");
        let answer = stack.post_token(&signed_by(signer, kid, &id)).await;
        assert_eq!(answer.status, status, "{kid}: {}", answer.body);
        assert_eq!(host.requests().len(), fetched, "{kid}");
        assert!(host.requests().iter().all(|request| request.path == "/login/jwk"));
    }
    stack.stop().await;
}

#[tokio::test]
async fn f25_a_key_set_that_cannot_be_had_is_a_503() {
    let stack = Stack::start().await;
    let host = Receiver::start().await;
    host.script("/down", [Reply::status(500)]);
    host.script("/html", [Reply::status(200).header("content-type", "text/html").body("<p>")]);
    for uri in [
        host.url("/down"),
        host.url("/html"),
        "http://192.0.2.1/keys".to_owned(),
        "https://10.0.0.1/keys".to_owned(),
        "https://user@hooks.example.com/keys".to_owned(),
    ] {
        let mut source = row(&Value::Null);
        source["jwksUri"] = uri.as_str().into();
        stack.put_source(APPLICATION, &source).await;
        let answer = stack.post_token(&token_of(&signer(), "entityUpdated", "e1")).await;
        assert_eq!(
            (answer.status, &answer.headers["retry-after"]),
            (503, &"2".parse().expect("2")),
            "{uri}"
        );
        assert!(!answer.body.to_string().contains("key"), "{}", answer.body);
    }
    stack.stop().await;
}

#[tokio::test]
async fn a61_where_a_row_does_not_say_how_the_listener_is_registered_the_url_called_is_meant() {
    let stack = Stack::start().await;
    let mut silent = row(&signer().jwks());
    silent.as_object_mut().expect("an object").remove("audience");
    stack.put_source(APPLICATION, &silent).await;
    let for_url = |aud: &str, id: &str| {
        let mut claims = claims(&json!({"entityUpdated": event("entityUpdated", id)}));
        claims["aud"] = json!([aud]);
        token(&signer(), &claims)
    };
    let called = stack.local.api_url().replace("http:", "https:") + PATH;
    assert_eq!(stack.post_token(&for_url(&called, "e1")).await.status, 202);
    stack.down(Service::Sqs);
    let answer = stack.post_token(&for_url(LISTENER, "e2")).await;
    assert_eq!(said(&answer), (400, "invalid_audience"));
    stack.stop().await;
}
