//! The sweeper: long waits and lost wake-ups, and no item woken twice without need.

use domain::delivery::{Invocation, OurFault, Queue, Settings};
use domain::ledger::State;
use domain::limits::{
    DUE_BUCKETS, SWEEP_PAGE_ITEMS, SWEEP_PAGES_MAX, SWEEP_RELEASE_MAX, SWEEP_RESERVE_MS,
    WAKE_UP_LOST_MS,
};
use domain::retry::Schedule;
use domain::sweep;
use domain::time::{Deadline, Timestamp};
use testkit::crash::polled;
use testkit::poller::work_visible;
use testkit::samples::events_body;
use testkit::world::{Call, Fault, Reaction, World};

use crate::{
    MINUTE_MS, TARGET, attempts, dead_for, live, live_with, only_item, only_wakeup, settings,
    swept, world_after_a_failure, world_with,
};

const UNBOUNDED: Invocation = Invocation { deadline: None };

/// A world in which the wake-up after the first attempt got lost.
async fn world_without_its_wakeup() -> World {
    let world = world_after_a_failure([]).await;
    let id = only_wakeup(&world).id;
    world.delete(Queue::Retries, &id);
    world
}

fn due_at(world: &World) -> Timestamp {
    match only_item(world).state {
        State::Pending { next_at } => next_at,
        other => unreachable!("not pending: {other:?}"),
    }
}

#[tokio::test]
async fn a_lost_wake_up_is_found_two_minutes_after_its_time_and_not_before() {
    let world = world_without_its_wakeup().await;
    world.set_now(due_at(&world).plus_ms(WAKE_UP_LOST_MS));
    assert_eq!(swept(&world).await.due, 0, "it may still be under way");
    world.advance_ms(1);
    let swept = swept(&world).await;
    assert_eq!((swept.due, swept.woken, swept.taken), (1, 1, 0));
    assert_eq!(swept.oldest_ms, WAKE_UP_LOST_MS + 1);
    work_visible(&world, &settings()).await;
    assert_eq!(attempts(&world, TARGET), [1, 2]);
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn the_patient_schedule_is_walked_to_its_end_and_each_attempt_is_made_once() {
    let world = world_with([]);
    world.react_always(TARGET, Reaction::status(503));
    let patient = Settings { schedule: Schedule::Patient, ..settings() };
    work_visible(&world, &patient).await;
    live_with(&world, 5 * 24 * 60, &patient).await;
    assert_eq!(attempts(&world, TARGET), (1..=12).collect::<Vec<_>>());
    assert_eq!(dead_for(&world).as_deref(), Some("exhausted:http_503"));
    let base_s = [30, 60, 120, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400];
    let at: Vec<u64> = world.posts().iter().map(|post| post.at.as_ms()).collect();
    for (pair, base_s) in at.windows(2).zip(base_s) {
        let waited_ms = pair[1] - pair[0];
        assert!(waited_ms >= base_s * 800, "{waited_ms} ms instead of {base_s} s");
        assert!(
            waited_ms <= base_s * 1_200 + 2 * MINUTE_MS,
            "{waited_ms} ms instead of {base_s} s"
        );
    }
}

#[tokio::test]
async fn f11_of_two_sweepers_at_once_one_wakes_each_item() {
    let world = world_without_its_wakeup().await;
    world.set_now(due_at(&world).plus_ms(WAKE_UP_LOST_MS + 1));
    let (one, other) = tokio::join!(swept(&world), swept(&world));
    assert_eq!((one.woken + other.woken, one.taken + other.taken), (1, 1));
    assert_eq!(world.messages(Queue::Retries).len(), 1);
}

#[tokio::test]
async fn f10_a_sweeper_that_crashes_anywhere_leaves_the_item_to_the_next_one() {
    for polls in 1..40 {
        let world = world_without_its_wakeup().await;
        world.set_now(due_at(&world).plus_ms(WAKE_UP_LOST_MS + 1));
        let is_through = polled(polls, swept(&world)).is_some();
        live(&world, 20).await;
        assert_eq!(attempts(&world, TARGET), [1, 2], "after {polls} polls");
        assert!(world.ledger().is_empty());
        if is_through {
            return;
        }
    }
    unreachable!("the sweep has fewer awaits");
}

#[tokio::test]
async fn f02_wake_ups_that_the_queue_refused_are_sent_again() {
    let world = World::new(5);
    for subscription in 0..3 {
        let url = format!("https://target-{subscription}.example.com/hook");
        world.subscribe(&format!("s{subscription}"), &url);
        world.script(&url, [Reaction::status(500)]);
    }
    world.put(Queue::Events, events_body(&["e1"]));
    work_visible(&world, &settings()).await;
    for message in world.messages(Queue::Retries) {
        world.delete(Queue::Retries, &message.id);
    }
    world.advance_ms(10 * MINUTE_MS);
    world.refuse_entries([1]);
    let swept = swept(&world).await;
    assert_eq!((swept.due, swept.woken, swept.unconfirmed), (3, 2, 1));
    world.heal();
    live(&world, 20).await;
    assert!(world.ledger().is_empty());
    assert_eq!(world.posts().len(), 6, "each target twice");
}

#[tokio::test]
async fn f03_a_ledger_that_is_down_is_said_and_what_can_be_read_is_woken() {
    let world = world_without_its_wakeup().await;
    world.advance_ms(10 * MINUTE_MS);
    world.fault_always(Call::Due, Fault::NotDone);
    assert_eq!(swept(&world).await.fault, Some(OurFault::Ledger));
    world.heal();
    world.fault_next(Call::Mark, [Some(Fault::NotDone)]);
    let swept = swept(&world).await;
    assert_eq!((swept.due, swept.woken, swept.fault), (1, 0, Some(OurFault::Ledger)));
    live(&world, 1).await;
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn a_sweep_stops_before_its_invocation_does() {
    let world = world_without_its_wakeup().await;
    world.advance_ms(10 * MINUTE_MS);
    let deadline = Some(Deadline::at(world.now().plus_ms(SWEEP_RESERVE_MS - 1)));
    let swept = sweep::run(Invocation { deadline }, SWEEP_RELEASE_MAX, &world).await;
    assert_eq!((swept.woken, swept.is_complete), (0, false));
    let deadline = Some(Deadline::at(world.now().plus_ms(SWEEP_RESERVE_MS)));
    assert_eq!(sweep::run(Invocation { deadline }, SWEEP_RELEASE_MAX, &world).await.woken, 1);
}

#[tokio::test]
async fn pages_are_followed_and_the_cap_holds_back_the_rest_for_the_next_tick() {
    let world = World::new(6);
    // More than a page in every bucket.
    let items = 16 * 130;
    for index in 0..items {
        world.put_pending(&format!("e{index}"), world.now().minus_ms(MINUTE_MS));
    }
    let first = sweep::run(UNBOUNDED, 1_000, &world).await;
    assert_eq!((first.woken, first.is_complete), (1_000, false));
    let before = world.calls(Call::Due);
    let rest = swept(&world).await;
    assert_eq!((rest.woken, rest.taken, rest.is_complete), (items - 1_000, 0, true));
    assert!(world.calls(Call::Due) - before <= 16 + items / 100, "a query a bucket, and the pages");
    assert_eq!(world.messages(Queue::Retries).len(), items);
}

#[tokio::test]
async fn f05_a_recovery_wave_is_released_in_parts_with_a_bounded_number_of_queries() {
    let world = World::new(8);
    let items = 2 * SWEEP_RELEASE_MAX + 5_000;
    for index in 0..items {
        world.put_pending(&format!("e{index}"), world.now().minus_ms(MINUTE_MS));
    }
    let buckets = usize::try_from(DUE_BUCKETS).expect("a few");
    let page = usize::try_from(SWEEP_PAGE_ITEMS).expect("a page has items");
    let mut woken = Vec::new();
    for _ in 0..4 {
        let before = world.calls(Call::Due);
        let swept = swept(&world).await;
        let queries = world.calls(Call::Due) - before;
        // A query a bucket and one for every further page, also of those that were woken before and
        // that nobody has worked yet; and the cap is met within a round of pages.
        let read = woken.iter().sum::<usize>() + swept.woken;
        assert!(queries <= 2 * buckets + read / page, "{queries} queries for {read} items");
        assert!(queries <= buckets * SWEEP_PAGES_MAX);
        assert_eq!((swept.taken, swept.unconfirmed, swept.fault), (0, 0, None));
        woken.push(swept.woken);
        world.advance_ms(MINUTE_MS);
    }
    // Nobody works them here: what one sweep may read is the most that is ever under way at once.
    let under_way_max = buckets * SWEEP_PAGES_MAX * page;
    assert_eq!(woken[..2], [SWEEP_RELEASE_MAX; 2]);
    assert!(woken.iter().sum::<usize>() <= under_way_max, "{woken:?}");
    assert_eq!(world.count(Queue::Retries), woken.iter().sum::<usize>());
}
