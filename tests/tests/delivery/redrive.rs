//! Redrive: a dead letter is tried again as the same delivery, and nothing else is.

use domain::delivery::{Invocation, OurFault, Queue};
use domain::id::DeliveryId;
use domain::ledger::{LedgerItem, Reason, State};
use domain::limits::SWEEP_RELEASE_MAX;
use domain::redrive::{Answer, Pace, run};
use domain::sweep;
use serde_json::{Value, json};
use testkit::poller::work_visible;
use testkit::samples::{
    breaker_key, delivery_id, events_body, pending_item, property_of, settings,
};
use testkit::world::{Call, Fault, Reaction, World};

use crate::{TARGET, attempts, dead_for, drained, only_item};

/// A world in which `e1` was given up after two attempts, and the target is well from now on.
async fn world_with_a_dead_letter() -> World {
    world_after([500, 503]).await
}

/// A world in which `e1` was given up after attempts that came to these, and the target is well
/// from now on.
async fn world_after<const ATTEMPTS: usize>(statuses: [u16; ATTEMPTS]) -> World {
    let world = World::new(7);
    let attributes: Value = json!({"retry": {"attemptsMax": ATTEMPTS}});
    world.subscribe_with("s1", TARGET, &attributes);
    world.script(TARGET, statuses.map(Reaction::status));
    world.put(Queue::Events, events_body(&["e1"]));
    drained(&world).await;
    assert_eq!(dead_for(&world).as_deref(), Some("exhausted:http_503"));
    world
}

/// A dead letter as if it had been given up long ago.
fn record_dead(world: &World, event: &str) -> DeliveryId {
    let state = State::Dead { reason: Reason::Final("http_410".to_owned()) };
    let item = LedgerItem { state, ..pending_item(event, world.now(), 0) };
    world.put_ledger_item(&item);
    item.delivery_id
}

async fn redrive(world: &World, ids: &[DeliveryId]) -> Vec<Result<Answer, OurFault>> {
    run(ids, &mut Pace::new(world.now(), 60), world).await
}

async fn redrive_one(world: &World) -> Result<Answer, OurFault> {
    redrive(world, &[delivery_id("e1", "s1")]).await.remove(0)
}

/// The sweeper's tick and what follows from it.
async fn tick(world: &World) {
    let invocation = Invocation { deadline: None };
    let swept = sweep::run(invocation, SWEEP_RELEASE_MAX, world).await;
    assert_eq!((swept.fault, swept.is_complete), (None, true));
    work_visible(world, &settings()).await;
}

#[tokio::test]
async fn a_redriven_delivery_is_the_same_delivery_and_its_attempts_count_on() {
    let world = world_with_a_dead_letter().await;
    let now = world.now();
    assert_eq!(redrive_one(&world).await, Ok(Answer::Redriven { due_at: now }));
    assert_eq!(world.next_visible_at(), None, "no wake-up was sent");
    tick(&world).await;
    assert!(world.ledger().is_empty());
    assert_eq!(attempts(&world, TARGET), [1, 2, 3]);
    let posts = world.posts_to(TARGET);
    assert!(
        posts.iter().all(|post| post.payload() == posts[0].payload()),
        "the same `jti` and all"
    );
    assert!(posts.iter().all(|post| post.headers.id == delivery_id("e1", "s1")));
}

#[tokio::test]
async fn f34_a_redrive_while_the_fault_persists_ends_where_it_began_with_its_history() {
    let world = world_after([503]).await;
    world.react_always(TARGET, Reaction::status(502));
    for redrives in 1..=2 {
        let died_at = only_item(&world).updated_at;
        assert!(matches!(redrive_one(&world).await, Ok(Answer::Redriven { .. })));
        tick(&world).await;
        drained(&world).await;
        let item = only_item(&world);
        assert_eq!(dead_for(&world).as_deref(), Some("exhausted:http_502"));
        assert_eq!(item.attempt, 1 + redrives, "the schedule began anew");
        assert_eq!(item.history.len(), redrives as usize);
        let last = item.history.last().expect("a death");
        assert_eq!((last.at, last.attempt), (died_at, redrives));
    }
    assert_eq!(only_item(&world).history[0].reason, "exhausted:http_503");
    tick(&world).await;
    assert_eq!(attempts(&world, TARGET), [1, 2, 3], "nobody redrives it but the operator");
}

#[tokio::test]
async fn what_is_no_dead_letter_is_not_redriven_and_says_why() {
    let world = World::new(7);
    world.subscribe("s1", TARGET);
    assert_eq!(redrive_one(&world).await, Ok(Answer::NotThere));
    let waiting = pending_item("waiting", world.now(), 30_000);
    let since = world.now();
    let state = State::Held { by: breaker_key("s1"), since };
    let held = LedgerItem { state, ..pending_item("held", since, 0) };
    world.put_ledger_item(&waiting);
    world.put_ledger_item(&held);
    let answers = redrive(&world, &[waiting.delivery_id, held.delivery_id]).await;
    let next_at = world.now().plus_ms(30_000);
    assert_eq!(answers[0], Ok(Answer::Pending { attempt: 1, next_at }));
    assert_eq!(answers[1], Ok(Answer::Held { attempt: 1, since }));
}

#[tokio::test]
async fn a_redrive_of_what_is_done_already_changes_nothing() {
    let world = world_with_a_dead_letter().await;
    let first = redrive_one(&world).await;
    let Ok(Answer::Redriven { due_at }) = first else { unreachable!("{first:?}") };
    let again = redrive_one(&world).await;
    assert_eq!(again, Ok(Answer::Pending { attempt: 2, next_at: due_at }));
    tick(&world).await;
    assert_eq!(redrive_one(&world).await, Ok(Answer::NotThere));
    assert_eq!(attempts(&world, TARGET), [1, 2, 3]);
}

#[tokio::test]
async fn of_a_delivery_that_is_named_twice_one_is_redriven() {
    let world = world_with_a_dead_letter().await;
    let id = delivery_id("e1", "s1");
    let answers = redrive(&world, &[id.clone(), id]).await;
    let redriven = answers.iter().filter(|it| matches!(it, Ok(Answer::Redriven { .. })));
    assert_eq!(redriven.count(), 1);
    assert!(answers.contains(&Ok(Answer::ChangedMeanwhile)));
    assert_eq!(only_item(&world).history.len(), 1);
}

#[tokio::test]
async fn a88_a_dead_letter_that_nobody_listens_for_stays_one() {
    let world = world_with_a_dead_letter().await;
    for (attributes, answer) in [
        (json!({"enabled": false}), Answer::SubscriptionDisabled),
        (json!({"enabled": "yes"}), Answer::SubscriptionUnreadable),
    ] {
        world.subscribe_with("s1", TARGET, &attributes);
        assert_eq!(redrive_one(&world).await, Ok(answer));
    }
    world.unsubscribe("s1");
    assert_eq!(redrive_one(&world).await, Ok(Answer::SubscriptionDeleted));
    let item = only_item(&world);
    assert_eq!(dead_for(&world).as_deref(), Some("exhausted:http_503"));
    assert!(item.history.is_empty());
}

#[tokio::test]
async fn a89_many_are_due_one_after_the_other_and_those_that_stay_take_no_place() {
    let world = World::new(7);
    world.subscribe("s1", TARGET);
    let ids = [
        record_dead(&world, "e1"),
        delivery_id("never", "s1"),
        record_dead(&world, "e2"),
        record_dead(&world, "e3"),
    ];
    let start = world.now();
    let answers = redrive(&world, &ids).await;
    let due = |s: u64| Ok(Answer::Redriven { due_at: start.plus_ms(s * 1_000) });
    assert_eq!(answers, [due(0), Ok(Answer::NotThere), due(1), due(2)]);
    world.advance_ms(1_500);
    tick(&world).await;
    assert_eq!(world.posts_to(TARGET).len(), 2, "the third is not due yet");
    world.advance_ms(60_000);
    tick(&world).await;
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn a88_a_subscription_that_has_moved_to_another_tenant_is_not_sent_the_first_one_s_events() {
    const ELSEWHERE: &str = "https://elsewhere.example.com/hook";
    let world = world_with_a_dead_letter().await;
    let row = json!({"category": "user_data_change", "endpoint": ELSEWHERE, "enabled": true});
    world.put_subscription_row(&property_of("p2"), "s1", row);
    world.unsubscribe("s1");
    assert_eq!(redrive_one(&world).await, Ok(Answer::SubscriptionDeleted));
    // And where it moves between the redrive and the attempt.
    world.subscribe("s1", TARGET);
    assert!(matches!(redrive_one(&world).await, Ok(Answer::Redriven { .. })));
    world.unsubscribe("s1");
    tick(&world).await;
    assert_eq!(dead_for(&world).as_deref(), Some("subscription_deleted"));
    assert!(world.posts_to(ELSEWHERE).is_empty());
    assert_eq!(attempts(&world, TARGET), [1, 2], "those before the redrive");
}

#[tokio::test]
async fn a89_a_mass_redrive_keeps_its_pace_and_fresh_events_do_not_wait_for_it() {
    const MINUTES: usize = 4;
    let world = World::new(7);
    world.subscribe("s1", TARGET);
    let ids: Vec<_> =
        (0..60 * MINUTES).map(|n| record_dead(&world, &format!("dead-{n}"))).collect();
    let answers = redrive(&world, &ids).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Answer::Redriven { .. }))));
    for minute in 0..=MINUTES {
        tick(&world).await;
        let redriven = world.posts_to(TARGET).len() - minute;
        // Those that are due in a minute, and the one with which it begins.
        assert!(redriven <= 60 * minute + 2, "{redriven} after {minute} minutes");
        let fresh = format!("fresh-{minute}");
        world.put(Queue::Events, events_body(&[fresh.as_str()]));
        work_visible(&world, &settings()).await;
        let last = world.posts_to(TARGET).pop().expect("a post");
        assert_eq!(last.jti(), fresh, "at once, whatever else is due");
        world.advance_ms(60_000);
    }
    tick(&world).await;
    assert_eq!(world.posts_to(TARGET).len(), ids.len() + MINUTES + 1);
    assert!(world.ledger().is_empty());
}

#[tokio::test]
async fn one_that_fails_fails_alone_and_can_be_repeated() {
    let world = World::new(7);
    world.subscribe("s1", TARGET);
    let ids = [record_dead(&world, "e1"), record_dead(&world, "e2")];
    world.fault_next(Call::Look, [Some(Fault::NotDone), None]);
    let answers = redrive(&world, &ids).await;
    assert_eq!(answers[0], Err(OurFault::Ledger));
    assert!(matches!(answers[1], Ok(Answer::Redriven { .. })));
    let answers = redrive(&world, &ids).await;
    assert!(matches!(answers[0], Ok(Answer::Redriven { .. })));
    assert!(matches!(answers[1], Ok(Answer::Pending { .. })));
}

#[tokio::test]
async fn a_redrive_whose_answer_got_lost_is_done_once() {
    let world = world_with_a_dead_letter().await;
    world.fault_next(Call::Revive, [Some(Fault::ReplyLost)]);
    assert_eq!(redrive_one(&world).await, Err(OurFault::Ledger));
    assert!(matches!(redrive_one(&world).await, Ok(Answer::Pending { .. })));
    assert_eq!(only_item(&world).history.len(), 1);
}

#[tokio::test]
async fn while_subscriptions_cannot_be_read_nothing_is_redriven() {
    let world = world_with_a_dead_letter().await;
    world.fault_next(Call::Subscriptions, [Some(Fault::NotDone)]);
    assert_eq!(redrive_one(&world).await, Err(OurFault::Subscriptions));
    assert_eq!(dead_for(&world).as_deref(), Some("exhausted:http_503"));
}
