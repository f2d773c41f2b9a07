//! Webhook secrets: made, shown once, rotated, and what the receiver then verifies.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::limits::WEBHOOK_SECRET_OVERLAP_DEFAULT_MS;
use domain::time::Timestamp;
use http::HeaderMap;
use local::aws::{Fault, Service};
use local::samples;
use standardwebhooks::Webhook;
use testkit::receiver::{Receiver, Request};

use crate::stack::{Item, Said, Stack};

const WHOSE: [&str; 4] = ["--property", "demo-property", "--subscription", "mine"];

async fn secrets(stack: &Stack, command: &str, more: &[&str]) -> Said {
    stack.workflows(&[&["secrets", command], &WHOSE[..], more].concat()).await
}

/// The secret that a command has printed, alone on standard output.
fn printed(said: &Said) -> String {
    assert_eq!(said.code, 0, "{}", said.stderr);
    let secret = said.stdout.trim_end();
    assert!(secret.starts_with("whsec_") && secret.lines().count() == 1);
    assert!(!said.stderr.contains(secret), "it is shown once");
    secret.to_owned()
}

async fn subscribe(stack: &Stack, endpoint: &str, format: Option<&str>) {
    let mut row = samples::row(samples::PROPERTY, "mine", "user_data_change", endpoint);
    if let Some(format) = format {
        row.insert("format".to_owned(), AttributeValue::S(format.to_owned()));
    }
    stack.put("subscriptions", row).await;
}

async fn row(stack: &Stack) -> Item {
    let key = |text: &str| AttributeValue::S(text.to_owned());
    let get = stack.local.clients().dynamodb.get_item().table_name("subscriptions");
    let get = get.key("pk", key(samples::PROPERTY)).key("sk", key("SUBSCRIPTION#mine"));
    get.send().await.expect("it is read").item.expect("it is there")
}

async fn set(stack: &Stack, name: &str, value: AttributeValue) {
    let mut row = row(stack).await;
    row.insert(name.to_owned(), value);
    stack.put("subscriptions", row).await;
}

/// What the published library says of a request, by the real clock.
fn verifies(request: &Request, secret: &str) -> bool {
    let mut headers = HeaderMap::new();
    headers.extend(request.headers.clone());
    Webhook::new(secret).expect("a secret").verify(&request.body, &headers).is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_made_rotated_and_verified_by_the_published_library() {
    let stack = Stack::start().await;
    let receiver = Receiver::start().await;
    subscribe(&stack, &receiver.url("/hook"), None).await;
    // As somebody may have written it by hand: the same as absent.
    set(&stack, "webhookSecrets", AttributeValue::Null(true)).await;
    let made = secrets(&stack, "create", &[]).await;
    let first = printed(&made);
    assert!(made.stderr.contains("standard_webhooks"), "{}", made.stderr);
    set(&stack, "format", AttributeValue::S("standard_webhooks".to_owned())).await;

    stack.deliver(&["e1"]).await;
    let request = receiver.wait_for(1).await.remove(0);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert!(verifies(&request, &first));

    let again = secrets(&stack, "create", &[]).await;
    assert_eq!((again.code, again.stdout.as_str()), (3, ""));
    assert!(again.stderr.contains("it has a secret already"), "{}", again.stderr);

    let rotated = secrets(&stack, "rotate", &["--overlap", "7d"]).await;
    let second = printed(&rotated);
    assert!(rotated.stderr.contains("signs too until"), "{}", rotated.stderr);
    stack.deliver(&["e2"]).await;
    let request = receiver.wait_for(2).await.remove(1);
    assert!(verifies(&request, &first) && verifies(&request, &second));
    let signatures = request.header("webhook-signature").expect("signatures");
    let schemes: Vec<&str> =
        signatures.split(' ').filter_map(|one| one.split(',').next()).collect();
    assert_eq!(schemes, ["v1", "v1", "v1a"]);

    let overlapping = secrets(&stack, "rotate", &[]).await;
    assert_eq!(overlapping.code, 3);
    assert!(overlapping.stderr.contains("signs until"), "{}", overlapping.stderr);
    let third = printed(&secrets(&stack, "rotate", &["--overlap", "0s", "--end-earlier"]).await);
    stack.deliver(&["e3"]).await;
    let request = receiver.wait_for(3).await.remove(2);
    let verified = [&first, &second, &third].map(|secret| verifies(&request, secret));
    assert_eq!(verified, [false, false, true]);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a86_a_secret_is_nowhere_but_where_it_was_printed() {
    let stack = Stack::start().await;
    subscribe(&stack, "http://127.0.0.1:9/hook", Some("standard_webhooks")).await;
    let said = secrets(&stack, "create", &["--output", "json"]).await;
    let object = said.objects().remove(0);
    let secret = object["secret"].as_str().expect("a secret").to_owned();
    assert_eq!(object["scope"], samples::PROPERTY);
    assert_eq!(object["overlapUntil"], serde_json::Value::Null);
    let bare = secret.strip_prefix("whsec_").expect("a prefix").to_owned();
    assert!(!format!("{:?}", row(&stack).await).contains(&bare), "the row has it sealed");
    stack.deliver(&["e1"]).await;
    assert!(!format!("{:?}", stack.ledger().await).contains(&bare));
    let rotated = secrets(&stack, "rotate", &["--output", "json"]).await;
    assert!(!rotated.stdout.contains(&bare), "an old secret is not shown again");
    let until = rotated.objects()[0]["overlapUntil"].as_str().map(str::to_owned);
    let until = until.as_deref().and_then(Timestamp::parse_rfc3339).expect("a moment");
    let left_ms = until.since_ms(adapters::clock::now());
    let day_ms = WEBHOOK_SECRET_OVERLAP_DEFAULT_MS;
    assert!((day_ms - 60_000..=day_ms).contains(&left_ms), "{left_ms}");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a85_a_secret_copied_into_another_row_is_a_dead_letter_there() {
    let stack = Stack::start().await;
    subscribe(&stack, "http://127.0.0.1:9/hook", Some("standard_webhooks")).await;
    printed(&secrets(&stack, "create", &[]).await);
    let copied = row(&stack).await["webhookSecrets"].clone();
    let endpoint = "http://127.0.0.1:9/other";
    let mut other = samples::row(samples::PROPERTY, "other", "user_data_change", endpoint);
    other.insert("format".to_owned(), AttributeValue::S("standard_webhooks".to_owned()));
    other.insert("webhookSecrets".to_owned(), copied);
    stack.put("subscriptions", other).await;
    stack.deliver(&["e1"]).await;
    let list = ["deliveries", "list", "--subscription", "other", "--output", "json"];
    let said = stack.workflows(&list).await;
    assert_eq!(said.objects()[0]["reason"], "secret_unreadable", "{}", said.stdout);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_told_and_changes_nothing() {
    let stack = Stack::start().await;
    for command in ["create", "rotate"] {
        let said = secrets(&stack, command, &[]).await;
        assert_eq!(said.code, 3, "{}", said.stderr);
        assert!(said.stderr.contains("there is no such subscription"), "{}", said.stderr);
    }
    subscribe(&stack, "http://127.0.0.1:9/hook", None).await;
    let before = row(&stack).await;
    let said = secrets(&stack, "rotate", &[]).await;
    assert_eq!(said.code, 3);
    assert!(said.stderr.contains("it has no secret yet"), "{}", said.stderr);
    stack.local.aws().faults().set(Fault::OperationDown {
        service: Service::Kms,
        operation: "GenerateDataKey".to_owned(),
    });
    let said = secrets(&stack, "create", &[]).await;
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("KMS gave no data key"), "{}", said.stderr);
    stack.local.aws().faults().clear_all();
    assert_eq!(row(&stack).await, before);
    set(&stack, "webhookSecrets", AttributeValue::S("whsec_AQID".to_owned())).await;
    let said = secrets(&stack, "create", &[]).await;
    assert_eq!(said.code, 3);
    assert!(said.stderr.contains("webhookSecrets") && !said.stderr.contains("AQID"));
    stack.stop().await;
}
