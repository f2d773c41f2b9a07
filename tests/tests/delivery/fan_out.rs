//! Wide fan-out: at most 32 first attempts a message; one that stands for more is split.

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Waker};

use domain::delivery::{Fate, OurFault, Queue};
use domain::limits::{
    ATTEMPT_TIMEOUT_DEFAULT_MS, BREAKER_FAILURES_MAX, FANOUT_BYTES_MAX, INLINE_FANOUT_MAX,
    SPLIT_PORTIONS_MAX,
};
use domain::message::{Events, QueueMessage, Span};
use serde_json::value::RawValue;
use testkit::poller::work_one;
use testkit::samples::{delivery_id, event, events_body, property, settings};
use testkit::world::{Call, Fault, Posted, Reaction, World};

use crate::{drained, returned, settled};

/// Far more than a message's own work takes: what is left waits for the clock.
const POLLS: usize = 100;

fn url(subscription: usize) -> String {
    format!("https://target-{subscription}.example.com/hook")
}

fn world_of(subscriptions: usize, events: &[&str]) -> World {
    world_with(subscriptions, events_body(events))
}

fn world_with(subscriptions: usize, body: String) -> World {
    let world = World::new(3);
    for subscription in 0..subscriptions {
        world.subscribe(&format!("s{subscription:03}"), &url(subscription));
    }
    world.put(Queue::Events, body);
    world
}

/// How often each pair of event and subscription was posted.
fn posts_by_pair(world: &World) -> BTreeMap<String, usize> {
    world.posts().iter().fold(BTreeMap::new(), |mut counts, post| {
        *counts.entry(post.headers.id.to_string()).or_default() += 1;
        counts
    })
}

fn assert_each_pair_once(world: &World, subscriptions: usize, events: &[&str]) {
    let posted = posts_by_pair(world);
    assert_eq!(posted.len(), subscriptions * events.len());
    for event in events {
        for subscription in 0..subscriptions {
            let pair = delivery_id(event, &format!("s{subscription:03}"));
            assert_eq!(posted.get(pair.as_str()), Some(&1), "{event} to {subscription}");
        }
    }
}

/// Works the next message until nothing of it can go on before a target's time-out has passed.
/// Then how many POSTs were under way, and the time-out passes.
async fn worked_past_a_hanging_target(world: &World) -> usize {
    let settings = settings();
    let mut work = pin!(work_one(world, Queue::Events, &settings));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS {
        assert!(work.as_mut().poll(&mut context).is_pending(), "an attempt is under way");
    }
    let under_way = world.posts_under_way();
    world.advance_ms(u64::from(ATTEMPT_TIMEOUT_DEFAULT_MS) + 1);
    work.await;
    under_way
}

/// Works the next message, which is split, and says into how many portions.
async fn split(world: &World) -> usize {
    let posts = world.posts().len();
    let worked = work_one(world, Queue::Events, &settings()).await.expect("a visible record");
    let Fate::Split { portions } = worked.fate else {
        unreachable!("the record was not split: {:?}", worked.fate)
    };
    assert_eq!(world.posts().len(), posts, "a message that is split makes no attempt");
    portions
}

/// Works the events queue to its end and says how many first attempts each message cost.
async fn portions(world: &World) -> Vec<usize> {
    let mut portions = Vec::new();
    while !world.messages(Queue::Events).is_empty() {
        portions.push(settled(world, Queue::Events).await.len());
    }
    portions
}

#[tokio::test]
async fn a_hundred_subscriptions_are_posted_to_in_portions_and_each_once() {
    let world = world_of(100, &["e1"]);
    assert_eq!(split(&world).await, 4);
    assert_eq!(portions(&world).await, [32, 32, 32, 4]);
    assert_each_pair_once(&world, 100, &["e1"]);
}

#[tokio::test]
async fn a_message_is_split_when_it_must_be_and_no_portion_is_empty() {
    for (subscriptions, expected) in
        [(1, vec![1]), (32, vec![32]), (33, vec![32, 1]), (64, vec![32, 32])]
    {
        let world = world_of(subscriptions, &["e1"]);
        if expected.len() > 1 {
            assert_eq!(split(&world).await, expected.len());
        }
        assert_eq!(portions(&world).await, expected);
        assert_each_pair_once(&world, subscriptions, &["e1"]);
    }
}

#[tokio::test]
async fn several_events_go_on_across_portions_in_their_order() {
    let events = ["e2", "e1", "e3"];
    let world = world_of(40, &events);
    assert_eq!(split(&world).await, 4);
    assert_eq!(portions(&world).await, [32, 32, 32, 24]);
    assert_each_pair_once(&world, 40, &events);
    let order: Vec<String> = world.posts().iter().map(Posted::jti).collect();
    let expected: Vec<&str> = events.iter().flat_map(|event| [*event; 40]).collect();
    assert_eq!(order, expected);
}

#[tokio::test]
async fn a_portion_is_a_message_of_its_scope_that_says_for_whom_it_is() {
    let world = world_of(65, &["e1"]);
    assert_eq!(split(&world).await, 3);
    let spans = world.messages(Queue::Events).into_iter().map(|message| {
        assert_eq!((message.group, message.delay_s), (Some(property().key()), 0));
        let body: serde_json::Value = serde_json::from_str(&message.body).expect("JSON");
        let place = |name: &str| body["EventsV1"][name]["subscription"].as_str().map(str::to_owned);
        (place("cursor"), place("until"))
    });
    let at = |id: &str| Some(id.to_owned());
    let expected = [(None, at("s031")), (at("s031"), at("s063")), (at("s063"), None)];
    assert_eq!(spans.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn targets_that_fail_in_any_portion_are_retried_and_no_other_is_sent_twice() {
    let world = world_of(100, &["e1"]);
    let failing = [0, 31, 32, 50, 99];
    for subscription in failing {
        world.script(&url(subscription), [Reaction::status(500)]);
    }
    drained(&world).await;
    assert!(world.ledger().is_empty());
    for subscription in 0..100 {
        let expected = if failing.contains(&subscription) { 2 } else { 1 };
        assert_eq!(world.posts_to(&url(subscription)).len(), expected, "{subscription}");
    }
}

#[tokio::test]
async fn subscriptions_that_come_and_go_between_portions_disturb_no_other() {
    let world = world_of(64, &["e1"]);
    assert_eq!(split(&world).await, 2);
    settled(&world, Queue::Events).await;
    // The one that the cursor names goes, one behind it goes, two are added on either side of it.
    world.unsubscribe("s031");
    world.unsubscribe("s040");
    world.subscribe("s000a", "https://before.example.com/");
    world.subscribe("s040a", "https://after.example.com/");
    drained(&world).await;
    assert!(posts_by_pair(&world).values().all(|posts| *posts == 1));
    assert!(world.posts_to(&url(40)).is_empty());
    assert!(world.posts_to("https://before.example.com/").is_empty(), "its turn had passed");
    assert_eq!(world.posts_to("https://after.example.com/").len(), 1);
    assert_eq!(world.posts().len(), 32 + 31 + 1);
}

/// Works the next message; after so many polls two subscriptions change. Whether the work was done
/// before.
async fn is_done_before_a_change(world: &World, polls: usize) -> bool {
    let settings = settings();
    let mut work = pin!(work_one(world, Queue::Events, &settings));
    let mut context = Context::from_waker(Waker::noop());
    let is_done = (0..polls).any(|_| work.as_mut().poll(&mut context).is_ready());
    if !is_done {
        world.unsubscribe("s001");
        world.subscribe("s001a", ADDED);
        work.await;
    }
    is_done
}

const ADDED: &str = "https://added.example.com/";

#[tokio::test]
async fn f21_a_subscription_that_comes_or_goes_at_any_await_is_in_or_out_and_disturbs_no_other() {
    // A message that is attempted, and one that is split.
    for subscriptions in [3, 34] {
        for polls in 0.. {
            let world = world_of(subscriptions, &["e1", "e2"]);
            if is_done_before_a_change(&world, polls).await {
                assert!(polls > 3, "the awaits are real");
                break;
            }
            drained(&world).await;
            let posted = posts_by_pair(&world);
            assert!(posted.values().all(|posts| *posts == 1), "{polls} polls: {posted:?}");
            for subscription in (0..subscriptions).filter(|subscription| *subscription != 1) {
                assert_eq!(world.posts_to(&url(subscription)).len(), 2, "{polls} polls");
            }
            for (changed, of) in [(url(1), "went"), (ADDED.to_owned(), "came")] {
                assert!(world.posts_to(&changed).len() <= 2, "{polls} polls: {of}");
            }
            assert!(world.ledger().is_empty());
        }
    }
}

#[tokio::test]
async fn portions_that_cannot_be_sent_return_the_message_and_nobody_is_lost_or_served_twice() {
    let world = world_of(40, &["e1"]);
    world.fault_next(Call::SendPortions, [Some(Fault::NotDone)]);
    assert_eq!(returned(&world, Queue::Events).await, OurFault::Queue);
    assert_eq!(world.posts().len(), 0);
    drained(&world).await;
    assert_each_pair_once(&world, 40, &["e1"]);
}

#[tokio::test]
async fn a_portion_that_the_queue_refuses_returns_the_message_and_nobody_is_lost() {
    let world = world_of(100, &["e1"]);
    world.refuse_entries([2]);
    assert_eq!(returned(&world, Queue::Events).await, OurFault::Queue);
    drained(&world).await;
    let posted = posts_by_pair(&world);
    assert_eq!(posted.len(), 100);
    // Three of four were there before the message came back and was split once more.
    assert_eq!(posted.values().filter(|posts| **posts == 1).count(), INLINE_FANOUT_MAX);
    assert!(posted.values().all(|posts| *posts <= 2));
}

#[tokio::test]
async fn portions_that_come_back_multiply_nothing_however_often_they_come_back() {
    let world = world_of(100, &["e1"]);
    world.fault_always(Call::Sign, Fault::NotDone);
    assert_eq!(split(&world).await, 4);
    for _ in 0..5 {
        for _ in 0..4 {
            assert_eq!(returned(&world, Queue::Events).await, OurFault::SigningKey);
        }
        assert_eq!(world.messages(Queue::Events).len(), 4, "nothing multiplies");
        world.set_now(world.next_visible_at().expect("they come back"));
    }
    world.heal();
    let mut attempts = portions(&world).await;
    attempts.sort_unstable();
    assert_eq!(attempts, [4, 32, 32, 32]);
    assert_each_pair_once(&world, 100, &["e1"]);
}

#[tokio::test]
async fn a_portion_that_has_grown_too_wide_is_split_once_more() {
    let world = world_of(64, &["e1"]);
    assert_eq!(split(&world).await, 2);
    for added in 0..INLINE_FANOUT_MAX {
        world.subscribe(&format!("s000-{added}"), &format!("https://added-{added}.example.com/"));
    }
    assert_eq!(split(&world).await, 2, "the first of the two");
    assert_eq!(portions(&world).await, [32, 32, 32]);
    assert!(posts_by_pair(&world).values().all(|posts| *posts == 1));
    assert_eq!(world.posts().len(), 96);
}

#[tokio::test]
async fn large_events_go_out_in_smaller_portions_and_to_each_target_once() {
    let mut large = event("e1");
    let data = format!(r#"{{"x":"{}"}}"#, "x".repeat(FANOUT_BYTES_MAX / 20 - 8));
    large.data = RawValue::from_string(data).expect("JSON");
    let events = Events::new(vec![large], Span::default()).expect("one scope");
    let world = world_with(25, QueueMessage::EventsV1(events).to_body());
    assert_eq!(split(&world).await, 2);
    assert_eq!(portions(&world).await, [20, 5]);
    assert_each_pair_once(&world, 25, &["e1"]);
}

#[tokio::test]
async fn ten_thousand_subscriptions_are_served_once_each_and_the_work_of_a_message_does_not_grow() {
    let subscriptions = 10_000;
    let world = World::new(3);
    for subscription in 0..subscriptions {
        world.subscribe(&format!("s{subscription:05}"), &url(subscription));
    }
    world.put(Queue::Events, events_body(&["e1"]));
    let (mut attempted, mut split, mut bytes_max) = (0, 0, 0);
    while let Some(worked) = work_one(&world, Queue::Events, &settings()).await {
        match worked.fate {
            Fate::Settled { .. } => attempted += 1,
            Fate::Split { portions } => {
                assert!(portions <= SPLIT_PORTIONS_MAX + 1);
                split += 1;
            }
            fate @ (Fate::Returned(..) | Fate::SetAside(_)) => unreachable!("{fate:?}"),
        }
        bytes_max = bytes_max.max(worked.message.body.len());
    }
    assert_eq!(attempted, subscriptions.div_ceil(INLINE_FANOUT_MAX));
    assert_eq!(split, attempted.div_ceil(SPLIT_PORTIONS_MAX));
    assert!(bytes_max < events_body(&["e1"]).len() + 150, "no message grows");
    assert_eq!(world.posts_at_once_max(), INLINE_FANOUT_MAX);
    let posted = posts_by_pair(&world);
    assert_eq!((posted.len(), world.posts().len()), (subscriptions, subscriptions));
    let written = [Call::Record, Call::Wake, Call::WriteBreaker].map(|call| world.calls(call));
    assert_eq!(written, [0, 0, 0], "a healthy delivery costs no write at any fan-out");
}

#[tokio::test]
async fn i5_a_target_that_hangs_holds_up_no_other_attempt_of_its_portion() {
    for hanging in [0, 31] {
        let world = world_of(INLINE_FANOUT_MAX, &["e1"]);
        world.react_always(&url(hanging), Reaction::Hang);
        assert_eq!(worked_past_a_hanging_target(&world).await, 1, "all others were answered");
        assert_eq!(world.posts().len(), INLINE_FANOUT_MAX);
        assert_eq!(world.count(Queue::Events), 0);
        assert_eq!(world.ledger().len(), 1, "it alone is tried again");
    }
}

#[tokio::test]
async fn i5_a_target_that_hangs_holds_up_no_other_portion_even_before_its_breaker_opens() {
    let world = world_of(100, &["e1"]);
    world.react_always(&url(0), Reaction::Hang);
    assert_eq!(split(&world).await, 4);
    let settings = settings();
    let mut hangs = pin!(work_one(&world, Queue::Events, &settings));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS {
        assert!(hangs.as_mut().poll(&mut context).is_pending(), "an attempt is under way");
    }
    // The others are on the queue already.
    for others in [32, 32, 4] {
        assert_eq!(settled(&world, Queue::Events).await.len(), others);
    }
    assert_eq!((world.posts().len(), world.posts_under_way()), (100, 1));
    world.advance_ms(u64::from(ATTEMPT_TIMEOUT_DEFAULT_MS) + 1);
    hangs.await;
    assert_each_pair_once(&world, 100, &["e1"]);
}

#[tokio::test]
async fn i5_once_its_breaker_is_open_nobody_waits_for_a_target_that_hangs() {
    let world = world_of(INLINE_FANOUT_MAX, &["e0"]);
    world.react_always(&url(0), Reaction::Hang);
    for failure in 0..BREAKER_FAILURES_MAX {
        if failure > 0 {
            world.put(Queue::Events, events_body(&[&format!("e{failure}")]));
        }
        assert_eq!(worked_past_a_hanging_target(&world).await, 1);
    }
    world.put(Queue::Events, events_body(&["e5"]));
    let began_at = world.now();
    assert_eq!(portions(&world).await, [32]);
    assert_eq!(world.now(), began_at);
    assert_eq!(world.posts_to(&url(0)).len(), 5);
    assert_eq!(world.posts_to(&url(31)).len(), 6);
}
