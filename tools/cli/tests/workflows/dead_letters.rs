//! Records set aside: listed without being taken, and moved back without being lost.

use local::aws::{Fault, Service};
use serde_json::{Value, json};

use crate::stack::{Said, Stack};

const OURS: &str = "events-dead-letter";
const UNREADABLE: &str = "no message";
const NEWER: &str = r#"{"EventsV9":{}}"#;

async fn list(stack: &Stack, more: &[&str]) -> Said {
    let list = ["dead-letters", "list", "--queue", "events", "--output", "json"];
    stack.workflows(&[&list, more].concat()).await
}

async fn move_back(stack: &Stack, more: &[&str]) -> Said {
    let move_back = ["dead-letters", "move-back", "--queue", "events", "--output", "json"];
    stack.workflows(&[&move_back, more].concat()).await
}

/// A message of events that this release can read.
fn readable(event: &str) -> String {
    let event = json!({
        "id": event, "type": "userUpdated", "source": "next_identity", "occurredAt": 1,
        "acceptedAt": 2, "scope": "PROPERTY#demo-property", "propertyId": "demo-property",
        "sub": "u1", "data": {},
    });
    json!({"EventsV1": {"events": [event]}}).to_string()
}

fn id_of(objects: &[Value], reason: &str) -> String {
    let object = objects.iter().find(|object| object["reason"] == reason).expect(reason);
    object["messageId"].as_str().expect("an ID").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_takes_nothing_and_shows_no_body_unless_it_is_asked_to() {
    let stack = Stack::start().await;
    stack.send(OURS, UNREADABLE, Some("not_a_message")).await;
    stack.send(OURS, NEWER, Some("unknown_version")).await;
    stack.send(OURS, "moved by SQS", None).await;
    for round in 1..=2 {
        let said = list(&stack, &[]).await;
        assert_eq!(said.code, 0, "{}", said.stderr);
        let objects = said.objects();
        assert_eq!(objects.len(), 3, "round {round}: shown again at once");
        let mut reasons: Vec<&str> =
            objects.iter().filter_map(|object| object["reason"].as_str()).collect();
        reasons.sort_unstable();
        assert_eq!(reasons, ["not_a_message", "receives_used_up", "unknown_version"]);
        assert!(objects.iter().all(|object| object["receives"].as_u64() == Some(round)));
        assert!(!said.stdout.contains(UNREADABLE));
    }
    let said = list(&stack, &["--show-body"]).await;
    assert!(said.objects().iter().any(|object| object["body"] == UNREADABLE));
    let said = stack.workflows(&["dead-letters", "list", "--queue", "events"]).await;
    assert!(said.stdout.starts_with("MESSAGE"), "{}", said.stdout);
    assert_eq!(said.stdout.lines().count(), 4);
    let said = stack.workflows(&["dead-letters", "list", "--queue", "retries"]).await;
    assert_eq!((said.code, said.stdout.lines().count()), (0, 1));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_readable_again_is_moved_back_and_delivered() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    stack.send(OURS, &readable("e1"), Some("unknown_version")).await;
    stack.send(OURS, UNREADABLE, Some("not_a_message")).await;
    let said = move_back(&stack, &["--reason", "unknown_version", "--dry-run"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let plan = json!({"plan": {"matched": 1, "reasons": {"unknown_version": 1}}});
    assert_eq!(said.objects(), [plan]);
    assert_eq!(move_back(&stack, &["--reason", "unknown_version"]).await.code, 2);

    let said = move_back(&stack, &["--reason", "unknown_version", "--yes"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.objects().last(), Some(&json!({"summary": {"moved_back": 1}})));
    let received = news.recv().await.expect("the target lives");
    assert_eq!(received.payload.expect("verified")["jti"], "e1");
    stack.has_bodies(OURS, &[UNREADABLE]).await;

    let said = move_back(&stack, &["--reason", "unknown_version", "--yes"]).await;
    assert_eq!(said.code, 3, "it is done already");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_moved_back_by_its_id_and_once() {
    let stack = Stack::start().await;
    let mut news = stack.local.target().news();
    stack.send(OURS, &readable("e1"), Some("unknown_version")).await;
    stack.send(OURS, NEWER, Some("invalid_content")).await;
    let id = id_of(&list(&stack, &[]).await.objects(), "unknown_version");
    let said = move_back(&stack, &[&id]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(said.objects()[0], json!({"messageId": id, "answer": "moved_back"}));
    assert_eq!(news.recv().await.expect("the target lives").attempt, "1");
    let said = move_back(&stack, &[&id]).await;
    assert_eq!(said.code, 3);
    assert_eq!(said.objects()[0], json!({"messageId": id, "answer": "not_found"}));
    stack.has_bodies(OURS, &[NEWER]).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_still_cannot_be_read_comes_back_with_the_same_reason_and_once() {
    let stack = Stack::start().await;
    stack.send(OURS, UNREADABLE, Some("not_a_message")).await;
    let said = move_back(&stack, &["--all", "--yes"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("will be set aside again"), "{}", said.stderr);
    assert_eq!(said.objects().last(), Some(&json!({"summary": {"moved_back": 1}})));
    stack.has_bodies(OURS, &[UNREADABLE]).await;
    let objects = list(&stack, &[]).await.objects();
    assert_eq!((objects.len(), &objects[0]["reason"]), (1, &json!("not_a_message")));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_whose_send_is_refused_stays_where_it_is() {
    let stack = Stack::start().await;
    stack.send(OURS, &readable("e1"), Some("unknown_version")).await;
    stack.local.aws().faults().set(Fault::BatchEntriesRefused(vec![0]));
    let said = move_back(&stack, &["--all", "--yes"]).await;
    assert_eq!(said.code, 1, "{}", said.stdout);
    assert_eq!(said.objects().last(), Some(&json!({"summary": {"not_sent": 1}})));
    stack.local.aws().faults().clear_all();
    stack.has_bodies(OURS, &[&readable("e1")]).await;
    stack.local.aws().faults().set(Fault::Down(Service::Sqs));
    assert_eq!(list(&stack, &[]).await.code, 1);
    stack.stop().await;
}
