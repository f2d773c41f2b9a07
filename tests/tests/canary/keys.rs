//! Keys that sign: rotated, replaced as if they were known to others, and held in KMS, which fails.
//! The private parts of the secret's keys are what is looked for, and the signatures: with the token
//! that it belongs to one is worth something to whoever collects both.

use adapters::clock;
use adapters::signing::KeySecret;
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::key_rotation::{SigningAlgorithm, Urgency, rotate};
use local::aws::{Fault, Service};
use local::samples::row;
use testkit::canary::Canary;
use testkit::receiver::{Receiver, Reply};

use crate::postings::queued_of;
use crate::stack::Stack;
use crate::words::ENDPOINT_QUERY;

const SCOPE: &str = "PROPERTY#canary-keys";

/// The private parts of all keys that there were, and signatures of theirs.
pub(crate) async fn play(stack: &Stack) -> Vec<Canary> {
    let receiver = Receiver::start().await;
    receiver.script("/", [Reply::status(200)]);
    let endpoint = format!("{}?token={ENDPOINT_QUERY}", receiver.url("/"));
    stack.put("subscriptions", row(SCOPE, "signed", "user_data_change", &endpoint)).await;
    let mut canaries = rotated(stack).await;
    stack.hand_over_in(&stack.functions_with(""), "events", &queued_of(SCOPE, "rotated")).await;
    in_kms(stack).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2, "signed by a rotated key and by one in KMS");
    for request in &requests {
        let token = std::str::from_utf8(&request.body).expect("a token");
        let (_, signature) = token.rsplit_once('.').expect("a signature");
        let octets = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        canaries.extend([Canary::new("signature", signature), Canary::new("signature", octets)]);
    }
    canaries
}

/// Rotates the secret's keys before their time, and then replaces them all.
async fn rotated(stack: &Stack) -> Vec<Canary> {
    let secret = KeySecret::new(&stack.config(), "signing-keys".to_owned());
    let mut canaries = Vec::new();
    for urgency in [Urgency::Planned, Urgency::Forced, Urgency::Compromised] {
        let mut set = secret.read().await.expect("it is read");
        let changes = rotate(&set.records(), SigningAlgorithm::Es256, urgency, clock::now());
        match changes {
            Ok(changes) => drop(set.apply(&changes, clock::now())),
            Err(refusal) => stack.note_refusal(&refusal.to_string()),
        }
        secret.write(&set).await.expect("it is written");
        canaries.extend(stack.private_keys().await);
    }
    canaries
}

/// An event that a key in KMS signs, and three that none signs, because of KMS or of the key.
async fn in_kms(stack: &Stack) {
    let kms = aws_sdk_kms::Client::new(&stack.config());
    let ask = kms.create_key().key_usage(KeyUsageType::SignVerify);
    let made = ask.key_spec(KeySpec::EccNistP256).send().await.expect("it is made");
    let arn = made.key_metadata.and_then(|key| key.arn).expect("an ARN");
    let functions = stack.functions_with(&arn);
    stack.hand_over_in(&functions, "events", &queued_of(SCOPE, "signed-in-kms")).await;
    let faults = stack.local.aws().faults();
    let down = |operation: &str| Fault::OperationDown {
        service: Service::Kms,
        operation: operation.to_owned(),
    };
    faults.set(down("Sign"));
    stack.hand_over_in(&functions, "events", &queued_of(SCOPE, "unsigned")).await;
    faults.clear_all();
    faults.set(down("GetPublicKey"));
    let others = stack.functions_with(&arn);
    stack.hand_over_in(&others, "events", &queued_of(SCOPE, "keyless")).await;
    faults.clear_all();
    let nobody_s = stack.functions_with("arn:aws:kms:us-east-1:000000000000:key/none");
    stack.hand_over_in(&nobody_s, "events", &queued_of(SCOPE, "of-no-key")).await;
}
