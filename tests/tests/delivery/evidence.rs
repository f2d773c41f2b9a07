//! What a breaker goes by: the successes of all environments count, those of others' kinds of
//! trouble do not, and nobody spoils a probe.

use domain::delivery::{Memory, Queue, Settings};
use domain::ledger::State;
use domain::limits::BREAKER_OPEN_MS;
use domain::retry::Schedule;
use futures_util::future::join_all;
use serde_json::json;
use testkit::poller::work_visible;
use testkit::samples::{property, settings};
use testkit::world::{Call, Fault, Message, Reaction, World};

use crate::breaker::{down, is_open};
use crate::{DAY_MS, MINUTE_MS, TARGET, live, put, swept, work_in};

fn held(world: &World) -> usize {
    world.ledger().iter().filter(|item| matches!(item.state, State::Held { .. })).count()
}

#[tokio::test]
async fn a_quiet_subscription_that_takes_most_of_what_it_gets_is_not_disabled() {
    let world = World::new(3);
    world.subscribe("s1", TARGET);
    let patient = Settings { schedule: Schedule::Patient, ..settings() };
    let refused: Vec<String> = (0..60).step_by(5).map(|index| format!("e{index}")).collect();
    for index in 0..60 {
        put(&world, &format!("e{index}"));
        // Three hours, and every invocation is another environment's first.
        for _ in 0..3 * 60 {
            for queue in [Queue::Events, Queue::Retries] {
                for message in world.receive(queue, 10) {
                    // One event in five is refused, whenever it comes.
                    let is_refused = refused.iter().any(|id| is_of(&message, &world, id));
                    let status = if is_refused { 422 } else { 200 };
                    world.react_always(TARGET, Reaction::status(status));
                    work_in(&world, queue, &message, &Memory::default(), &patient).await;
                }
            }
            world.advance_ms(MINUTE_MS);
            swept(&world).await;
        }
    }
    assert!(world.now().since_ms(testkit::samples::START) > 7 * DAY_MS);
    assert!(!world.is_disabled(&property(), "s1"));
}

/// Whether a record is about this event.
fn is_of(message: &Message, world: &World, event: &str) -> bool {
    message.body.contains(&format!("\"{event}\""))
        || world.ledger().iter().any(|item| {
            item.event.id.as_str() == event && message.body.contains(item.delivery_id.as_str())
        })
}

#[tokio::test]
async fn a_busy_target_that_takes_nineteen_in_twenty_stays_closed() {
    let world = World::new(5);
    world.subscribe("s1", TARGET);
    let memories: Vec<Memory> = (0..20).map(|_| Memory::default()).collect();
    let settings = settings();
    for index in 0..4_000_usize {
        world.advance_ms(20);
        let status = if index % 20 == 7 { 500 } else { 200 };
        world.react_always(TARGET, Reaction::status(status));
        put(&world, &format!("e{index}"));
        let message = world.receive(Queue::Events, 1).remove(0);
        // Each environment in its turn, and each failure in another one.
        let memory = &memories[(index + index / 20) % memories.len()];
        work_in(&world, Queue::Events, &message, memory, &settings).await;
        assert!(!is_open(&world), "after {index} events");
    }
}

#[tokio::test]
async fn fewer_event_types_do_not_bring_a_target_back() {
    let world = down().await;
    world.subscribe_with("s1", TARGET, &json!({"eventTypes": ["userDeleted"]}));
    world.advance_ms(45_000);
    work_visible(&world, &settings()).await;
    assert!(world.ledger().iter().any(|item| matches!(item.state, State::Dead { .. })));
    assert!(is_open(&world), "{:?}", world.breaker_of("s1"));
}

#[tokio::test]
async fn what_is_held_for_a_url_that_is_not_allowed_becomes_dead_letters_soon() {
    let world = down().await;
    for index in 0..55 {
        put(&world, &format!("e{index}"));
    }
    work_visible(&world, &settings()).await;
    world.subscribe("s1", "http://target.example.com/hook");
    live(&world, 5).await;
    assert_eq!(held(&world), 0);
}

#[tokio::test]
async fn the_sweepers_own_look_does_not_spoil_the_probe() {
    let world = down().await;
    // Seen, and remembered, a moment before the tick.
    world.advance_ms(BREAKER_OPEN_MS - 2_000);
    put(&world, "held");
    work_visible(&world, &settings()).await;
    let posts = world.posts().len();
    world.advance_ms(3_000);
    swept(&world).await;
    work_visible(&world, &settings()).await;
    assert_eq!(world.posts().len(), posts + 1);
}

#[tokio::test]
async fn a_batch_probes_once_even_when_the_table_is_throttled() {
    let world = down().await;
    world.advance_ms(BREAKER_OPEN_MS + 1);
    for index in 0..10 {
        put(&world, &format!("e{index}"));
    }
    let before = (world.posts().len(), world.calls(Call::WriteBreaker));
    world.fault_next(Call::WriteBreaker, (0..10).map(|call| (call > 0).then_some(Fault::NotDone)));
    let (settings, messages) = (settings(), world.receive(Queue::Events, 10));
    let works = messages
        .iter()
        .map(|message| work_in(&world, Queue::Events, message, world.memory(), &settings));
    join_all(works).await;
    assert_eq!(world.posts().len() - before.0, 1);
    assert!(world.calls(Call::WriteBreaker) - before.1 <= 2, "the probe, and what came of it");
}

#[tokio::test]
async fn a_batch_in_which_all_fail_opens_it() {
    let world = World::new(11);
    world.subscribe("s1", TARGET);
    world.react_always(TARGET, Reaction::status(503));
    for index in 0..10 {
        put(&world, &format!("e{index}"));
    }
    let (settings, messages) = (settings(), world.receive(Queue::Events, 10));
    let works = messages
        .iter()
        .map(|message| work_in(&world, Queue::Events, message, world.memory(), &settings));
    join_all(works).await;
    assert!(is_open(&world), "{:?}", world.breaker_of("s1"));
}

#[tokio::test]
async fn a_row_says_that_its_subscription_is_in_trouble_as_long_as_it_is() {
    let world = down().await;
    let is_troubled = async || {
        let subscriptions = domain::delivery::Ports::subscriptions(&world, &property()).await;
        subscriptions.expect("readable").readable[0].is_troubled
    };
    assert!(is_troubled().await);
    // An environment that has seen none of it holds what comes.
    put(&world, "e1");
    let message = world.receive(Queue::Events, 1).remove(0);
    work_in(&world, Queue::Events, &message, &Memory::default(), &settings()).await;
    assert_eq!(held(&world), 1);
    world.react_always(TARGET, Reaction::status(200));
    live(&world, 3).await;
    assert!(!is_troubled().await);
}
