//! The world: the ledger's promises, its determinism, and what a dropped future leaves.

use std::future::ready;
use std::pin::pin;
use std::task::{Context, Waker};

use domain::delivery::{Fate, Invocation, Ports, Queue, run};
use domain::message::{QueueMessage, Wakeup};
use domain::retry::Dice;
use domain::time::Timestamp;
use testkit::crash::polled;
use testkit::poller::drain;
use testkit::samples::{
    START, delivery_id, events_body, pending_item, settings, subscription_id, wakeup_body,
};
use testkit::world::{Place, RECEIVES_MAX, Reaction, VISIBILITY_MS, World};

testkit::ledger_contract!(ready(World::new(1)));

const URL: &str = "https://target.example.com/hook";

#[test]
fn a_call_takes_effect_after_it_was_made_and_before_it_is_answered() {
    for (polls, is_recorded, is_answered) in
        [(0, false, false), (1, false, false), (2, true, false), (3, true, true)]
    {
        let world = World::new(1);
        let item = pending_item("e1", START, 30_000);
        let answer = polled(polls, world.record(&item));
        assert_eq!(answer.is_some(), is_answered, "{polls} polls");
        assert_eq!(!world.ledger().is_empty(), is_recorded, "{polls} polls");
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_world() {
    let story = async |seed: u64| {
        let world = World::new(seed);
        world.subscribe("s1", URL);
        world.react_always(URL, Reaction::status(500));
        // One event: of more, most would be held, and nobody sweeps here.
        world.put(Queue::Events, events_body(&["e1"]));
        drain(&world, &settings(), START.plus_ms(24 * 60 * 60 * 1_000)).await;
        world.posts().iter().map(|post| post.at).collect::<Vec<Timestamp>>()
    };
    let first = story(1).await;
    assert_eq!(first.len(), 6);
    assert_eq!(first, story(1).await);
    assert_ne!(first, story(2).await);
}

#[tokio::test]
async fn futures_that_run_side_by_side_interleave() {
    let world = World::new(1);
    for id in ["s1", "s2"] {
        world.subscribe(id, &format!("https://{id}.example.com/"));
        world.script(&format!("https://{id}.example.com/"), [Reaction::status(500)]);
    }
    world.put(Queue::Events, events_body(&["e1"]));
    let message = world.receive(Queue::Events, 1).pop().expect("visible");
    let (settings, invocation) = (settings(), Invocation { deadline: None });
    let execution = world.execution(invocation, &settings);
    let mut work = pin!(run(Queue::Events, &message.body, execution));
    let mut context = Context::from_waker(Waker::noop());
    while world.posts().len() < 2 {
        assert!(world.ledger().is_empty(), "both are posted to before either is written down");
        assert!(work.as_mut().poll(&mut context).is_pending());
    }
    assert!(matches!(work.await, Fate::Settled { reports, .. } if reports.len() == 2));
}

#[tokio::test]
async fn a_message_is_hidden_while_it_is_worked_and_comes_again() {
    let world = World::new(1);
    world.put(Queue::Events, "a body");
    let first = world.receive(Queue::Events, 10);
    assert_eq!((first.len(), first[0].receives), (1, 1));
    assert!(world.receive(Queue::Events, 10).is_empty());
    world.advance_ms(VISIBILITY_MS);
    assert_eq!(world.receive(Queue::Events, 10)[0].receives, 2);
    world.delete(Queue::Events, &first[0].id);
    assert_eq!(world.next_visible_at(), None);
}

#[test]
fn a_message_that_always_comes_back_is_a_dead_letter_in_the_end() {
    let world = World::new(1);
    world.put(Queue::Retries, "a body");
    for _ in 0..RECEIVES_MAX {
        assert_eq!(world.receive(Queue::Retries, 10).len(), 1);
        world.advance_ms(VISIBILITY_MS);
    }
    assert!(world.receive(Queue::Retries, 10).is_empty());
    let dead = world.messages(Place::DeadLetters(Queue::Retries));
    assert_eq!((dead.len(), dead[0].reason.as_deref()), (1, None));
}

#[tokio::test]
async fn a_wakeup_is_a_message_of_its_subscription_after_its_delay() {
    let world = World::new(1);
    let wakeup = Wakeup { delivery_id: delivery_id("e1", "s1"), attempt: 1 };
    assert_eq!(world.wake(&wakeup, &subscription_id("s1"), 45).await, Ok(()));
    assert!(world.receive(Queue::Retries, 1).is_empty());
    assert_eq!(world.next_visible_at(), Some(START.plus_ms(45_000)));
    let message = world.messages(Queue::Retries).pop().expect("sent");
    assert_eq!((message.group.as_deref(), message.delay_s), (Some("s1"), 45));
    assert_eq!(message.body, wakeup_body(&wakeup));
    assert!(
        matches!(QueueMessage::parse(&message.body), Ok(QueueMessage::RetryV1(w)) if w == wakeup)
    );
}

#[test]
fn dice_are_spread_over_their_range() {
    let world = World::new(0);
    let throws: Vec<u32> = (0..1_000)
        .map(|_| {
            let Dice(dice) = Ports::dice(&world);
            dice
        })
        .collect();
    let low = throws.iter().filter(|dice| **dice < u32::MAX / 2).count();
    assert!((400..600).contains(&low), "{low} of 1000");
}
