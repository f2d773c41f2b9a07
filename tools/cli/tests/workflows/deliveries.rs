//! Deliveries: listed, looked at, and redriven through the real functions.

use aws_sdk_dynamodb::types::AttributeValue;
use local::aws::{Fault, Service};
use local::samples;
use serde_json::{Value, json};
use testkit::receiver::Receiver;

use crate::stack::{Item, Stack, text};

/// A stack in which the deliveries of these events to `flaky` were given up after one attempt.
async fn stack_with_dead_letters(events: &[&str], receiver: &Receiver) -> Stack {
    let stack = Stack::start().await;
    receiver.script_statuses("/hook", events.iter().map(|_| 500).chain([200]));
    stack.subscribe("flaky", &receiver.url("/hook"), 1).await;
    stack.deliver(events).await;
    assert_eq!(stack.ledger().await.len(), events.len());
    stack
}

/// The dead letter of an event.
async fn dead_letter(stack: &Stack, event: &str) -> Item {
    let items = stack.ledger().await;
    items.into_iter().find(|item| text(item, "eventId") == event).expect("a dead letter")
}

/// The payload's part of a compact JWS.
fn payload(token: &[u8]) -> &[u8] {
    token.split(|octet| *octet == b'.').nth(1).expect("three parts")
}

fn answers(objects: &[Value]) -> Vec<&Value> {
    objects.iter().filter_map(|object| object.get("answer")).collect()
}

/// A ledger item that is no dead letter, as it would be written by the delivery function.
fn waiting(id: &str, state: &str) -> Item {
    let s = |text: &str| AttributeValue::S(text.to_owned());
    let n = |number: u64| AttributeValue::N(number.to_string());
    let at = 4_000_000_000_000;
    [
        ("pk", s(id)),
        ("state", s(state)),
        ("subscriptionId", s("flaky")),
        ("scope", s(samples::PROPERTY)),
        ("eventId", s(&format!("event-of-{id}"))),
        ("event", s("{}")),
        ("lastOutcome", s("http_503")),
        ("attempt", n(2)),
        ("nextAt", n(at)),
        ("createdAt", n(at)),
        ("updatedAt", n(at)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_that_was_given_up_is_redriven_as_the_same_delivery() {
    let receiver = Receiver::start().await;
    let stack = stack_with_dead_letters(&["e1"], &receiver).await;
    let id = text(&dead_letter(&stack, "e1").await, "pk").to_owned();

    let said = stack.workflows(&["deliveries", "redrive", &id]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains(&format!("{id}  redriven due at ")), "{}", said.stdout);
    assert!(said.stdout.ends_with("1 redriven.\n"), "{}", said.stdout);
    let item = dead_letter(&stack, "e1").await;
    assert_eq!(text(&item, "state"), "pending");
    assert!(!item.contains_key("ttl"), "it does not expire while it waits");

    let said = stack.workflows(&["deliveries", "redrive", &id]).await;
    assert_eq!(said.code, 3);
    assert!(said.stdout.contains("is no dead letter: it waits for attempt 2"), "{}", said.stdout);

    assert_eq!(stack.sweep().await["woken"], 1);
    stack.is_done("flaky").await;
    let requests = receiver.wait_for(2).await;
    for (request, attempt) in requests.iter().zip(["1", "2"]) {
        assert_eq!(request.header("webhook-id"), Some(&*id));
        assert_eq!(request.header("webhook-attempt"), Some(attempt));
    }
    let payloads = requests.iter().map(|request| payload(&request.body));
    let payloads: Vec<&[u8]> = payloads.collect();
    assert_eq!(payloads[0], payloads[1], "the same notification, `jti` and all");
    assert_eq!(receiver.requests().len(), 2);

    let said = stack.workflows(&["deliveries", "redrive", &id, "--output", "json"]).await;
    assert_eq!(said.code, 3);
    assert_eq!(answers(&said.objects()), [&json!("not_in_ledger")]);
    let said = stack.workflows(&["deliveries", "show", &id]).await;
    assert_eq!(said.code, 3);
    assert!(
        said.stdout.contains("is not in this stack's ledger: it was delivered"),
        "{}",
        said.stdout
    );
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_counted_first_and_redriven_at_their_pace() {
    let receiver = Receiver::start().await;
    let stack = stack_with_dead_letters(&["e1", "e2", "e3"], &receiver).await;
    let filters = ["--subscription", "flaky", "--reason", "exhausted", "--since", "2h"];
    let redrive = |more: &[&'static str]| {
        [&["deliveries", "redrive", "--output", "json"], &filters[..], more].concat()
    };

    let said = stack.workflows(&redrive(&["--dry-run"])).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let plan = json!({"plan": {"matched": 3, "perMinute": 1000, "groups": [{
        "scope": samples::PROPERTY, "subscriptionId": "flaky", "reason": "exhausted:http_500",
        "count": 3, "subscription": "listening",
    }]}});
    assert_eq!(said.objects(), [plan]);
    assert_eq!(text(&dead_letter(&stack, "e1").await, "state"), "dead", "nothing was changed");

    let said = stack.workflows(&redrive(&[])).await;
    assert_eq!(said.code, 2, "nobody is there to be asked");
    assert!(said.stderr.contains("--yes"), "{}", said.stderr);

    let said = stack.workflows(&redrive(&["--yes", "--per-minute", "1"])).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let objects = said.objects();
    assert_eq!(objects.last(), Some(&json!({"summary": {"redriven": 3}})));
    let due: Vec<&str> = objects.iter().filter_map(|object| object["dueAt"].as_str()).collect();
    assert_eq!(due.len(), 3);
    assert_eq!(stack.sweep().await["woken"], 1, "the others are due later");

    let said = stack.workflows(&redrive(&["--yes"])).await;
    assert_eq!(said.code, 3, "a repeated redrive finds nothing left");
    assert_eq!(said.objects()[0]["plan"]["matched"], 0);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_filtered_and_shows_no_event() {
    let receiver = Receiver::start().await;
    let stack = stack_with_dead_letters(&["e1", "e2"], &receiver).await;
    stack.put("deliveries", waiting("dlv_pending", "pending")).await;
    stack.put("deliveries", waiting("dlv_held", "held")).await;
    let list = async |more: &[&'static str]| {
        let all = [&["deliveries", "list", "--output", "json"], more].concat();
        let said = stack.workflows(&all).await;
        assert_eq!(said.code, 0, "{more:?}: {}", said.stderr);
        let mut events: Vec<String> = said
            .objects()
            .iter()
            .map(|object| object["eventId"].as_str().expect("an event").to_owned())
            .collect();
        events.sort();
        events
    };
    for more in [
        vec![],
        vec!["--subscription", "flaky"],
        vec!["--property", "demo-property", "--reason", "exhausted:http_500"],
        vec!["--since", "1h", "--until", "0s"],
    ] {
        assert_eq!(list(&more).await, ["e1", "e2"], "{more:?}");
    }
    assert_eq!(list(&["--event", "e2"]).await, ["e2"]);
    assert_eq!(list(&["--limit", "1"]).await.len(), 1);
    assert_eq!(list(&["--state", "held"]).await, ["event-of-dlv_held"]);
    assert_eq!(list(&["--state", "all", "--subscription", "flaky"]).await.len(), 4);
    for more in [
        vec!["--client", "demo-property"],
        vec!["--until", "1h"],
        vec!["--reason", "http_500"],
        vec!["--subscription", "nobody"],
    ] {
        assert!(list(&more).await.is_empty(), "{more:?}");
    }

    let said = stack.workflows(&["deliveries", "list", "--state", "all"]).await;
    assert!(said.stdout.starts_with("DELIVERY"), "{}", said.stdout);
    assert!(said.stdout.contains("exhausted:http_500"), "{}", said.stdout);
    assert!(!said.stdout.contains('\u{1b}'), "no colour in a pipe");
    assert!(!said.stdout.contains("secret"), "no event is shown");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_is_shown_with_its_history() {
    let receiver = Receiver::start().await;
    let stack = stack_with_dead_letters(&["e1"], &receiver).await;
    receiver.script_statuses("/hook", [410]);
    let id = text(&dead_letter(&stack, "e1").await, "pk").to_owned();
    let said = stack.workflows(&["deliveries", "show", &id, "--output", "json"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let object = said.objects().remove(0);
    assert_eq!(
        (&object["state"], &object["reason"], &object["attempt"], &object["history"]),
        (&json!("dead"), &json!("exhausted:http_500"), &json!(1), &json!([]))
    );

    assert_eq!(stack.workflows(&["deliveries", "redrive", &id]).await.code, 0);
    let said = stack.workflows(&["deliveries", "show", &id, "--output", "json"]).await;
    let history = &said.objects()[0]["history"];
    assert_eq!(history[0]["reason"], "exhausted:http_500");
    assert_eq!(history[0]["attempt"], 1);
    assert_eq!(history[0]["at"], object["updatedAt"]);
    let said = stack.workflows(&["deliveries", "show", &id]).await;
    assert!(said.stdout.contains("given up"), "{}", said.stdout);
    assert!(!said.stdout.contains("secret"), "no event is shown");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_listens_for_stays_and_is_announced() {
    let receiver = Receiver::start().await;
    let stack = stack_with_dead_letters(&["e1"], &receiver).await;
    let mut row =
        samples::row(samples::PROPERTY, "flaky", "user_data_change", &receiver.url("/hook"));
    row.insert("enabled".to_owned(), AttributeValue::Bool(false));
    stack.put("subscriptions", row).await;
    let said = stack.workflows(&["deliveries", "redrive", "--all", "--yes"]).await;
    assert_eq!(said.code, 3);
    assert!(said.stdout.contains("will stay: the subscription is disabled"), "{}", said.stdout);
    assert!(said.stdout.contains("stays a dead letter"), "{}", said.stdout);
    assert!(said.stdout.ends_with("1 subscription_disabled.\n"), "{}", said.stdout);
    assert_eq!(text(&dead_letter(&stack, "e1").await, "state"), "dead");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_cannot_be_read_is_named_and_left_alone() {
    let receiver = Receiver::start().await;
    let stack = stack_with_dead_letters(&["e1"], &receiver).await;
    let mut odd = waiting("dlv_odd", "dead");
    odd.remove("reason");
    stack.put("deliveries", odd).await;
    let said = stack.workflows(&["deliveries", "list", "--output", "json"]).await;
    assert_eq!((said.code, said.objects().len()), (0, 1));
    assert!(said.stderr.contains("dlv_odd cannot be read"), "{}", said.stderr);
    let said = stack.workflows(&["deliveries", "redrive", "dlv_odd", "--output", "json"]).await;
    assert_eq!(said.code, 3);
    assert_eq!(answers(&said.objects()), [&json!("item_unreadable")]);
    assert_eq!(stack.workflows(&["deliveries", "show", "dlv_odd"]).await.code, 3);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_is_down_is_a_failure_and_nothing_is_changed() {
    let receiver = Receiver::start().await;
    let stack = stack_with_dead_letters(&["e1"], &receiver).await;
    let id = text(&dead_letter(&stack, "e1").await, "pk").to_owned();
    stack.local.aws().faults().set(Fault::Down(Service::DynamoDb));
    let said = stack.workflows(&["deliveries", "redrive", &id]).await;
    assert_eq!(said.code, 1, "{}", said.stdout);
    assert!(said.stderr.contains("nothing succeeds any more"), "{}", said.stderr);
    stack.local.aws().faults().clear_all();
    assert_eq!(text(&dead_letter(&stack, "e1").await, "state"), "dead");
    stack.stop().await;
}

/// One tenant's operator names a subscription whose ID another tenant uses too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a81_a_redrive_never_reaches_into_another_scope_by_a_subscription_s_id() {
    let receiver = Receiver::start().await;
    let stack = stack_with_dead_letters(&["e1", "e2"], &receiver).await;
    let mut theirs = dead_letter(&stack, "e2").await;
    theirs.insert("scope".to_owned(), AttributeValue::S("CLIENT#theirs".to_owned()));
    stack.put("deliveries", theirs).await;
    let redrive = ["deliveries", "redrive", "--subscription", "flaky", "--yes"];
    let said = stack.workflows(&redrive).await;
    assert_eq!(said.code, 2, "{}", said.stdout);
    assert!(said.stderr.contains("more than one scope"), "{}", said.stderr);
    let said = stack.workflows(&[&redrive[..], &["--property", "demo-property"]].concat()).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(text(&dead_letter(&stack, "e1").await, "state"), "pending");
    assert_eq!(text(&dead_letter(&stack, "e2").await, "state"), "dead");
    stack.stop().await;
}
