//! What the doctor says of a stack that is well, and of one that is ill in one place.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use adapters::signing::SigningKeys;
use aws_sdk_sqs::types::QueueAttributeName;
use local::aws::{Fault, Service};
use local::functions::Name;
use serde_json::{Value, json};

use crate::stack::{Said, Stack, workflows};

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

async fn doctor(stack: &Stack, arguments: &[&str]) -> Said {
    let url = stack.local.api_url().to_owned();
    let all = ["--output", "json", "doctor", "--url", &url];
    stack.workflows(&[&all, arguments].concat()).await
}

async fn look(stack: &Stack) -> Said {
    doctor(stack, &["--no-round-trip"]).await
}

/// The findings that are not ok: check, subject, state and sentence.
fn complaints(said: &Said) -> Vec<[String; 4]> {
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    let found = said.objects().into_iter().filter(|it| it["state"] != "ok");
    let found: Vec<Value> = found.collect();
    for complaint in &found {
        assert!(!text(complaint, "advice").is_empty(), "what to do? {complaint}");
    }
    found
        .iter()
        .map(|it| ["check", "subject", "state", "said"].map(|name| text(it, name)))
        .collect()
}

/// The one thing that is said of this check and is not ok.
fn only(said: &Said, check: &str) -> [String; 4] {
    let mut found = complaints(said);
    found.retain(|complaint| complaint[0] == check);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Whether nothing of any round trip is left in the tables.
async fn leaves_nothing(stack: &Stack) -> bool {
    let mut left = 0;
    for table in ["subscriptions", "deliveries"] {
        let scan = stack.local.clients().dynamodb.scan().table_name(table).send().await;
        let items = scan.expect("a table is read").items.unwrap_or_default();
        let is_ours = |item: &&crate::stack::Item| format!("{item:?}").contains("doctor-");
        left += items.iter().filter(is_ours).count();
    }
    left == 0
}

async fn put_keys(stack: &Stack, keys: &str) {
    let put = stack.local.clients().secrets.put_secret_value().secret_id("signing-keys");
    put.secret_string(keys).send().await.expect("it is stored");
}

fn not_allowed(service: Service, operation: &str) -> Fault {
    Fault::NotAllowed { service, operation: operation.to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_that_is_well_is_called_so_and_keeps_nothing_of_it() {
    let stack = Stack::start().await;
    let said = doctor(&stack, &[]).await;
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let objects = said.objects();
    for check in ["api", "tables", "queues", "keys", "mappings", "clocks", "round-trip"] {
        assert!(objects.iter().any(|it| it["check"] == check), "{check}");
    }
    // The laptop makes no next keys, and that is all there is to say.
    for complaint in complaints(&said) {
        assert_eq!(
            complaint[2..],
            [
                "warning",
                "there is no next key: should this one have to go, receivers know no other"
            ]
        );
    }
    let delivery = stack.local.stack().function("DeliveryFunction").expect("declared");
    assert_eq!(u64::from(delivery.timeout_s), domain::limits::DELIVERY_TIMEOUT_S);
    let trip = objects.iter().find(|it| it["check"] == "round-trip").expect("it was made");
    assert!(
        trip["said"].as_str().is_some_and(|said| said.contains("verified by the published keys"))
    );
    assert!(leaves_nothing(&stack).await);

    let table =
        stack.workflows(&["doctor", "--url", stack.local.api_url(), "--no-round-trip"]).await;
    assert_eq!(table.code, 0, "{}", table.stderr);
    assert!(table.stdout.contains("ok          tables      subscriptions: key, indexes and time"));
    assert!(table.stdout.contains("-> publish one: workflows keys rotate --alg ES256"));
    assert!(table.stderr.contains("0 failed, 0 not allowed, 2 warnings"), "{}", table.stderr);
    assert!(!table.stdout.contains("round-trip"));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_and_queues_that_are_not_as_they_must_be_are_told() {
    let stack = Stack::start().await;
    let dynamodb = &stack.local.clients().dynamodb;
    dynamodb.delete_table().table_name("logins").send().await.expect("it is deleted");
    let queue_url = stack.local.aws().account().queue_url("events");
    let set = stack.local.clients().sqs.set_queue_attributes().queue_url(&queue_url);
    let set = set.attributes(QueueAttributeName::RedrivePolicy, "").send().await;
    set.expect("it has no redrive policy any more");
    stack.send("retries-dead-letter", "secret-body", Some("not_a_message")).await;
    let said = look(&stack).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    let table = only(&said, "tables");
    assert_eq!(table[1..], ["logins", "failed", "it is not there"]);
    let queues: Vec<_> =
        complaints(&said).into_iter().filter(|complaint| complaint[0] == "queues").collect();
    assert_eq!(queues[0][1..3], ["events", "failed"]);
    assert!(queues[0][3].starts_with("it has no redrive policy"));
    assert_eq!(queues[1][1..3], ["retries-dead-letter", "warning"]);
    assert!(queues[1][3].starts_with("about 1 record lies there"));
    assert!(!said.stdout.contains("secret"));
    let other =
        stack.workflows(&["--name-prefix", "x-", "doctor", "--url", stack.local.api_url()]).await;
    assert_eq!(other.code, 3);
    assert!(other.stdout.contains("x-subscriptions: it is not there"), "{}", other.stdout);
    assert!(other.stdout.contains("known-good: it is not there: LastKnownGood is disabled"));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_wakes_nobody_is_told() {
    let stack = Stack::start().await;
    stack.local.aws().faults().set(Fault::MappingDisabled("retries".to_owned()));
    let said = look(&stack).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    let mapping = only(&said, "mappings");
    assert_eq!(mapping[1..3], ["retries", "failed"]);
    assert!(mapping[3].starts_with("its mapping is Disabled"), "{mapping:?}");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_without_keys_signs_nothing_and_is_told_so() {
    let stack = Stack::start().await;
    put_keys(&stack, r#"{"keys":[]}"#).await;
    let said = doctor(&stack, &["--timeout", "1s"]).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(only(&said, "keys")[3].starts_with("there are no keys"));
    assert!(only(&said, "api")[3].contains("503"), "it has none to serve");
    assert_eq!(only(&said, "round-trip")[2], "failed");
    assert!(leaves_nothing(&stack).await);
    put_keys(&stack, r#"{"keys":[{"d":"canary4715"}]}"#).await;
    let said = look(&stack).await;
    assert!(only(&said, "keys")[3].starts_with("the secret holds no set of signing keys"));
    assert!(!said.stdout.contains("canary4715") && !said.stderr.contains("canary4715"));
    stack.stop().await;
}

/// The API has read one secret, and the delivery function reads the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_not_those_that_receivers_find_are_told_and_shown_by_the_round_trip() {
    let stack = Stack::start().await;
    assert_eq!(look(&stack).await.code, 0);
    put_keys(&stack, &SigningKeys::generate()).await;
    let fresh = look(&stack).await;
    assert_eq!(fresh.code, 0, "it may be seconds old: {}", fresh.stdout);
    let mut set: Value = serde_json::from_str(&SigningKeys::generate()).expect("JSON");
    let long_ago = adapters::clock::now().minus_ms(3_600_000).as_ms();
    for key in set["keys"].as_array_mut().expect("keys") {
        key["createdAt"] = long_ago.into();
    }
    put_keys(&stack, &set.to_string()).await;
    let said = doctor(&stack, &[]).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    let keys = complaints(&said);
    let failed = keys.iter().filter(|it| it[0] == "keys" && it[2] == "failed").count();
    assert_eq!(failed, 2, "{keys:?}");
    assert!(keys.iter().any(|it| it[3].contains("which the secret does not hold")));
    let trip = only(&said, "round-trip");
    assert_eq!(trip[3], "the built-in target has refused the token (exhausted:http_400)");
    assert!(leaves_nothing(&stack).await);
    for key in set["keys"].as_array().expect("keys") {
        let private = key["d"].as_str().expect("private");
        assert!(!said.stdout.contains(private) && !said.stderr.contains(private));
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_is_told_before_it_is_refused() {
    let stack = Stack::start().await;
    for (off_s, code, state, side) in [
        (60, 0, "warning", "s behind"),
        (-60, 0, "warning", "s ahead"),
        (-400, 3, "failed", "s ahead"),
    ] {
        stack.local.aws().faults().clear_all();
        stack.local.aws().faults().set(Fault::ClockOff(off_s));
        let said = look(&stack).await;
        assert_eq!(said.code, code, "{off_s}: {}", said.stdout);
        let clock = only(&said, "clocks");
        assert_eq!(clock[1..3], ["AWS", state]);
        assert!(clock[3].contains(side), "{clock:?}");
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_looked_at_is_told_by_action_and_resource() {
    let stack = Stack::start().await;
    for (service, operation, check, expected) in [
        (
            Service::DynamoDb,
            "DescribeTable",
            "tables",
            "not allowed: dynamodb:DescribeTable on table/subscriptions",
        ),
        (
            Service::DynamoDb,
            "DescribeTimeToLive",
            "tables",
            "not allowed: dynamodb:DescribeTimeToLive on table/deliveries",
        ),
        (Service::Sqs, "GetQueueUrl", "queues", "not allowed: sqs:GetQueueUrl on events"),
        (
            Service::Sqs,
            "GetQueueAttributes",
            "queues",
            "not allowed: sqs:GetQueueAttributes on events",
        ),
        (
            Service::SecretsManager,
            "GetSecretValue",
            "keys",
            "not allowed: secretsmanager:GetSecretValue on secret:signing-keys",
        ),
        (
            Service::Lambda,
            "ListEventSourceMappings",
            "mappings",
            "not allowed: lambda:ListEventSourceMappings on *",
        ),
    ] {
        stack.local.aws().faults().clear_all();
        stack.local.aws().faults().set(not_allowed(service, operation));
        let said = look(&stack).await;
        assert_eq!(said.code, 3, "{operation}: {}", said.stderr);
        let told = complaints(&said).into_iter().any(|complaint| {
            complaint[0] == check && complaint[2] == "not_allowed" && complaint[3] == expected
        });
        assert!(told, "{operation}: {}", said.stdout);
        let is_broken = complaints(&said).iter().any(|it| it[0] == check && it[2] == "failed");
        assert!(!is_broken, "{}", said.stdout);
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_trip_that_does_not_come_back_says_so_and_leaves_nothing() {
    let stack = Stack::start().await;
    let down = Fault::OperationDown { service: Service::DynamoDb, operation: "Query".to_owned() };
    stack.local.aws().faults().set(down);
    let said = doctor(&stack, &["--timeout", "1s"]).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    let trip = only(&said, "round-trip");
    assert_eq!(trip[2], "failed");
    assert!(trip[3].starts_with("the tables show nothing of the event within"), "{trip:?}");
    assert!(leaves_nothing(&stack).await);

    // It is delivered, and nobody can say so.
    stack.local.aws().faults().clear_all();
    stack.local.aws().faults().set(not_allowed(Service::DynamoDb, "UpdateItem"));
    let said = doctor(&stack, &["--timeout", "1s"]).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(
        only(&said, "round-trip")[3].starts_with("the tables show nothing of the event within")
    );
    assert!(said.stdout.contains("may the function's role dynamodb:UpdateItem"));
    assert!(leaves_nothing(&stack).await);

    stack.local.aws().faults().clear_all();
    stack.local.aws().faults().set(Fault::Down(Service::Sqs));
    let said = doctor(&stack, &[]).await;
    assert!(only(&said, "round-trip")[3].starts_with("the ingest function could not store"));
    assert!(leaves_nothing(&stack).await);

    stack.local.aws().faults().clear_all();
    stack.local.aws().faults().set(not_allowed(Service::DynamoDb, "PutItem"));
    let said = doctor(&stack, &[]).await;
    assert_eq!(
        only(&said, "round-trip")[3],
        "not allowed: dynamodb:PutItem on table/subscriptions"
    );

    stack.local.aws().faults().clear_all();
    stack.local.aws().faults().set(not_allowed(Service::DynamoDb, "DeleteItem"));
    let said = doctor(&stack, &[]).await;
    assert_eq!(said.code, 3);
    let left: Vec<_> =
        complaints(&said).into_iter().filter(|complaint| complaint[0] == "round-trip").collect();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left[0][3].contains("could not be deleted again: not allowed: dynamodb:DeleteItem"));
    assert!(!leaves_nothing(&stack).await, "and it is said");
    stack.stop().await;
}

/// A doctor under way, which is told to stop.
fn start(stack: &Stack) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workflows"));
    let (aws, api) = (stack.local.aws().url(), stack.local.api_url());
    command.args(["--endpoint-url", aws, "--output", "json", "doctor", "--url", api]).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the command runs")
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_interrupted_deletes_what_they_have_written() {
    let stack = Stack::start().await;
    let down = Fault::OperationDown { service: Service::DynamoDb, operation: "Query".to_owned() };
    stack.local.aws().faults().set(down);
    for signal in ["-INT", "-TERM"] {
        let child = start(&stack);
        let wait = async { while leaves_nothing(&stack).await {} };
        tokio::time::timeout(PATIENCE, wait).await.expect("it has written its subscription");
        let id = child.id().to_string();
        let told = Command::new("kill").args([signal, &id]).status().expect("kill runs");
        assert!(told.success());
        let ended =
            tokio::task::spawn_blocking(|| child.wait_with_output()).await.expect("no panic");
        let said = Said::from(ended.expect("it ends"));
        assert_eq!(said.code, 3, "{}", said.stderr);
        assert_eq!(only(&said, "round-trip")[3], "it was interrupted");
        assert!(leaves_nothing(&stack).await, "{signal}");
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_built_in_target_tells_strangers_nothing() {
    let stack = Stack::start().await;
    let payload = |method: &str| {
        json!({
            "version": "2.0", "rawPath": "/v1/doctor", "body": "e30.e30.AQID",
            "headers": {"content-type": "application/secevent+jwt"}, "isBase64Encoded": false,
            "requestContext": {"http": {"method": method}, "domainName": "api.example"},
        })
    };
    let answer = stack.invoke(Name::Ingest, payload("POST")).await;
    assert_eq!(answer["statusCode"], 400);
    let answer = stack.invoke(Name::Ingest, payload("GET")).await;
    assert_eq!(answer["statusCode"], 405);
    assert!(stack.ledger().await.is_empty());
    stack.stop().await;
}

#[test]
fn a_doctor_has_to_be_told_where_the_api_is() {
    for (arguments, about) in [
        (vec!["doctor"], "WORKFLOWS_URL"),
        (vec!["doctor", "--url", "http://api.example.com"], "this machine alone"),
        (vec!["--local", "doctor", "--no-round-trip", "--timeout", "5s"], "--timeout"),
    ] {
        let said = workflows(&arguments);
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains(about), "{}", said.stderr);
    }
}
