//! Crashes: the invocation ends at an await, the record was not deleted and comes again.
//!
//! Every await is tried. A crash costs one duplicate at most, and ends in one chain.

use std::collections::BTreeMap;

use domain::delivery::{Invocation, Queue, run};
use testkit::crash::polled;
use testkit::samples::{events_body, settings};
use testkit::world::{Reaction, World};

use crate::{
    NEIGHBOUR, TARGET, attempts, dead_for, drained, wait_ms, world_after_a_failure, world_with,
};

/// Works one record of a queue and crashes after so many polls; whether the work was done before.
fn is_done_after(polls: usize, world: &World, queue: Queue) -> bool {
    let message = world.receive(queue, 1).pop().expect("a visible record");
    let (settings, invocation) = (settings(), Invocation { deadline: None });
    polled(polls, run(queue, &message.body, world.execution(invocation, &settings))).is_some()
}

/// The target got it, nothing is left to do, no number was skipped and at most one attempt was
/// made twice.
fn assert_one_duplicate_at_most(world: &World, polls: usize) {
    let numbers = attempts(world, TARGET);
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for number in &numbers {
        *counts.entry(*number).or_default() += 1;
    }
    assert!(counts.keys().copied().eq(1..=highest(&numbers)), "{polls} polls, {numbers:?}");
    assert!(numbers.len() - counts.len() <= 1, "{polls} polls, {numbers:?}");
    let last = world.posts_to(TARGET).pop().expect("posts");
    assert_eq!(last.reaction, Reaction::status(200), "{polls} polls, {numbers:?}");
    assert!(world.ledger().is_empty(), "{polls} polls, {numbers:?}");
}

fn highest(numbers: &[u32]) -> u32 {
    numbers.iter().max().copied().expect("attempts")
}

#[tokio::test]
async fn f08_a_crash_at_any_await_of_a_first_attempt_ends_in_one_chain() {
    for polls in 0.. {
        let world = world_with([500, 500, 500].map(Reaction::status));
        if is_done_after(polls, &world, Queue::Events) {
            assert!(polls > 8, "the crashes are real");
            return;
        }
        drained(&world).await;
        assert_one_duplicate_at_most(&world, polls);
    }
}

#[tokio::test]
async fn f08_a_crash_at_any_await_of_a_later_attempt_ends_in_one_chain() {
    for polls in 0.. {
        let world = world_after_a_failure([500, 500].map(Reaction::status)).await;
        world.advance_ms(wait_ms(&world) + 1_000);
        if is_done_after(polls, &world, Queue::Retries) {
            assert!(polls > 8, "the crashes are real");
            return;
        }
        drained(&world).await;
        assert_one_duplicate_at_most(&world, polls);
    }
}

#[tokio::test]
async fn f09_a_crash_after_the_target_took_it_is_a_duplicate_of_the_same_id_and_ends() {
    for queue in [Queue::Events, Queue::Retries] {
        for polls in 0.. {
            let world = match queue {
                Queue::Events => world_with([]),
                Queue::Retries => world_after_a_failure([]).await,
            };
            world.set_now(world.next_visible_at().expect("a record"));
            let before = world.posts().len();
            if is_done_after(polls, &world, queue) {
                break;
            }
            drained(&world).await;
            let posts = world.posts();
            assert!((1..=2).contains(&(posts.len() - before)), "{queue:?}, {polls} polls");
            assert!(posts.iter().all(|post| post.headers.id == posts[0].headers.id));
            assert!(world.ledger().is_empty(), "{queue:?}, {polls} polls");
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_await_of_giving_up_leaves_one_dead_letter() {
    for polls in 0.. {
        let world = world_after_a_failure([]).await;
        world.unsubscribe("s1");
        world.advance_ms(wait_ms(&world) + 1_000);
        if is_done_after(polls, &world, Queue::Retries) {
            return;
        }
        drained(&world).await;
        assert_eq!(dead_for(&world).as_deref(), Some("subscription_deleted"), "{polls} polls");
        assert_eq!(attempts(&world, TARGET), [1], "{polls} polls");
    }
}

#[tokio::test]
async fn f12_a_crash_in_a_fan_out_is_a_duplicate_at_most_for_each_target() {
    for polls in 0.. {
        let world = world_with([Reaction::status(410)]);
        world.subscribe("s2", NEIGHBOUR);
        world.put(Queue::Events, events_body(&["e2"]));
        if is_done_after(polls, &world, Queue::Events) {
            return;
        }
        drained(&world).await;
        let posts = world.posts_to(NEIGHBOUR);
        for event in ["e1", "e2"] {
            let times = posts.iter().filter(|post| post.jti() == event).count();
            assert!((1..=2).contains(&times), "{event}, {polls} polls");
        }
    }
}
