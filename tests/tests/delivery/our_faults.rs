//! What fails on our side: the record comes back, and no target is charged for it.
//!
//! A first attempt whose books failed is made again as a first attempt, a later one under its
//! number: numbers are never skipped. What is left when the fault is over is one chain.

use domain::delivery::{Fate, Invocation, OurFault, Queue, run};
use domain::limits::{ATTEMPT_TIMEOUT_DEFAULT_MS, DELIVERY_RESERVE_MS};
use domain::time::Deadline;
use testkit::samples::settings;
use testkit::world::{Call, Fault, Reaction, World};

use crate::{
    NEIGHBOUR, TARGET, attempts, drained, only_item, only_wakeup, returned, settled_later, wait_ms,
    wakeup_of_item, world_after_a_failure, world_with,
};

/// Every call of a first attempt that fails, the fault it is returned for, and how often the
/// target has been posted to by then.
const FIRST: [(Call, OurFault, usize); 4] = [
    (Call::Subscriptions, OurFault::Subscriptions, 0),
    (Call::Sign, OurFault::SigningKey, 0),
    (Call::Record, OurFault::Ledger, 1),
    (Call::Wake, OurFault::Queue, 1),
];

/// As [`FIRST`], of a second attempt.
const SECOND: [(Call, OurFault, usize); 5] = [
    (Call::Claim, OurFault::Ledger, 0),
    (Call::Subscriptions, OurFault::Subscriptions, 0),
    (Call::Sign, OurFault::SigningKey, 0),
    (Call::Wake, OurFault::Queue, 1),
    (Call::Settle, OurFault::Ledger, 1),
];

#[tokio::test]
async fn f08_a_first_attempt_with_a_fault_of_ours_comes_back_and_ends_in_one_chain() {
    for (call, fault, posts) in FIRST {
        for kind in [Fault::NotDone, Fault::ReplyLost] {
            let world = world_with([500, 500, 500, 200].map(Reaction::status));
            world.fault_next(call, [Some(kind)]);
            assert_eq!(returned(&world, Queue::Events).await, fault, "{call:?} {kind:?}");
            assert_eq!(world.posts().len(), posts, "{call:?} {kind:?}");
            assert!(world.ledger().iter().all(|item| item.attempt == 1), "{call:?} {kind:?}");
            drained(&world).await;
            assert_one_chain(&world, &format!("{call:?} {kind:?}"));
        }
    }
}

#[tokio::test]
async fn f08_a_later_attempt_with_a_fault_of_ours_comes_back_and_ends_in_one_chain() {
    for (call, fault, posts) in SECOND {
        for kind in [Fault::NotDone, Fault::ReplyLost] {
            let world = world_after_a_failure([500, 500, 200].map(Reaction::status)).await;
            world.fault_next(call, [Some(kind)]);
            world.set_now(only_wakeup(&world).visible_at);
            assert_eq!(returned(&world, Queue::Retries).await, fault, "{call:?} {kind:?}");
            assert_eq!(world.posts().len(), 1 + posts, "{call:?} {kind:?}");
            drained(&world).await;
            assert_one_chain(&world, &format!("{call:?} {kind:?}"));
        }
    }
}

/// The target has it, nothing is left, and no number was skipped. One attempt may have been made
/// twice: books that failed, or whose answer got lost, cannot say that it was made.
fn assert_one_chain(world: &World, story: &str) {
    let mut attempts = attempts(world, TARGET);
    let last = world.posts_to(TARGET).pop().expect("posts");
    assert_eq!(last.reaction, Reaction::status(200), "{story}: {attempts:?}");
    let made = attempts.len();
    attempts.sort_unstable();
    attempts.dedup();
    assert!(made - attempts.len() <= 1, "{story}: {made} posts for {attempts:?}");
    let highest = attempts.last().copied().expect("attempts");
    assert_eq!(attempts, (1..=highest).collect::<Vec<_>>(), "{story}");
    assert!(world.ledger().is_empty(), "{story}: the ledger is empty");
}

#[tokio::test]
async fn f03_an_outage_of_hours_charges_no_target_an_attempt() {
    for call in [Call::Subscriptions, Call::Sign, Call::Claim] {
        let world = world_after_a_failure([]).await;
        world.fault_always(call, Fault::NotDone);
        for _ in 0..60 {
            world.set_now(world.next_visible_at().expect("the wake-up"));
            returned(&world, Queue::Retries).await;
        }
        assert_eq!(only_item(&world).attempt, 1, "{call:?}");
        world.heal();
        drained(&world).await;
        assert_eq!(attempts(&world, TARGET), [1, 2], "{call:?}");
        assert!(world.ledger().is_empty(), "{call:?}");
    }
}

#[tokio::test]
async fn f08_a_record_that_comes_back_sends_its_wake_up_although_the_item_is_there() {
    let world = world_with([500, 500].map(Reaction::status));
    world.fault_next(Call::Wake, [Some(Fault::NotDone)]);
    assert_eq!(returned(&world, Queue::Events).await, OurFault::Queue);
    let written = only_item(&world);
    assert!(world.messages(Queue::Retries).is_empty());

    settled_later(&world, Queue::Events).await;
    assert_eq!(only_item(&world).created_at, written.created_at, "the first one counts");
    assert_eq!(only_wakeup(&world).body, testkit::samples::wakeup_body(&wakeup_of_item(&world)));
    drained(&world).await;
    assert_eq!(attempts(&world, TARGET), [1, 1, 2]);
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn f23_keys_that_cannot_be_read_for_hours_charge_nobody_and_end_nothing() {
    let world = world_after_a_failure([]).await;
    world.put(Queue::Events, testkit::samples::events_body(&["e2"]));
    world.fault_always(Call::Sign, Fault::NotDone);
    for _ in 0..80 {
        world.set_now(world.next_visible_at().expect("both come back"));
        testkit::poller::work_visible(&world, &settings()).await;
    }
    assert_eq!(world.posts().len(), 1, "nobody was posted to without a signature");
    assert_eq!(only_item(&world).attempt, 1, "nobody was charged");
    world.heal();
    drained(&world).await;
    assert_eq!(attempts(&world, TARGET), [1, 1, 2], "one of e2, two of e1");
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn a_neighbours_book_keeping_costs_a_healthy_target_a_duplicate_at_most() {
    let world = world_with([500, 500].map(Reaction::status));
    world.subscribe("s2", NEIGHBOUR);
    world.fault_next(Call::Record, [Some(Fault::NotDone)]);
    returned(&world, Queue::Events).await;
    drained(&world).await;
    let posts = world.posts_to(NEIGHBOUR);
    assert_eq!(attempts(&world, NEIGHBOUR), [1, 1]);
    assert_eq!(posts[0].headers.id, posts[1].headers.id, "by which the receiver drops it");
    assert_eq!(attempts(&world, TARGET), [1, 1, 2]);
}

#[tokio::test]
async fn f12_an_attempt_that_could_not_end_in_time_is_not_begun() {
    let needed_ms = u64::from(ATTEMPT_TIMEOUT_DEFAULT_MS) + DELIVERY_RESERVE_MS;
    for (left_ms, posts) in [(0, 0), (needed_ms - 1, 0), (needed_ms, 1)] {
        let world = world_with([]);
        let message = world.receive(Queue::Events, 1).remove(0);
        let fate = run_with_left(&world, Queue::Events, &message.body, left_ms).await;
        assert_eq!(world.posts().len(), posts, "{left_ms} ms left");
        match fate {
            Fate::Settled { .. } => assert_eq!(posts, 1),
            Fate::Returned(fault, reports) => {
                assert_eq!((fault, reports.len(), posts), (OurFault::OutOfTime, 0, 0));
            }
            fate @ (Fate::Split { .. } | Fate::SetAside(_)) => unreachable!("{fate:?}"),
        }
        assert!(world.ledger().is_empty());
        // Nothing was deleted here: it comes again.
        drained(&world).await;
        assert_eq!(world.posts().len(), posts + 1);
    }
}

#[tokio::test]
async fn f12_a_wake_up_with_too_little_time_left_comes_back_uncharged() {
    let world = world_after_a_failure([]).await;
    world.advance_ms(wait_ms(&world) + 1_000);
    let message = world.receive(Queue::Retries, 1).remove(0);
    let fate = run_with_left(&world, Queue::Retries, &message.body, 1_000).await;
    assert!(matches!(fate, Fate::Returned(OurFault::OutOfTime, _)));
    assert_eq!(only_item(&world).attempt, 1);
    drained(&world).await;
    assert_eq!(attempts(&world, TARGET), [1, 2]);
    assert!(world.ledger().is_empty());
}

async fn run_with_left(world: &World, queue: Queue, body: &str, left_ms: u64) -> Fate {
    let deadline = Some(Deadline::at(world.now().plus_ms(left_ms)));
    run(queue, body, world.execution(Invocation { deadline }, &settings())).await
}

#[tokio::test]
async fn a_record_that_cannot_be_set_aside_comes_back() {
    let world = World::new(1);
    world.put(Queue::Events, "nonsense");
    world.fault_next(Call::SetAside, [Some(Fault::NotDone)]);
    assert_eq!(returned(&world, Queue::Events).await, OurFault::Queue);
    drained(&world).await;
    let aside = world.messages(testkit::world::Place::DeadLetters(Queue::Events));
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].reason.as_deref(), Some("not_a_message"));
}
