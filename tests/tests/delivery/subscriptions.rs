//! What changes between two attempts: a retry goes by the subscription as it stands then.

use domain::delivery::Queue;
use domain::ledger::Reason;
use serde_json::json;
use testkit::samples::property;
use testkit::world::World;

use crate::{TARGET, attempts, dead_for, is_dead, only_item, settled_later, world_after_a_failure};

const MOVED: &str = "https://moved.example.com/hook";

/// The next wake-up finds nobody to deliver to.
async fn assert_given_up(world: &World, reason: &Reason) {
    let reports = settled_later(world, Queue::Retries).await;
    assert!(is_dead(&reports[0], reason), "{:?}", reports[0].disposition);
    assert_eq!((reports[0].attempt, reports[0].outcome), (1, None));
    assert_eq!(dead_for(world), Some(reason.to_string()));
    let item = only_item(world);
    assert_eq!((item.attempt, item.last_outcome.as_str()), (1, "http_500"), "as it was left");
    assert_eq!(world.posts().len(), 1, "only the first attempt's");
    assert_eq!(world.next_visible_at(), None);
}

#[tokio::test]
async fn f20_a_subscription_that_was_disabled_is_not_posted_to_again() {
    let world = world_after_a_failure([]).await;
    world.subscribe_with("s1", TARGET, &json!({"enabled": false}));
    assert_given_up(&world, &Reason::SubscriptionDisabled).await;
}

#[tokio::test]
async fn f20_a_subscription_that_was_deleted_is_not_posted_to_again() {
    let world = world_after_a_failure([]).await;
    world.unsubscribe("s1");
    world.subscribe("s2", MOVED);
    assert_given_up(&world, &Reason::SubscriptionDeleted).await;
}

#[tokio::test]
async fn a_subscription_that_became_unreadable_is_not_posted_to_again() {
    let world = world_after_a_failure([]).await;
    world.put_subscription_row(&property(), "s1", json!({"endpoint": TARGET, "enabled": "yes"}));
    assert_given_up(&world, &Reason::SubscriptionUnreadable).await;
}

#[tokio::test]
async fn f20_a_retry_goes_to_the_url_as_it_is_now() {
    let world = world_after_a_failure([]).await;
    world.subscribe("s1", MOVED);
    settled_later(&world, Queue::Retries).await;
    assert_eq!((attempts(&world, TARGET), attempts(&world, MOVED)), (vec![1], vec![2]));
    assert_eq!(world.posts_to(MOVED)[0].payload()["aud"], json!([MOVED]));
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn a_url_that_became_one_we_do_not_post_to_is_a_dead_letter() {
    let world = world_after_a_failure([]).await;
    world.subscribe("s1", "https://10.0.0.1/hook");
    settled_later(&world, Queue::Retries).await;
    assert_eq!(dead_for(&world).as_deref(), Some("egress_blocked"));
    assert_eq!(world.posts().len(), 1);
}

#[tokio::test]
async fn a_limit_that_was_lowered_counts_at_the_next_attempt() {
    let world = world_after_a_failure([testkit::world::Reaction::status(500)]).await;
    world.subscribe_with("s1", TARGET, &json!({"retry": {"attemptsMax": 2}}));
    settled_later(&world, Queue::Retries).await;
    assert_eq!(dead_for(&world).as_deref(), Some("exhausted:http_500"));
    assert_eq!(attempts(&world, TARGET), [1, 2]);
}

#[tokio::test]
async fn a_subscription_that_no_longer_wants_this_event_is_not_posted_to_again() {
    let world = world_after_a_failure([]).await;
    world.subscribe_with("s1", TARGET, &json!({"eventTypes": ["userDeleted"]}));
    assert_given_up(&world, &Reason::SubscriptionChanged).await;
}
