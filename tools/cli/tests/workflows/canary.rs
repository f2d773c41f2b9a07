//! Nothing personal and nothing secret in what the commands print, at the loudest of logs.

use aws_sdk_dynamodb::types::AttributeValue;
use local::aws::{Fault, Service};
use local::samples;
use testkit::canary::{Canary, sightings};
use testkit::receiver::{Receiver, Reply};

use crate::explain::file;
use crate::stack::{Stack, text, workflows_with};

const QUERY: &str = "canaryqquery4711";
const REPLY: &str = "canaryqreply4712";
const RECORD: &str = "canaryqrecord4713";
const SECRET: &str = "canaryqsecret4714";

/// What [`Stack::deliver`] puts into every event.
const EVENT: [&str; 2] = ["secret-sub-of-it", "secret-data-of-it"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a52_no_command_prints_an_event_a_query_a_reply_or_a_credential() {
    let receiver = Receiver::start().await;
    let stack = Stack::start().await;
    receiver.script("/hook", [Reply::status(500).header("location", REPLY).body(REPLY)]);
    let endpoint = format!("{}?token={QUERY}", receiver.url("/hook"));
    stack.subscribe("flaky", &endpoint, 1).await;
    stack.deliver(&["e1", "e2"]).await;
    let id = text(&stack.ledger().await[0], "pk").to_owned();
    let mut unreadable = stack.ledger().await.remove(1);
    unreadable.insert("state".to_owned(), AttributeValue::S("dead".to_owned()));
    unreadable.remove("attempt");
    stack.put("deliveries", unreadable).await;
    let mut row = samples::row(samples::PROPERTY, "odd", "user_data_change", &endpoint);
    row.remove("enabled");
    stack.put("subscriptions", row).await;
    for queue in ["events-dead-letter", "retries-dead-letter"] {
        stack.send(queue, RECORD, Some("not_a_message")).await;
    }

    let events = format!(
        r#"[{{"id":"e1","type":"userUpdated","propertyId":"demo-property","sub":"{}",
        "data":{{"note":"{}"}}}}]"#,
        EVENT[0], EVENT[1]
    );
    let events = file("canary.json", &events);
    let events = events.to_str().expect("a path");
    let [source, changed] = ["", "2"].map(|more| {
        let text = format!(
            "application: mine\npropertyId: demo-property\nissuer: i\n\
             jwksUri: https://keys.example.com/?token={QUERY}{more}\n"
        );
        file(&format!("canary{more}.yaml"), &text).to_str().expect("a path").to_owned()
    });
    let api = stack.local.api_url().to_owned();

    let mut printed = loudly(&stack, &["sources", "put", &source, "--offline"]).await;
    for round in ["up", "down"] {
        if round == "down" {
            stack.local.aws().faults().set(Fault::Down(Service::DynamoDb));
            stack.local.aws().faults().set(Fault::Down(Service::Sqs));
        }
        for command in [
            vec!["deliveries", "list", "--state", "all"],
            vec!["deliveries", "show", &id],
            vec!["deliveries", "redrive", "--all", "--dry-run"],
            vec!["deliveries", "redrive", &id],
            vec!["explain", events],
            vec!["explain", "--event", "e1", "--property", "demo-property"],
            vec!["send", events, "--url", &api, "--watch", "--for", "0s"],
            vec!["verify", events, "--url", &api],
            vec!["sources", "list"],
            vec!["sources", "put", &changed, "--offline", "--dry-run"],
            vec!["sources", "put", &changed],
            vec!["sources", "get", "--application", testkit::akamai::APPLICATION],
            vec!["sources", "disable", "--application", "mine"],
            vec!["sources", "enable", "--application", "mine"],
            vec!["sources", "delete", "--application", "mine"],
            vec!["dead-letters", "list", "--queue", "events"],
            vec!["dead-letters", "move-back", "--queue", "events", "--all", "--yes"],
            vec!["dead-letters", "move-back", "--queue", "retries", "--all", "--dry-run"],
        ] {
            for output in ["table", "json"] {
                printed += &loudly(&stack, &[&command[..], &["--output", output]].concat()).await;
            }
        }
    }
    let words = [QUERY, REPLY, RECORD, SECRET, EVENT[0], EVENT[1]];
    let canaries = words.map(|word| Canary::new(word, word));
    assert_eq!(sightings(&canaries, &printed), [""; 0]);
    for said in [
        &id,
        "exhausted:http_500",
        "not_a_message",
        "cannot be read",
        "could not be",
        "the query differs",
    ] {
        assert!(printed.contains(said), "nobody said {said:?}: {printed}");
    }
    stack.stop().await;
}

/// What a command prints that is asked to say all it can, on both of its outputs.
async fn loudly(stack: &Stack, arguments: &[&str]) -> String {
    let url = stack.local.aws().url().to_owned();
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let run = tokio::task::spawn_blocking(move || {
        let mut all = vec!["--endpoint-url", &url];
        all.extend(arguments.iter().map(String::as_str));
        let loud = [
            ("LOG_LEVEL", "trace"),
            ("RUST_LOG", "trace"),
            ("RUST_BACKTRACE", "full"),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_SESSION_TOKEN", SECRET),
        ];
        workflows_with(&all, &loud)
    });
    let said = run.await.expect("no panic");
    format!("{}{}", said.stdout, said.stderr)
}
