//! Delivery in the world: from a record to deliveries that are made, ledgered or given up.
//!
//! Each module is one kind of promise. Numbers (`a54`, `f08`) are those of the test catalogue.

mod batches;
mod books;
mod breaker;
mod crashes;
mod dead_letters;
mod encryption;
mod evidence;
mod explanations;
mod fan_out;
mod first_attempts;
mod from_akamai;
mod from_ingest;
mod handshakes;
mod our_faults;
mod redrive;
mod repetitions;
mod retries;
mod revocations;
mod subscriptions;
mod sweeps;
mod wake_ups;
mod webhooks;

use domain::delivery::{
    Disposition, Execution, Fate, Invocation, Memory, OurFault, Queue, Report, Settings, run,
};
use domain::ledger::{LedgerItem, Reason, State};
use domain::limits::SWEEP_RELEASE_MAX;
use domain::message::Wakeup;
use domain::sweep::{self, Swept};
use domain::time::Deadline;
use testkit::poller::{INVOCATION_MS, drain, work_one, work_visible};
use testkit::samples::{START, event_accepted_at, events_body, events_body_of, settings};
use testkit::world::{Message, Reaction, World};

/// The target of the subscription `s1` of every story.
const TARGET: &str = "https://target.example.com/hook";
/// A healthy neighbour's.
const NEIGHBOUR: &str = "https://neighbour.example.com/hook";

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// A world with the subscription `s1`, whose target reacts so and is healthy thereafter, and the
/// event `e1` on the events queue.
fn world_with(reactions: impl IntoIterator<Item = Reaction>) -> World {
    let world = World::new(7);
    world.subscribe("s1", TARGET);
    world.script(TARGET, reactions);
    world.put(Queue::Events, events_body(&["e1"]));
    world
}

/// As [`world_with`], after a first attempt that came to 500.
async fn world_after_a_failure(reactions: impl IntoIterator<Item = Reaction>) -> World {
    let world = world_with([Reaction::status(500)].into_iter().chain(reactions));
    let reports = settled(&world, Queue::Events).await;
    assert!(matches!(reports[0].disposition, Disposition::Retrying { .. }));
    world
}

/// Works one record, which is settled.
async fn settled(world: &World, queue: Queue) -> Vec<Report> {
    let worked = work_one(world, queue, &settings()).await.expect("a visible record");
    let Fate::Settled { reports, .. } = worked.fate else {
        unreachable!("the record was not settled: {:?}", worked.fate)
    };
    reports
}

/// Works one record, which is returned for a fault of ours.
async fn returned(world: &World, queue: Queue) -> OurFault {
    let worked = work_one(world, queue, &settings()).await.expect("a visible record");
    let Fate::Returned(fault, _) = worked.fate else {
        unreachable!("the record was not returned: {:?}", worked.fate)
    };
    fault
}

/// Moves the clock to when the next message is visible, and works it; it is settled.
async fn settled_later(world: &World, queue: Queue) -> Vec<Report> {
    let at = world.next_visible_at().expect("a message");
    world.set_now(at);
    settled(world, queue).await
}

/// Lets everything happen that happens by itself.
async fn drained(world: &World) {
    drain(world, &settings(), world.now().plus_ms(10 * DAY_MS)).await;
    assert_eq!(world.next_visible_at(), None, "the queues are empty");
}

async fn swept(world: &World) -> Swept {
    sweep::run(Invocation { deadline: None }, SWEEP_RELEASE_MAX, world).await
}

/// One minute after the other: the sweeper's tick, and everything that is visible.
async fn live(world: &World, minutes: u64) {
    live_with(world, minutes, &settings()).await;
}

async fn live_with(world: &World, minutes: u64, settings: &Settings) {
    for _ in 0..minutes {
        world.advance_ms(MINUTE_MS);
        let swept = swept(world).await;
        assert_eq!((swept.fault, swept.is_complete), (None, true));
        work_visible(world, settings).await;
    }
}

/// Puts an event on the queue that is accepted now.
fn put(world: &World, id: &str) {
    world.put(Queue::Events, events_body_of(vec![event_accepted_at(id, world.now())]));
}

/// Works a record in an environment that remembers this.
async fn work_in(
    world: &World,
    queue: Queue,
    message: &Message,
    memory: &Memory,
    settings: &Settings,
) {
    let deadline = Some(Deadline::at(world.now().plus_ms(INVOCATION_MS)));
    let invocation = Invocation { deadline };
    let execution = Execution { invocation, settings, memory, ports: world };
    if let Fate::Settled { .. } = run(queue, &message.body, execution).await {
        world.delete(queue, &message.id);
    }
}

/// The numbers of the attempts that a target has seen.
fn attempts(world: &World, url: &str) -> Vec<u32> {
    world.posts_to(url).iter().map(|post| post.headers.attempt).collect()
}

/// The only ledger item.
fn only_item(world: &World) -> LedgerItem {
    let mut items = world.ledger();
    assert_eq!(items.len(), 1, "one ledger item");
    items.remove(0)
}

/// Why the only ledger item is a dead letter.
fn dead_for(world: &World) -> Option<String> {
    match only_item(world).state {
        State::Dead { reason } => Some(reason.to_string()),
        State::Pending { .. } | State::Held { .. } => None,
    }
}

/// The only wake-up.
fn only_wakeup(world: &World) -> Message {
    let mut wakeups = world.messages(Queue::Retries);
    assert_eq!(wakeups.len(), 1, "one wake-up");
    wakeups.remove(0)
}

/// The wake-up of the only ledger item as it stands.
fn wakeup_of_item(world: &World) -> Wakeup {
    let item = only_item(world);
    Wakeup { delivery_id: item.delivery_id, attempt: item.attempt }
}

/// Milliseconds from now until the only ledger item is due.
fn wait_ms(world: &World) -> u64 {
    let State::Pending { next_at } = only_item(world).state else {
        unreachable!("the item is a dead letter")
    };
    next_at.since_ms(world.now())
}

fn is_dead(report: &Report, reason: &Reason) -> bool {
    report.disposition == Disposition::Dead(reason.clone())
}

#[test]
fn worlds_begin_at_the_moment_that_events_are_accepted() {
    assert_eq!(World::new(1).now(), START);
}
