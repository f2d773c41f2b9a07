//! What the real processes print, whatever is set in their environment: nothing personal, no secret.
//!
//! The breadth of it is the test `canary`; here it is the binaries' own set-up that is tried, with
//! every variable by which somebody might hope to hear more.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use adapters::signing::SigningKeys;
use local::aws::Endpoint;
use local::clock::TimeScale;
use local::functions::Name;
use local::runtime_api::RuntimeApi;
use local::template::{Settings, Stack};
use local::{Clients, samples};
use serde_json::{Value, json};
use testkit::canary::{Canary, sightings};
use testkit::receiver::{Receiver, Reply};
use tokio::time::timeout;

use crate::functions::Program;

const LOG: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/canary.log");

/// Far more than a process takes to start and to answer.
const PATIENCE: Duration = Duration::from_mins(1);

const DATUM: &str = "canaryqdatum1xx";
const HEADER: &str = "canaryqheader2x";
const QUERY: &str = "canaryqquery3xx";
const REPLY: &str = "canaryqreply4xx";
const PAYLOAD: &str = "canaryqpayload5";
const CREDENTIAL: &str = "canaryqcredential6";

/// What somebody might set to hear more.
const LOUD: [(&str, &str); 9] = [
    ("LOG_LEVEL", "trace"),
    ("RUST_LOG", "trace"),
    ("RUST_LOG_STYLE", "always"),
    ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
    ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ("AWS_LOG_LEVEL", "trace"),
    ("RUST_BACKTRACE", "full"),
    ("AWS_SECRET_ACCESS_KEY", CREDENTIAL),
    ("AWS_SESSION_TOKEN", CREDENTIAL),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a52_no_setting_makes_a_function_print_what_may_not_leak() {
    let address = ([127, 0, 0, 1], 0).into();
    let clock = local::clock::Clock::new(TimeScale::REAL);
    let aws = Endpoint::start(address, None, &clock).await.expect("an endpoint");
    let settings = Settings::at_their_word(aws.account().clone());
    let mut stack = Stack::parse(local::TEMPLATE, &settings).expect("the template");
    let keys = SigningKeys::generate();
    for secret in &mut stack.secrets {
        secret.initial_value = Some(keys.clone());
    }
    aws.provision(&stack).await.expect("the template's resources");
    let receiver = subscribe(&aws).await;
    let log = File::create(LOG).expect("a file for the logs");
    let loud = LOUD.map(|(name, value)| (name, value.to_owned()));
    for (name, path, payloads) in [
        (Name::Ingest, env!("CARGO_BIN_EXE_ingest-process"), postings()),
        (Name::Delivery, env!("CARGO_BIN_EXE_delivery-process"), batches()),
        (Name::Enrich, env!("CARGO_BIN_EXE_enrich-process"), logins()),
        (Name::Sweeper, env!("CARGO_BIN_EXE_sweeper-process"), vec![json!({})]),
    ] {
        let program = Program::new(name, path, &stack, &aws);
        let odd = [json!(PAYLOAD), json!({"Records": PAYLOAD, "requestContext": PAYLOAD})];
        run(&program, payloads.into_iter().chain(odd).collect(), &loud, &log).await;
    }
    assert_eq!(receiver.requests().len(), 2, "one notification and one login were sent");

    let printed = std::fs::read_to_string(LOG).expect("text");
    for said in ["events were posted", "an attempt was made", "a login was decided"] {
        assert!(printed.contains(said), "nobody said {said:?}: {printed}");
    }
    let words = [DATUM, HEADER, QUERY, REPLY, PAYLOAD, CREDENTIAL];
    let mut canaries: Vec<Canary> = words.iter().map(|word| Canary::new(word, word)).collect();
    let keys: Value = serde_json::from_str(&keys).expect("JSON");
    canaries.push(Canary::new("private key", keys["keys"][0]["d"].as_str().expect("text")));
    assert_eq!(sightings(&canaries, &printed), [""; 0]);
    let strangers = printed.lines().find(|line| !line.starts_with('{'));
    assert_eq!(strangers, None, "a line that is not ours");
    aws.stop().await.expect("the endpoint stops");
}

/// A target that fails and says more than it should, for events and for logins.
async fn subscribe(aws: &Endpoint) -> Receiver {
    let receiver = Receiver::start().await;
    let reply = || Reply::status(500).header("location", REPLY).body(REPLY);
    let endpoint = format!("{}?token={QUERY}", receiver.url("/hook"));
    receiver.script("/hook", [reply()]);
    let mut logins = samples::row(samples::CLIENT, "logins", "enrich", &endpoint);
    let jwks_uri = format!("{}?token={QUERY}", receiver.url("/keys"));
    logins.insert("response".to_owned(), samples::response("https://t.example.com", &jwks_uri));
    let clients = Clients::new(&local::environment(aws)).expect("clients");
    for row in [samples::row(samples::PROPERTY, "users", "user_data_change", &endpoint), logins] {
        let put = clients.dynamodb.put_item().table_name("subscriptions").set_item(Some(row));
        put.send().await.expect("a row is written");
    }
    receiver
}

fn request(body: &str) -> Value {
    json!({
        "version": "2.0", "rawPath": "/v1/events", "rawQueryString": format!("token={HEADER}"),
        "headers": {"content-type": "application/json", "authorization": HEADER},
        "requestContext": {"http": {"method": "POST"}, "stage": "$default"},
        "body": body, "isBase64Encoded": false,
    })
}

fn event(more: &Value) -> Value {
    let mut event = json!({
        "id": "e1", "type": "userUpdated", "propertyId": "demo-property", "sub": DATUM,
        "data": {"note": DATUM},
    });
    event.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
    event
}

fn postings() -> Vec<Value> {
    let refused = event(&json!({"type": DATUM, "clientId": [DATUM]}));
    vec![request(&event(&json!({})).to_string()), request(&refused.to_string()), request(DATUM)]
}

fn batches() -> Vec<Value> {
    let queued = event(&json!({
        "source": "next_identity", "occurredAt": 1, "acceptedAt": 2, "scope": samples::PROPERTY,
    }));
    let bodies = [json!({"EventsV1": {"events": [queued]}}), json!({"EventsV9": DATUM})];
    let record = |body: &Value| {
        json!({
            "messageId": "m", "body": body.to_string(), "attributes": {}, "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:events",
        })
    };
    bodies.iter().map(|body| json!({"Records": [record(body)]})).collect()
}

fn logins() -> Vec<Value> {
    let login = json!({"clientId": "demo-client", "sub": DATUM, "data": {"ip": DATUM}});
    vec![login, json!({"clientId": [DATUM], "sub": DATUM})]
}

/// Starts the process with these variables, too, and has it work these payloads, one after the other.
pub(crate) async fn run(
    program: &Program,
    payloads: Vec<Value>,
    variables: &[(&str, String)],
    log: &File,
) {
    let api = RuntimeApi::start(program.arn.clone()).await;
    let mut child = Command::new(program.path)
        .env_clear()
        .envs(&program.environment)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .env("AWS_LAMBDA_RUNTIME_API", api.address())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be shared"))
        .stderr(log.try_clone().expect("a file can be shared"))
        .spawn()
        .expect("a process starts");
    for payload in payloads {
        let answered = timeout(PATIENCE, api.invoke(payload.to_string(), program.timeout_ms)).await;
        answered.expect("an answer in time").expect("an answer");
    }
    child.kill().expect("it still runs");
    child.wait().expect("it has ended");
}
