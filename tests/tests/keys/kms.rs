//! Keys that never leave KMS sign what the functions send.

use adapters::clock;
use adapters::signing::SigningKeys;
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use domain::jose::Algorithm;
use domain::key_rotation::SigningAlgorithm;
use local::aws::{Fault, Service};
use local::functions::{Functions, Name};
use local::samples;
use serde_json::{Value, json};

use crate::{World, deliver, key_set, keys_of, named, verifies};

impl World {
    async fn key_in_kms(&self, spec: KeySpec) -> String {
        let config = adapters::aws::config(&self.environment, adapters::aws::CallLimits::OPERATOR);
        let kms = aws_sdk_kms::Client::new(&config.expect("a configuration"));
        let made = kms.create_key().key_usage(KeyUsageType::SignVerify).key_spec(spec);
        let made = made.send().await.expect("it is made").key_metadata.expect("a key");
        made.arn.expect("an ARN")
    }

    /// The tokens that an event becomes, by algorithm, each verified by the published keys.
    async fn tokens(&self, functions: &Functions, id: &str) -> Vec<(String, String)> {
        let before = self.receiver.requests().len();
        deliver(functions, id).await.expect("no record goes back");
        let keys = keys_of(&key_set(functions, None).await);
        let arrived = self.receiver.requests().split_off(before);
        let mut seen: Vec<_> = arrived
            .iter()
            .map(|request| {
                let token = std::str::from_utf8(&request.body).expect("text");
                let (algorithm, kid) = named(token);
                let known = Algorithm::parse(&algorithm).expect("one that we know");
                assert!(verifies(token, known, &keys), "{algorithm}");
                assert_eq!(request.path, format!("/{algorithm}"));
                (algorithm, kid)
            })
            .collect();
        seen.sort();
        seen
    }
}

fn down(operation: &str) -> Fault {
    Fault::OperationDown { service: Service::Kms, operation: operation.to_owned() }
}

#[tokio::test]
async fn the_first_key_of_an_algorithm_signs_and_the_others_are_published() {
    let world = World::start().await;
    let secret = SigningKeys::generate_for(&SigningAlgorithm::ALL);
    world.put_secret(&secret).await;
    let mut arns = Vec::new();
    for spec in [KeySpec::EccNistP256, KeySpec::Rsa2048, KeySpec::EccNistP256] {
        arns.push(world.key_in_kms(spec).await);
    }
    let [es256, rs256, es256_next] = arns.as_slice() else { panic!("three keys") };
    let all = format!("{es256},{rs256},{es256_next}");
    let functions = world.functions_with(&all);
    let tokens = world.tokens(&functions, "e1").await;
    let algorithms: Vec<_> = tokens.iter().map(|(algorithm, _)| algorithm.as_str()).collect();
    assert_eq!(algorithms, ["ES256", "EdDSA", "RS256"]);
    let is_the_secret_s = |(_, kid): &(String, String)| secret.contains(kid.as_str());
    let by_secret: Vec<_> = tokens.iter().map(is_the_secret_s).collect();
    assert_eq!(by_secret, [false, true, false]);

    let published: Value =
        serde_json::from_str(key_set(&functions, None).await["body"].as_str().expect("a body"))
            .expect("JSON");
    let keys = published["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 6, "three of the secret, three in KMS");

    // The other way round, the other signs; receivers know it already.
    let turned = world.functions_with(&format!("{es256_next},{rs256},{es256}"));
    let after = world.tokens(&turned, "e2").await;
    assert_ne!(after[0], tokens[0]);
    assert_eq!(after[1..], tokens[1..]);
    assert!(keys.iter().any(|key| key["kid"] == *after[0].1));
    world.stop().await;
}

#[tokio::test]
async fn a_kms_that_fails_is_our_fault_and_nobody_else_s() {
    let world = World::start().await;
    world.put_secret(&SigningKeys::generate_for(&SigningAlgorithm::ALL)).await;
    let key = world.key_in_kms(KeySpec::EccNistP256).await;
    let functions = world.functions_with(&key);
    world.endpoint.faults().set(down("GetPublicKey"));
    assert!(deliver(&functions, "e1").await.is_err(), "the record goes back");
    assert_eq!(key_set(&functions, None).await["statusCode"], 503);
    world.endpoint.faults().clear_all();
    clock::skip_ms(1_000);
    assert_eq!(world.tokens(&functions, "e2").await.len(), 3);

    world.endpoint.faults().set(down("Sign"));
    assert!(deliver(&functions, "e3").await.is_err(), "the record goes back");
    let mut row = samples::row("CLIENT#c1", "asks", "enrich", &world.receiver.url("/decide"));
    let response = samples::response("https://t.example", &world.receiver.url("/jwks.json"));
    row.insert("response".to_owned(), response);
    let put = world.clients.dynamodb.put_item().table_name("subscriptions");
    put.set_item(Some(row)).send().await.expect("it is written");
    let login = json!({"clientId": "c1", "sub": "u1"});
    let answer = functions.invoke(Name::Enrich, login).await.expect("a decision");
    assert_eq!(
        (&answer["action"], &answer["reasons"]),
        (&json!("challenge"), &json!(["signing_key_unavailable"]),)
    );
    assert!(world.dead().await.is_empty());
    // The public part never changes: it is not asked for again.
    world.endpoint.faults().clear_all();
    world.endpoint.faults().set(down("GetPublicKey"));
    clock::skip_ms(domain::limits::SIGNING_KEYS_REFRESH_MS);
    assert_eq!(world.tokens(&functions, "e3").await.len(), 3);
    world.stop().await;
}

#[tokio::test]
async fn with_keys_in_kms_the_secret_may_stay_empty() {
    let world = World::start().await;
    let keys = [KeySpec::EccNistP256, KeySpec::Rsa2048];
    let mut arns = Vec::new();
    for spec in keys {
        arns.push(world.key_in_kms(spec).await);
    }
    let functions = world.functions_with(&arns.join(","));
    let tokens = world.tokens(&functions, "e1").await;
    assert_eq!(tokens.len(), 2);
    let missing = ("EdDSA".to_owned(), "signing_key_missing".to_owned());
    assert_eq!(world.dead().await, [missing].into());
    // A key that cannot sign is told, and nothing goes on without it.
    let wrong = world.functions_with("arn:aws:kms:us-east-1:000000000000:key/none");
    assert!(deliver(&wrong, "e2").await.is_err());
    world.stop().await;
}
