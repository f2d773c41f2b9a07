//! Errands: the world knows what was done for each record, and which of them had trouble.

use std::sync::Arc;

use domain::delivery::{Execution, Invocation, Queue, run};
use domain::message::Wakeup;
use futures_util::future::join;
use testkit::crash::polled;
use testkit::samples::{START, delivery_id, events_body, settings, wakeup_body};
use testkit::world::{Call, Deed, Environment, Errand, ErrandId, Fault, Reaction, World};

const URL: &str = "https://target.example.com/hook";

/// More polls than a record needs.
const POLLS: usize = 100;

/// Works a record on an errand, for so many polls at most.
fn work(world: &World, queue: Queue, body: &str, polls: usize) -> Errand {
    let settings = settings();
    let errand = world.begin_errand();
    let execution = world.execution(Invocation { deadline: None }, &settings);
    let worked = polled(polls, world.on_errand(errand, run(queue, body, execution)));
    assert_eq!(worked.is_some(), polls == POLLS);
    world.end_errand(errand)
}

/// A world with one subscription, `s1`, and a pending item of `e1`, due since [`START`].
fn with_pending() -> (World, String) {
    let world = World::new(1);
    world.subscribe("s1", URL);
    world.put_pending("e1", START);
    let wakeup = Wakeup { delivery_id: delivery_id("e1", "s1"), attempt: 1 };
    (world, wakeup_body(&wakeup))
}

fn posted(event: &str, attempt: u32) -> Deed {
    Deed::Posted(delivery_id(event, "s1"), attempt)
}

#[test]
fn a_fault_disturbs_the_record_that_it_happens_to_and_no_neighbour() {
    let world = World::new(1);
    world.subscribe("s1", URL);
    world.react_always(URL, Reaction::status(500));
    world.fault_next(Call::Wake, [Some(Fault::ReplyLost)]);
    let settings = settings();
    let execution = world.execution(Invocation { deadline: None }, &settings);
    let errands = [world.begin_errand(), world.begin_errand()];
    let [first, second] = [events_body(&["e1"]), events_body(&["e2"])];
    let on = |errand: ErrandId, body| world.on_errand(errand, run(Queue::Events, body, execution));
    let both = join(on(errands[0], &first), on(errands[1], &second));
    polled(POLLS, both).expect("both are done");
    let [first, second] = errands.map(|errand| world.end_errand(errand));
    assert!(first.is_disturbed && !second.is_disturbed);
    let deeds = |event| [Deed::Recorded(delivery_id(event, "s1")), posted(event, 1)].into();
    assert_eq!((first.deeds, second.deeds), (deeds("e1"), deeds("e2")));
}

#[test]
fn a_call_that_can_be_done_without_disturbs_nobody() {
    let (world, wakeup) = with_pending();
    world.fault_always(Call::Breaker, Fault::NotDone);
    assert!(!work(&world, Queue::Retries, &wakeup, POLLS).is_disturbed);
    assert_eq!(world.calls(Call::Breaker), 1);
}

#[test]
fn an_attempt_that_was_written_down_is_no_deed_to_be_done_again() {
    let (world, wakeup) = with_pending();
    world.fault_next(Call::Settle, [Some(Fault::ReplyLost)]);
    assert_eq!(work(&world, Queue::Retries, &wakeup, POLLS).deeds, [].into());
    let (world, wakeup) = with_pending();
    world.fault_next(Call::Settle, [Some(Fault::NotDone)]);
    let not_settled = work(&world, Queue::Retries, &wakeup, POLLS);
    assert!(not_settled.is_disturbed);
    assert_eq!(not_settled.deeds, [posted("e1", 2)].into());
}

#[test]
fn what_is_put_on_the_events_queue_or_set_aside_is_a_deed() {
    let world = World::new(1);
    for number in 0..40 {
        world.subscribe(&format!("s{number}"), URL);
    }
    let wide = work(&world, Queue::Events, &events_body(&["e1"]), POLLS);
    let sent = wide.deeds.iter().filter(|deed| matches!(deed, Deed::Sent(_))).count();
    assert_eq!(sent, 1, "the rest of a wide fan-out");
    let garbage = work(&world, Queue::Events, "{}", POLLS);
    assert_eq!(garbage.deeds, [Deed::SetAside].into());
}

/// What came of an errand that had claimed the item, when another environment came along whose
/// clock is so much ahead.
fn met_by(ahead_ms: u64, after_ms: u64) -> Errand {
    let (world, wakeup) = with_pending();
    let settings = settings();
    let mut errands = Vec::new();
    let mut under_way = Vec::new();
    for ahead_ms in [0, ahead_ms] {
        let environment = Arc::new(Environment::ahead_by(ahead_ms));
        world.enter(Some(Arc::clone(&environment)));
        let errand = world.begin_errand();
        errands.push(errand);
        let (world, wakeup, settings) = (&world, &wakeup, &settings);
        let mut work = Box::pin(async move {
            let memory = environment.memory();
            let invocation = Invocation { deadline: None };
            let execution = Execution { invocation, settings, memory, ports: world };
            world.on_errand(errand, run(Queue::Retries, wakeup, execution)).await;
        });
        // The item is claimed, and the answer is on its way.
        assert!(polled(2, work.as_mut()).is_none());
        under_way.push(work);
        world.advance_ms(after_ms);
    }
    drop(under_way);
    world.end_errand(errands[0])
}

#[test]
fn a_lease_that_is_over_by_another_clock_alone_disturbs_whoever_holds_it() {
    assert!(!met_by(59_000, 0).is_disturbed, "it stands by both clocks, and is not taken");
    assert!(met_by(61_000, 0).is_disturbed);
    assert!(met_by(1_000, 59_500).is_disturbed);
    assert!(!met_by(0, 61_000).is_disturbed, "it is over by both: that is no clock's fault");
}
