//! Wake-ups: the ledger is the truth, a wake-up only claims it.

use domain::delivery::{Invocation, OurFault, Ports, Queue, run};
use domain::ledger::Claim;
use domain::limits::LEASE_MS;
use domain::time::Timestamp;
use testkit::samples::{settings, wakeup_body};
use testkit::world::{Call, Fault, Reaction, World};

use crate::{
    TARGET, attempts, dead_for, drained, only_item, only_wakeup, returned, settled, settled_later,
    wait_ms, wakeup_of_item, world_after_a_failure,
};

/// Puts the wake-up of the only ledger item on the queue once more.
fn wake_again(world: &World) {
    world.put(Queue::Retries, wakeup_body(&wakeup_of_item(world)));
}

/// Removes the wake-up that was sent, so that a story has only its own.
fn forget_wakeup(world: &World) {
    let id = only_wakeup(world).id;
    world.delete(Queue::Retries, &id);
}

#[tokio::test]
async fn of_two_wake_ups_of_the_same_attempt_one_posts() {
    let world = world_after_a_failure([500].map(Reaction::status)).await;
    wake_again(&world);
    world.set_now(later_wakeup(&world));
    assert_eq!(settled(&world, Queue::Retries).await.len(), 1);
    assert!(settled(&world, Queue::Retries).await.is_empty(), "the twin goes away");
    assert_eq!(attempts(&world, TARGET), [1, 2]);
    drained(&world).await;
    assert_eq!(attempts(&world, TARGET), [1, 2, 3]);
    assert!(world.ledger().is_empty());
}

/// When the later of two wake-ups is visible.
fn later_wakeup(world: &World) -> Timestamp {
    let wakeups = world.messages(Queue::Retries);
    assert_eq!(wakeups.len(), 2);
    wakeups.iter().map(|message| message.visible_at).max().expect("two")
}

#[tokio::test]
async fn twins_that_are_worked_at_the_same_time_post_once() {
    let world = world_after_a_failure([]).await;
    let body = only_wakeup(&world).body;
    world.advance_ms(wait_ms(&world));
    let settings = settings();
    let invocation = Invocation { deadline: None };
    let work = || run(Queue::Retries, &body, world.execution(invocation, &settings));
    futures_util::future::join_all((0..3).map(|_| work())).await;
    assert_eq!(attempts(&world, TARGET), [1, 2]);
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn f22_an_early_wake_up_posts_nothing_and_comes_again_when_it_is_time() {
    let world = world_after_a_failure([]).await;
    forget_wakeup(&world);
    wake_again(&world);
    world.advance_ms(10_000);
    let left_ms = wait_ms(&world);
    assert!(settled(&world, Queue::Retries).await.is_empty());
    assert_eq!(attempts(&world, TARGET), [1]);
    let again = only_wakeup(&world);
    assert_eq!(u64::from(again.delay_s), left_ms.div_ceil(1_000));
    assert_eq!(again.group.as_deref(), Some("s1"));
    settled_later(&world, Queue::Retries).await;
    assert_eq!(attempts(&world, TARGET), [1, 2]);
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn an_early_wake_up_that_cannot_be_sent_again_is_returned() {
    let world = world_after_a_failure([]).await;
    forget_wakeup(&world);
    wake_again(&world);
    world.fault_next(Call::Wake, [Some(Fault::NotDone)]);
    assert_eq!(returned(&world, Queue::Retries).await, OurFault::Queue);
    drained(&world).await;
    assert_eq!(attempts(&world, TARGET), [1, 2]);
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn a_wake_up_that_finds_a_lease_goes_away_and_one_after_it_claims() {
    let world = world_after_a_failure([]).await;
    forget_wakeup(&world);
    world.advance_ms(wait_ms(&world));
    let now = world.now();
    let until = now.plus_ms(LEASE_MS);
    let someone_elses = world.claim(&wakeup_of_item(&world), now, until).await;
    assert!(matches!(someone_elses, Ok(Claim::Claimed(..))));

    world.set_now(until);
    wake_again(&world);
    assert!(settled(&world, Queue::Retries).await.is_empty());
    assert_eq!(world.next_visible_at(), None, "the wake-up is gone");
    assert_eq!(attempts(&world, TARGET), [1]);

    world.advance_ms(1);
    wake_again(&world);
    settled(&world, Queue::Retries).await;
    assert_eq!(attempts(&world, TARGET), [1, 2]);
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn f16_whoever_lost_its_lease_leaves_the_item_to_its_new_holder() {
    let world = world_after_a_failure([500, 500].map(Reaction::status)).await;
    let body = only_wakeup(&world).body;
    world.advance_ms(wait_ms(&world));
    let settings = settings();
    let invocation = Invocation { deadline: None };
    let work = || run(Queue::Retries, &body, world.execution(invocation, &settings));
    let second = async {
        while world.posts().len() < 2 {
            tokio::task::yield_now().await;
        }
        world.advance_ms(LEASE_MS + 1);
        work().await
    };
    futures_util::future::join(work(), second).await;
    assert_eq!(attempts(&world, TARGET), [1, 2, 2], "a duplicate, and no more");
    assert_eq!(only_item(&world).attempt, 2);
    drained(&world).await;
    assert_eq!(attempts(&world, TARGET), [1, 2, 2, 3]);
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn a_wake_up_of_what_is_done_goes_away() {
    let world = world_after_a_failure([]).await;
    let stale = wakeup_body(&wakeup_of_item(&world));
    drained(&world).await;
    assert_eq!(attempts(&world, TARGET), [1, 2]);
    world.put(Queue::Retries, stale);
    assert!(settled(&world, Queue::Retries).await.is_empty());
    assert_eq!(world.next_visible_at(), None);
    assert_eq!(attempts(&world, TARGET), [1, 2]);
}

#[tokio::test]
async fn an_item_that_cannot_be_read_becomes_a_dead_letter_and_is_not_woken_again() {
    let world = world_after_a_failure([]).await;
    world.spoil(&wakeup_of_item(&world).delivery_id);
    assert!(settled_later(&world, Queue::Retries).await.is_empty());
    assert_eq!(dead_for(&world).as_deref(), Some("item_unreadable"));
    assert_eq!(attempts(&world, TARGET), [1]);
    assert!(world.due().is_empty());
}
