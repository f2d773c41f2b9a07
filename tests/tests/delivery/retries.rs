//! Trying again: the schedule, and what a target asks for.

use domain::delivery::{Queue, Settings};
use domain::limits::QUEUE_DELAY_MAX_S;
use domain::outcome::Outcome;
use domain::retry::Schedule;
use testkit::poller::drain;
use testkit::samples::{delivery_id, settings, wakeup_body};
use testkit::world::Reaction;

use crate::{
    DAY_MS, TARGET, attempts, drained, only_item, only_wakeup, settled, settled_later, wait_ms,
    wakeup_of_item, world_with,
};

#[tokio::test]
async fn a_target_that_recovers_has_it_on_the_third_attempt_and_the_ledger_is_empty() {
    let world = world_with([500, 500, 200].map(Reaction::status));
    drained(&world).await;
    let posts = world.posts();
    assert_eq!(attempts(&world, TARGET), [1, 2, 3]);
    for post in &posts {
        assert_eq!(post.headers.id, delivery_id("e1", "s1"));
        assert_eq!(post.jti(), "e1");
        assert_eq!(post.payload(), posts[0].payload(), "the payload is the same on every attempt");
        assert_eq!(post.headers.timestamp, post.at, "the timestamp is fresh on each");
    }
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn f18_attempts_keep_the_documented_schedule_within_a_fifth() {
    let world = world_with([]);
    world.react_always(TARGET, Reaction::Outcome(Outcome::ConnectionFailed));
    drained(&world).await;
    let posts = world.posts();
    let waits_ms: Vec<u64> = posts.windows(2).map(|pair| pair[1].at.since_ms(pair[0].at)).collect();
    assert_eq!(waits_ms.len(), 5);
    for (wait_ms, scheduled_s) in waits_ms.into_iter().zip([30, 60, 120, 300, 900]) {
        // Delays are whole seconds, rounded up.
        let bounds = scheduled_s * 800..=(scheduled_s * 1_200).min(900_000) + 999;
        assert!(bounds.contains(&wait_ms), "{wait_ms} ms for {scheduled_s} s");
    }
}

#[tokio::test]
async fn a_wait_that_no_queue_can_carry_stands_in_the_ledger_without_a_wake_up() {
    let settings = Settings { schedule: Schedule::Patient, ..settings() };
    let world = world_with([]);
    world.react_always(TARGET, Reaction::status(500));
    drain(&world, &settings, world.now().plus_ms(DAY_MS)).await;
    assert_eq!(attempts(&world, TARGET), [1, 2, 3, 4, 5, 6]);
    assert_eq!(world.next_visible_at(), None);
    assert_eq!(only_item(&world).attempt, 6);
    let wait_ms = wait_ms(&world);
    assert!((2_880_000..=4_320_000).contains(&wait_ms), "{wait_ms}");
    assert_eq!(world.due().len(), 1);

    // Whoever finds it in the index `due` wakes it.
    world.advance_ms(wait_ms);
    world.put(Queue::Retries, wakeup_body(&wakeup_of_item(&world)));
    drain(&world, &settings, world.now().plus_ms(DAY_MS)).await;
    assert_eq!(attempts(&world, TARGET), [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn a_retry_after_is_honoured_between_the_scheduled_wait_and_twice_that() {
    for (reaction, least_ms, most_ms) in [
        (Reaction::asking(503, 45), 45_000, 45_000),
        (Reaction::asking(429, 45), 45_000, 45_000),
        (Reaction::asking(429, 3_600), 60_000, 60_000),
        (Reaction::asking(503, 1), 24_000, 36_000),
        (Reaction::asking(503, 0), 24_000, 36_000),
        (Reaction::asking(500, 45), 24_000, 36_000),
        (Reaction::status(503), 24_000, 36_000),
    ] {
        let world = world_with([reaction]);
        settled(&world, Queue::Events).await;
        let wait_ms = wait_ms(&world);
        assert!((least_ms..=most_ms).contains(&wait_ms), "{reaction:?}: {wait_ms}");
        assert_eq!(u64::from(only_wakeup(&world).delay_s), wait_ms.div_ceil(1_000));
        drained(&world).await;
        assert_eq!(attempts(&world, TARGET), [1, 2]);
    }
}

#[tokio::test]
async fn a_retry_after_beyond_what_a_queue_can_carry_stands_in_the_ledger() {
    let failures = [500, 500, 500, 500].map(Reaction::status);
    let world = world_with(failures.into_iter().chain([Reaction::asking(503, 1_800)]));
    settled(&world, Queue::Events).await;
    for _ in 2..=5 {
        settled_later(&world, Queue::Retries).await;
    }
    assert_eq!(attempts(&world, TARGET), [1, 2, 3, 4, 5]);
    assert_eq!(world.next_visible_at(), None);
    assert_eq!(wait_ms(&world), 1_800_000);
    assert!(wait_ms(&world) > u64::from(QUEUE_DELAY_MAX_S) * 1_000);
}

#[tokio::test]
async fn each_delivery_of_an_event_is_retried_for_itself() {
    let world = world_with([500, 500].map(Reaction::status));
    world.subscribe("s2", crate::NEIGHBOUR);
    world.script(crate::NEIGHBOUR, [Reaction::status(502)]);
    drained(&world).await;
    assert_eq!(attempts(&world, TARGET), [1, 2, 3]);
    assert_eq!(attempts(&world, crate::NEIGHBOUR), [1, 2]);
    assert!(world.ledger().is_empty());
}
