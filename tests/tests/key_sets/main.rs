//! Targets' key sets as they are fetched: from a real server that answers by script.

use std::sync::Arc;

use adapters::clock;
use adapters::key_sets::{KeySets, NotHad};
use adapters::targets::Targets;
use domain::egress::{EgressPolicy, GuardedUrl};
use domain::jose::{Algorithm, KeySet, WantedKey};
use domain::limits::{KEY_SET_FETCH_MS, KEY_SET_KEYS_MAX};
use domain::time::Deadline;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::receiver::{Gate, Receiver, Reply};

const LOOPBACK: EgressPolicy = EgressPolicy::with_loopback_targets();

/// A login's time. No test waits for it to pass.
const LONG_MS: u64 = 20_000;

/// A server with a key set, and what remembers it.
struct Host {
    receiver: Receiver,
    key_sets: Arc<KeySets>,
    url: GuardedUrl,
}

impl Host {
    async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let receiver = Receiver::start().await;
        receiver.script("/jwks.json", replies);
        let url = GuardedUrl::judge(&receiver.url("/jwks.json"), LOOPBACK).expect("a loopback URL");
        let key_sets = Arc::new(KeySets::new(Targets::new(LOOPBACK).expect("a client")));
        Self { receiver, key_sets, url }
    }

    /// What a login is told that has this long for it.
    async fn look_for_within(&self, kid: &str, ms: u64) -> Result<Arc<KeySet>, NotHad> {
        let deadline = Deadline::at(clock::now().plus_ms(ms));
        self.key_sets.of(&self.url, wanted(kid), deadline).await
    }

    /// Whether a login with time enough finds the key.
    async fn finds(&self, kid: &str) -> Result<bool, NotHad> {
        let keys = self.look_for_within(kid, LONG_MS).await?;
        Ok(keys.find(Some(kid), Algorithm::Es256).is_some())
    }

    fn requests(&self) -> usize {
        self.receiver.requests().len()
    }
}

fn wanted(kid: &str) -> WantedKey<'_> {
    WantedKey { kid: Some(kid), algorithm: Algorithm::Es256 }
}

fn jwk(kid: &str) -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

/// A key set of these keys, as it should be served.
fn serving(kids: &[&str]) -> Reply {
    let keys: Vec<_> = kids.iter().map(|kid| jwk(kid)).collect();
    Reply::status(200)
        .header("content-type", "application/json")
        .body(json!({ "keys": keys }).to_string())
}

#[tokio::test]
async fn a_key_set_is_fetched_once_and_then_remembered() {
    let host = Host::start([serving(&["k1"])]).await;
    for _ in 0..10 {
        assert_eq!(host.finds("k1").await, Ok(true));
    }
    assert_eq!(host.requests(), 1);
    let request = &host.receiver.requests()[0];
    assert_eq!(request.header("accept"), Some("application/jwk-set+json, application/json"));
    let mut names: Vec<_> = request.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "host", "user-agent"], "nothing is said of whoever logs in");
}

#[tokio::test]
async fn f25_ten_thousand_first_logins_fetch_once() {
    let gate = Gate::closed();
    let host = Host::start([serving(&["k1"]).behind(&gate)]).await;
    let logins = join_all((0..10_000).map(|_| host.finds("k1")));
    let fetched = async {
        host.receiver.wait_for(1).await;
        gate.open();
    };
    let (found, ()) = tokio::join!(logins, fetched);
    assert!(found.iter().all(|found| *found == Ok(true)));
    assert_eq!(host.requests(), 1);
}

#[tokio::test]
async fn f25_a_new_key_costs_no_login() {
    let host = Host::start([serving(&["k1"]), serving(&["k1", "k2"]), serving(&["k3"])]).await;
    assert_eq!(host.finds("k1").await, Ok(true));
    // A moment later the target signs with another key: the set is a moment old.
    let found = join_all((0..100).map(|_| host.finds("k2"))).await;
    assert!(found.iter().all(|found| *found == Ok(true)));
    assert_eq!(host.requests(), 2);
    // The next one, within the same 30 seconds, has to wait for their end.
    assert_eq!(host.finds("k3").await, Ok(false));
    assert_eq!(host.finds("k1").await, Ok(true));
    assert_eq!(host.requests(), 2);
}

#[tokio::test]
async fn f25_keys_that_never_were_are_asked_for_once() {
    let host = Host::start([serving(&["k1"])]).await;
    assert_eq!(host.finds("k1").await, Ok(true));
    let kids: Vec<_> = (0..1_000).map(|n| format!("forged-{n}")).collect();
    let found = join_all(kids.iter().map(|kid| host.finds(kid))).await;
    assert!(found.iter().all(|found| *found == Ok(false)));
    assert_eq!(host.requests(), 2);
}

#[tokio::test]
async fn a_login_whose_key_is_at_hand_does_not_wait_for_another_s() {
    let gate = Gate::closed();
    let host = Host::start([serving(&["k1"]), serving(&["k1", "k2"]).behind(&gate)]).await;
    assert_eq!(host.finds("k1").await, Ok(true));
    let waiting = host.finds("k2");
    let others = async {
        host.receiver.wait_for(2).await;
        let found = join_all((0..100).map(|_| host.finds("k1"))).await;
        assert!(found.iter().all(|found| *found == Ok(true)));
        gate.open();
    };
    // The others are served while the gate is closed: it is they who open it.
    let (found, ()) = tokio::join!(waiting, others);
    assert_eq!(found, Ok(true));
    assert_eq!(host.requests(), 2);
}

#[tokio::test]
async fn a_login_waits_until_its_deadline_and_the_fetch_goes_on_without_it() {
    let gate = Gate::closed();
    let host = Host::start([serving(&["k1"]).behind(&gate)]).await;
    for _ in 0..3 {
        let begun_at = clock::now();
        assert!(host.look_for_within("k1", 50).await.is_err());
        let waited_ms = clock::now().since_ms(begun_at);
        assert!((50..KEY_SET_FETCH_MS).contains(&waited_ms), "{waited_ms} ms");
    }
    assert!(host.look_for_within("k1", 0).await.is_err(), "without any time left");
    gate.open();
    assert_eq!(host.finds("k1").await, Ok(true));
    assert_eq!(host.requests(), 1, "those who were cut off have cost the others nothing");
}

#[tokio::test]
async fn a_login_that_is_dropped_takes_nobody_s_keys_along() {
    let gate = Gate::closed();
    let host = Host::start([serving(&["k1"]).behind(&gate)]).await;
    {
        let dropped = host.finds("k1");
        tokio::pin!(dropped);
        tokio::select! {
            biased;
            _ = &mut dropped => panic!("the gate is closed"),
            _ = host.receiver.wait_for(1) => {}
        }
    }
    gate.open();
    assert_eq!(host.finds("k1").await, Ok(true));
    assert_eq!(host.requests(), 1);
}

#[tokio::test]
async fn f25_a_host_that_is_down_is_not_asked_by_every_login() {
    let host = Host::start([Reply::status(503)]).await;
    let found = join_all((0..1_000).map(|_| host.finds("k1"))).await;
    assert!(found.iter().all(|found| *found == Err(NotHad)));
    assert!(host.requests() <= 2, "{} requests", host.requests());
}

#[tokio::test]
async fn f25_known_keys_go_on_while_the_host_is_down() {
    let host = Host::start([serving(&["k1"]), Reply::status(503)]).await;
    assert_eq!(host.finds("k1").await, Ok(true));
    // Nobody can say whether there is such a key by now, and so nobody does.
    assert_eq!(host.finds("k2").await, Err(NotHad));
    assert_eq!(host.finds("k2").await, Err(NotHad));
    assert_eq!(host.finds("k1").await, Ok(true));
    assert_eq!(host.requests(), 2);
}

#[tokio::test]
async fn a71_what_is_no_key_set_is_refused() {
    let html = "<!doctype html><title>Sign in</title>";
    let json = |body: &str| {
        Reply::status(200).header("content-type", "application/json").body(body.to_owned())
    };
    let good = serving(&["k1"]);
    let many = json!({ "keys": vec![json!({}); 10_000] }).to_string();
    let one_too_many = json!({ "keys": vec![jwk("k1"); KEY_SET_KEYS_MAX + 1] }).to_string();
    for (what, reply) in [
        ("html", Reply::status(200).header("content-type", "text/html").body(html)),
        ("html that says it is JSON", json(html)),
        ("a key set that says it is html", typed("text/html; charset=utf-8")),
        ("a key set as a script", typed("application/javascript")),
        ("a key set as text", typed("text/plain")),
        ("a key set as a stream", typed("application/octet-stream")),
        ("10,000 keys", json(&many)),
        ("33 keys", json(&one_too_many)),
        ("10 MB", json(&" ".repeat(10 * 1024 * 1024))),
        ("nothing", json("")),
        ("an array", json("[]")),
        ("another status", good.clone().with_status(203)),
        ("not found", good.clone().with_status(404)),
        ("an error", good.with_status(500)),
    ] {
        let host = Host::start([reply]).await;
        assert_eq!(host.finds("k1").await, Err(NotHad), "{what}");
        assert_eq!(host.requests(), 1, "{what}");
    }
    for media_type in ["application/json; charset=utf-8", "Application/jwk-set+JSON"] {
        let host = Host::start([typed(media_type)]).await;
        assert_eq!(host.finds("k1").await, Ok(true), "{media_type}");
    }
    let body = json!({"keys": [jwk("k1")]}).to_string();
    let host = Host::start([Reply::status(200).body(body)]).await;
    assert_eq!(host.finds("k1").await, Ok(true), "without a media type");
}

/// A key that wants to be encrypted to.
fn encryption_jwk() -> Value {
    let mut jwk = jwk("e1");
    jwk["use"] = "enc".into();
    jwk["alg"] = "ECDH-ES+A256KW".into();
    jwk
}

fn serving_all(keys: &[Value]) -> Reply {
    Reply::status(200).body(json!({ "keys": keys }).to_string())
}

impl Host {
    /// Whether there is a key to encrypt to.
    async fn can_be_encrypted_to(&self) -> Result<bool, NotHad> {
        let deadline = Deadline::at(clock::now().plus_ms(LONG_MS));
        let keys = self.key_sets.for_encryption(&self.url, deadline).await?;
        Ok(keys.encryption_key().is_some())
    }
}

#[tokio::test]
async fn one_fetch_serves_those_who_verify_and_those_who_encrypt() {
    let host = Host::start([serving_all(&[jwk("k1"), encryption_jwk()])]).await;
    for _ in 0..10 {
        assert_eq!(host.can_be_encrypted_to().await, Ok(true));
        assert_eq!(host.finds("k1").await, Ok(true));
        assert_eq!(host.finds("e1").await, Ok(false), "it verifies nothing");
    }
    // Looked for once more, since `e1` might have been a key to verify with by now.
    assert_eq!(host.requests(), 2);
}

#[tokio::test]
async fn a_set_without_a_key_to_encrypt_to_is_looked_at_once_more_and_then_believed() {
    let host = Host::start([serving(&["k1"]), serving(&["k1"])]).await;
    assert_eq!(host.finds("k1").await, Ok(true));
    let found = join_all((0..100).map(|_| host.can_be_encrypted_to())).await;
    assert!(found.iter().all(|found| *found == Ok(false)));
    assert_eq!(host.requests(), 2);
    let host = Host::start([serving(&["k1"]), serving_all(&[encryption_jwk()])]).await;
    assert_eq!(host.finds("k1").await, Ok(true));
    assert_eq!(host.can_be_encrypted_to().await, Ok(true), "it has one by now");
}

#[tokio::test]
async fn f25_a_host_that_is_down_says_nothing_about_keys_to_encrypt_to() {
    let host = Host::start([serving(&["k1"]), Reply::status(503)]).await;
    assert_eq!(host.finds("k1").await, Ok(true));
    assert_eq!(host.can_be_encrypted_to().await, Err(NotHad));
    let host = Host::start([serving_all(&[encryption_jwk()]), Reply::status(503)]).await;
    assert_eq!(host.can_be_encrypted_to().await, Ok(true));
    assert_eq!(host.finds("k2").await, Err(NotHad));
    assert_eq!(host.can_be_encrypted_to().await, Ok(true), "known keys go on");
}

/// A right key set as another media type.
fn typed(media_type: &'static str) -> Reply {
    Reply::status(200)
        .header("content-type", media_type)
        .body(json!({"keys": [jwk("k1")]}).to_string())
}

#[tokio::test]
async fn a71_a_redirect_to_a_right_key_set_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let host = Host::start([Reply::status(status).header("location", "/elsewhere.json")]).await;
        host.receiver.script("/elsewhere.json", [serving(&["k1"])]);
        assert_eq!(host.finds("k1").await, Err(NotHad), "{status}");
        assert_eq!(host.requests(), 1, "{status}");
    }
}

#[tokio::test]
async fn a72_a_host_that_leads_to_a_private_address_is_not_asked() {
    let receiver = Receiver::start().await;
    receiver.script("/jwks.json", [serving(&["k1"])]);
    // The name passes, as a customer's would; what it leads to does not.
    let by_name = receiver.url("/jwks.json").replace("127.0.0.1", "localhost");
    let url = GuardedUrl::judge(&by_name, LOOPBACK).expect("a name");
    let targets = Targets::new(EgressPolicy::production()).expect("a client");
    let deadline = Deadline::at(clock::now().plus_ms(LONG_MS));
    let found = KeySets::new(targets).of(&url, wanted("k1"), deadline).await;
    assert_eq!(found.err(), Some(NotHad));
    assert_eq!(receiver.requests().len(), 0);
}
