//! Signing keys through the real handlers: rotated under load, refreshed, missing, held in KMS. The
//! clock that is moved is the process's, so these stories have a process of their own, and take
//! turns in it.

mod kms;
mod load;
mod store;

use std::collections::BTreeMap;

use adapters::aws::CallLimits;
use adapters::signing::KeySecret;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::jose::{Algorithm, KeySet, Unverified};
use domain::notification::TYP;
use local::aws::Endpoint;
use local::clock::{Clock, TimeScale};
use local::functions::{Functions, Name};
use local::template::{Settings, Stack};
use local::{Clients, samples};
use serde_json::{Value, json};
use testkit::receiver::Receiver;
use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];

/// A stack whose functions are started as often as a story likes: each is an environment.
struct World {
    endpoint: Endpoint,
    environment: BTreeMap<String, String>,
    clients: Clients,
    receiver: Receiver,
    _turn: MutexGuard<'static, ()>,
}

impl World {
    /// With an empty secret, and a subscription for each algorithm.
    async fn start() -> Self {
        let turn = TURN.lock().await;
        let any = ([127, 0, 0, 1], 0).into();
        let clock = Clock::new(TimeScale::REAL);
        let endpoint = Endpoint::start(any, None, &clock).await.expect("it starts");
        endpoint.provision(&stack(&endpoint, "")).await.expect("it is made");
        let environment = local::environment(&endpoint);
        let clients = Clients::new(&environment).expect("clients");
        let receiver = Receiver::start().await;
        let world = Self { endpoint, environment, clients, receiver, _turn: turn };
        world.subscribe_at(&world.receiver).await;
        world
    }

    /// Lets this receiver, and no other, have the notifications of every algorithm.
    async fn subscribe_at(&self, receiver: &Receiver) {
        for algorithm in ALGORITHMS {
            let (id, url) = (algorithm.as_str(), receiver.url(&path(algorithm)));
            let mut row = samples::row(samples::PROPERTY, id, "user_data_change", &url);
            row.insert("signingAlg".to_owned(), AttributeValue::S(id.to_owned()));
            let put = self.clients.dynamodb.put_item().table_name("subscriptions");
            put.set_item(Some(row)).send().await.expect("it is written");
        }
    }

    /// A new environment of every function.
    fn functions(&self) -> Functions {
        self.functions_with("")
    }

    /// The same, with these keys in KMS.
    fn functions_with(&self, kms_keys: &str) -> Functions {
        let stack = stack(&self.endpoint, kms_keys);
        let clock = Clock::new(TimeScale::REAL);
        Functions::start(&stack, &self.environment, &clock).expect("they start")
    }

    /// The secret, as an operator sees it.
    fn secret(&self) -> KeySecret {
        let config = adapters::aws::config(&self.environment, CallLimits::OPERATOR);
        KeySecret::new(&config.expect("a configuration"), "signing-keys".to_owned())
    }

    async fn put_secret(&self, value: &str) {
        let put = self.clients.secrets.put_secret_value().secret_id("signing-keys");
        put.secret_string(value).send().await.expect("it is stored");
    }

    /// The deliveries that are dead, by subscription.
    async fn dead(&self) -> BTreeMap<String, String> {
        let scan = self.clients.dynamodb.scan().table_name("deliveries").send().await;
        let items = scan.expect("the ledger is read").items.unwrap_or_default();
        let text = |value: &AttributeValue| value.as_s().expect("text").clone();
        let dead = items.iter().filter_map(|item| Some((item.get("reason")?, item)));
        dead.map(|(reason, item)| (text(&item["subscriptionId"]), text(reason))).collect()
    }

    async fn stop(self) {
        self.endpoint.stop().await.expect("it stops");
    }
}

fn stack(endpoint: &Endpoint, kms_keys: &str) -> Stack {
    let mut settings = Settings::at_their_word(endpoint.account().clone());
    settings.parameters.insert("SigningKmsKeyArn".to_owned(), kms_keys.to_owned());
    Stack::parse(local::TEMPLATE, &settings).expect("a template")
}

fn path(algorithm: Algorithm) -> String {
    format!("/{algorithm}")
}

/// Hands an event to the delivery function, as its queue would; an error is a record that goes back.
async fn deliver(functions: &Functions, id: &str) -> Result<Value, local::functions::InvokeError> {
    let event = json!({
        "id": id, "type": "userUpdated", "source": "next_identity", "occurredAt": 1,
        "acceptedAt": 2, "scope": samples::PROPERTY, "propertyId": "demo-property", "sub": "u1",
        "data": {},
    });
    let record = json!({
        "messageId": "m", "body": json!({"EventsV1": {"events": [event]}}).to_string(),
        "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:events",
    });
    functions.invoke(Name::Delivery, json!({"Records": [record]})).await
}

/// What the ingest function answers to whoever asks for the key set.
async fn key_set(functions: &Functions, if_none_match: Option<&str>) -> Value {
    let mut request: Value =
        serde_json::from_str(include_str!("../../../events/ingest/key-set.json")).expect("JSON");
    if let Some(etag) = if_none_match {
        request["headers"]["if-none-match"] = etag.into();
    }
    functions.invoke(Name::Ingest, request).await.expect("an answer")
}

fn keys_of(answer: &Value) -> KeySet {
    let body = answer["body"].as_str().expect("a body");
    KeySet::parse(body.as_bytes()).expect("a key set")
}

/// The algorithm and the key that a token names.
fn named(token: &str) -> (String, String) {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = token.split('.').next().expect("a header");
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64")).expect("JSON");
    let text = |name: &str| header[name].as_str().expect("text").to_owned();
    (text("alg"), text("kid"))
}

/// As a receiver does that asks for one algorithm and looks nothing up.
fn verifies(token: &str, algorithm: Algorithm, keys: &KeySet) -> bool {
    let unverified = Unverified::parse(token, &[TYP]).expect("well-formed");
    let kid = unverified.kid.clone().expect("a key is named");
    keys.find(Some(&kid), algorithm).is_some_and(|key| unverified.verify(key).is_some())
}
