//! The real processes with every variable by which somebody might hope to lead notifications astray,
//! or to have another authority believed: nothing of it is heard.

use std::fs::File;
use std::path::PathBuf;

use adapters::signing::SigningKeys;
use local::aws::Endpoint;
use local::clock::TimeScale;
use local::functions::Name;
use local::template::{Settings, Stack};
use local::{Clients, samples};
use serde_json::{Value, json};
use testkit::raw_receiver::{Act, RawReceiver, bytes};
use testkit::tls::Authority;

use crate::canary::run;
use crate::functions::Program;

const LOG: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/environment.log");

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

/// What proxies are named by, for one client or another.
const PROXIES: [&str; 6] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a22_a93_no_variable_leads_to_a_proxy_or_adds_an_authority() {
    let address = ([127, 0, 0, 1], 0).into();
    let clock = local::clock::Clock::new(TimeScale::REAL);
    let aws = Endpoint::start(address, None, &clock).await.expect("an endpoint");
    let settings = Settings::at_their_word(aws.account().clone());
    let mut stack = Stack::parse(local::TEMPLATE, &settings).expect("the template");
    for secret in &mut stack.secrets {
        secret.initial_value = Some(SigningKeys::generate());
    }
    aws.provision(&stack).await.expect("the template's resources");

    let authority = Authority::generate();
    let plain = RawReceiver::start([Act::Say(bytes(ACCEPTED))]).await;
    let identity = authority.identity(&["127.0.0.1"]);
    let stranger = RawReceiver::start_tls(&identity, [Act::Say(bytes(ACCEPTED))]).await;
    subscribe(&aws, &[("plain", &plain), ("stranger", &stranger)]).await;

    let proxy = RawReceiver::start([Act::Say(bytes(ACCEPTED))]).await;
    let (trusted, keys) = (file("authority.pem"), file("tls-keys.log"));
    std::fs::write(&trusted, authority.pem()).expect("a file is written");
    let mut variables = PROXIES.map(|name| (name, proxy.url(""))).to_vec();
    for (name, value) in [
        ("SSL_CERT_FILE", &trusted),
        ("SSL_CERT_DIR", &PathBuf::from(env!("CARGO_TARGET_TMPDIR"))),
        ("SSLKEYLOGFILE", &keys),
    ] {
        variables.push((name, value.to_str().expect("text").to_owned()));
    }
    let log = File::create(LOG).expect("a file for the logs");
    let path = env!("CARGO_BIN_EXE_delivery-process");
    let program = Program::new(Name::Delivery, path, &stack, &aws);
    run(&program, vec![batch()], &variables, &log).await;

    assert_eq!(plain.heard().len(), 1, "the target itself is spoken to");
    assert_eq!(proxy.accepted(), 0, "nobody goes through a proxy");
    assert_eq!((stranger.accepted(), stranger.heard().len()), (1, 0), "it proves nothing");
    let printed = std::fs::read_to_string(LOG).expect("text");
    assert!(printed.contains(r#""outcome":"tls""#), "{printed}");
    assert!(!keys.exists(), "session keys are written nowhere");
    aws.stop().await.expect("the endpoint stops");
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

async fn subscribe(aws: &Endpoint, targets: &[(&str, &RawReceiver)]) {
    let clients = Clients::new(&local::environment(aws)).expect("clients");
    for (id, target) in targets {
        let row = samples::row(samples::PROPERTY, id, "user_data_change", &target.url("/hook"));
        let put = clients.dynamodb.put_item().table_name("subscriptions").set_item(Some(row));
        put.send().await.expect("a row is written");
    }
}

fn batch() -> Value {
    let event = json!({
        "id": "e1", "type": "userUpdated", "propertyId": "demo-property", "sub": "u", "data": {},
        "source": "next_identity", "occurredAt": 1, "acceptedAt": 2, "scope": samples::PROPERTY,
    });
    let body = json!({"EventsV1": {"events": [event]}}).to_string();
    json!({"Records": [{
        "messageId": "m", "body": body, "attributes": {}, "messageAttributes": {},
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:events",
    }]})
}
