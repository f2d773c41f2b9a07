//! Scaled time: waiting is shortened, work is not. The time is the process's, so these stories have
//! a process of their own, and take turns in it.

use std::time::Duration;

use adapters::clock::now;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use local::console::Console;
use local::demo::outage::{self, Plan};
use local::{Local, Options};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout};

/// Nothing here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_mins(5);
const MINUTE_MS: u64 = 60_000;

static TURN: Mutex<()> = Mutex::const_new(());

async fn start() -> (Local, MutexGuard<'static, ()>) {
    let turn = TURN.lock().await;
    let time_scale = "100000".parse().expect("a scale");
    let options = Options { time_scale, ..Options::ephemeral() };
    (Local::start(&options).await.expect("the stack starts"), turn)
}

#[tokio::test]
async fn f18_hours_of_outage_burn_no_attempts_of_what_is_held_and_everything_arrives_once() {
    let (local, _turn) = start().await;
    let plan = Plan { events: 12, every_ms: 2 * MINUTE_MS, down_ms: 120 * MINUTE_MS };
    let played = timeout(PATIENCE, outage::run(&local, plan, Console::new(true)));
    let outcome = played.await.expect("it ends");
    assert_eq!(outcome.troubles, Vec::<String>::new());
    assert_eq!((outcome.events, outcome.arrived_once), (12, 12));
    assert!(outcome.held_max >= 10, "{outcome:?}");
    // One at a time while it was down, and then one an event.
    assert!(outcome.failed_probes >= 5, "{outcome:?}");
    assert_eq!(outcome.attempts, outcome.failed_before + outcome.failed_probes + 12);
    assert!(outcome.attempts < outcome.attempts_unheld / 2, "{outcome:?}");

    let scan = local.clients().dynamodb.scan().table_name("deliveries").send().await;
    let items = scan.expect("the ledger is read").items.unwrap_or_default();
    let left: Vec<_> = items.iter().map(|item| (&item["pk"], &item["state"])).collect();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let breaker = (text("BREAKER#PROPERTY#outage-demo#outage"), text("closed"));
    assert_eq!(left, [(&breaker.0, &breaker.1)]);
    local.stop().await.expect("it stops");
}

#[tokio::test]
async fn time_is_skipped_while_nobody_works_and_only_then() {
    let (local, _turn) = start().await;
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let work = local.clock().begin();
    let (began, began_at) = (Instant::now(), now());
    for _ in 0..20 {
        http.get(format!("{}/health", local.api_url())).send().await.expect("an answer");
    }
    let passed_ms = now().since_ms(began_at);
    // A rounding of either clock.
    assert!(u128::from(passed_ms) <= began.elapsed().as_millis() + 2, "{passed_ms} ms");

    drop(work);
    let later = began_at.plus_ms(60 * MINUTE_MS);
    let due = timeout(PATIENCE, local.clock().wait_until(later)).await.expect("it is due");
    assert!(now() >= later);
    assert!(now().since_ms(later) < 10_000, "it is noticed at once, and work does not wait");
    drop(due);
    local.stop().await.expect("it stops");
}

#[tokio::test]
async fn a_delayed_message_comes_when_its_time_has_come() {
    let (local, _turn) = start().await;
    let sqs = &local.clients().sqs;
    // A queue that no function works.
    let queue_url = local.aws().account().queue_url("events-dead-letter");
    let delayed = async || {
        let delayed = QueueAttributeName::ApproximateNumberOfMessagesDelayed;
        let get = sqs.get_queue_attributes().queue_url(&queue_url).attribute_names(delayed.clone());
        let attributes = get.send().await.expect("an answer").attributes.unwrap_or_default();
        attributes[&delayed].clone()
    };
    let send = |body: &str| {
        sqs.send_message().queue_url(&queue_url).message_body(body).delay_seconds(900).send()
    };
    let work = local.clock().begin();
    send("purged").await.expect("it is sent");
    sqs.purge_queue().queue_url(&queue_url).send().await.expect("it is purged");
    assert_eq!(delayed().await, "0");
    let sent_at = now();
    let answer = send("hello").await.expect("it is sent");
    // MD5 of `hello`.
    assert_eq!(answer.md5_of_message_body(), Some("5d41402abc4b2a76b9719d911017c592"));
    assert!(answer.message_id().is_some());
    assert_eq!(delayed().await, "1");
    drop(work);

    let receive = sqs.receive_message().queue_url(&queue_url).wait_time_seconds(20);
    let messages = receive.send().await.expect("an answer").messages.unwrap_or_default();
    let bodies: Vec<_> = messages.iter().filter_map(|message| message.body()).collect();
    assert_eq!(bodies, ["hello"]);
    assert!(now().since_ms(sent_at) >= 900_000);
    assert_eq!(delayed().await, "0");

    let nowhere = local.aws().account().queue_url("nowhere");
    let refused = sqs.send_message().queue_url(nowhere).message_body("x").delay_seconds(1).send();
    let refused = refused.await.expect_err("no such queue").into_service_error();
    assert!(refused.is_queue_does_not_exist(), "{refused:?}");
    local.stop().await.expect("it stops");
}
