//! Inline first, queue on failure.

use domain::delivery::{Disposition, Queue};
use domain::ledger::State;
use domain::limits::ATTEMPT_TIMEOUT_DEFAULT_MS;
use domain::message::QueueMessage;
use domain::time::Deadline;
use serde_json::json;
use testkit::samples::{START, delivery_id};
use testkit::world::{Call, Reaction};

use crate::{
    NEIGHBOUR, TARGET, attempts, drained, only_item, only_wakeup, settled, wait_ms, wakeup_of_item,
    world_with,
};

#[tokio::test]
async fn a_healthy_target_is_sent_once_without_ledger_and_without_wake_up() {
    let world = world_with([]);
    let reports = settled(&world, Queue::Events).await;
    assert_eq!(reports[0].disposition, Disposition::Delivered);
    assert_eq!(attempts(&world, TARGET), [1]);
    for call in [Call::Record, Call::Claim, Call::Settle, Call::Wake, Call::SendPortions] {
        assert_eq!(world.calls(call), 0, "{call:?}");
    }
    assert_eq!(world.next_visible_at(), None);
}

#[tokio::test]
async fn a_notification_says_what_happened_to_whom_and_when_to_give_up() {
    let world = world_with([]);
    world.advance_ms(1_234);
    settled(&world, Queue::Events).await;
    let post = world.posts().remove(0);
    assert_eq!(
        post.payload(),
        json!({
            "iss": "https://idp.example.com", "iat": START.as_s(), "jti": "e1",
            "aud": [TARGET], "toe": START.minus_ms(250).as_s(),
            "events": {"account/v1/userCreated": {
                "sub": "u1", "propertyId": "p1", "clientId": "c1",
                "dataSourceInfo": {"entityType": "user"},
            }},
        })
    );
    assert_eq!(post.headers.id, delivery_id("e1", "s1"));
    assert_eq!(post.headers.timestamp, START.plus_ms(1_234));
    let timeout_ms = 1_234 + u64::from(ATTEMPT_TIMEOUT_DEFAULT_MS);
    assert_eq!(post.deadline, Deadline::at(START.plus_ms(timeout_ms)));
}

#[tokio::test]
async fn a_target_that_fails_gets_one_ledger_item_and_one_wake_up_and_its_neighbour_one_post() {
    let world = world_with([Reaction::status(503)]);
    world.subscribe("s2", NEIGHBOUR);
    let reports = settled(&world, Queue::Events).await;
    assert_eq!(reports.len(), 2);

    let item = only_item(&world);
    assert_eq!(item.delivery_id, delivery_id("e1", "s1"));
    assert_eq!((item.attempt, item.last_outcome.as_str()), (1, "http_503"));
    let wait_ms = wait_ms(&world);
    assert!((24_000..=36_000).contains(&wait_ms), "{wait_ms}");

    let message = only_wakeup(&world);
    assert_eq!(u64::from(message.delay_s), wait_ms.div_ceil(1_000));
    assert_eq!(message.group.as_deref(), Some("s1"));
    let wakeup = wakeup_of_item(&world);
    assert!(
        matches!(QueueMessage::parse(&message.body), Ok(QueueMessage::RetryV1(w)) if w == wakeup)
    );

    drained(&world).await;
    assert_eq!((attempts(&world, TARGET), attempts(&world, NEIGHBOUR)), (vec![1, 2], vec![1]));
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn a_subscription_that_is_disabled_or_not_meant_is_not_posted_to() {
    let world = world_with([]);
    world.subscribe_with("off", "https://off.example.com/", &json!({"enabled": false}));
    world.subscribe_with(
        "other",
        "https://o.example.com/",
        &json!({"eventTypes": ["userDeleted"]}),
    );
    settled(&world, Queue::Events).await;
    assert_eq!(world.posts().len(), 1);
}

#[tokio::test]
async fn an_event_without_subscriptions_is_settled() {
    let world = world_with([]);
    world.unsubscribe("s1");
    assert!(settled(&world, Queue::Events).await.is_empty());
    assert_eq!(world.next_visible_at(), None);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_costs_no_neighbour_its_notification() {
    let world = world_with([]);
    world.put_subscription_row(&testkit::samples::property(), "odd", json!({"enabled": "yes"}));
    settled(&world, Queue::Events).await;
    assert_eq!(attempts(&world, TARGET), [1]);
}

#[tokio::test]
async fn an_answer_after_the_deadline_is_a_time_out() {
    let world = world_with([]);
    let settings = testkit::samples::settings();
    let message = world.receive(Queue::Events, 1).remove(0);
    let invocation = domain::delivery::Invocation { deadline: None };
    let execution = world.execution(invocation, &settings);
    let work = domain::delivery::run(Queue::Events, &message.body, execution);
    let clock_jump = async {
        while world.posts().is_empty() {
            tokio::task::yield_now().await;
        }
        world.advance_ms(u64::from(ATTEMPT_TIMEOUT_DEFAULT_MS) + 1);
    };
    futures_util::future::join(work, clock_jump).await;
    let item = only_item(&world);
    assert_eq!(item.last_outcome, "timeout");
    assert!(matches!(item.state, State::Pending { .. }));
}

#[tokio::test]
async fn what_a_subscription_does_not_list_does_not_leave() {
    let world = world_with([]);
    world.subscribe_with("s1", TARGET, &json!({"fields": []}));
    world.subscribe("s2", NEIGHBOUR);
    drained(&world).await;
    let sent = |url: &str| {
        let payload = world.posts_to(url)[0].payload();
        payload["events"]["account/v1/userCreated"].as_object().expect("data").clone()
    };
    assert_eq!(sent(TARGET).keys().collect::<Vec<_>>(), ["clientId", "propertyId", "sub"]);
    assert!(sent(NEIGHBOUR).len() > 3, "the neighbour is sent all of it");
}
