//! 200,000 due items are swept with a bounded number of queries.
//!
//! Once in the world, where every tick's wake-ups are worked before the next tick, and once where
//! nobody works them; and a smaller number with the real adapter on the local AWS endpoint, whose
//! requests are counted.

use std::collections::BTreeMap;

use adapters::ports::{DeliveryPorts, SweepPorts};
use adapters::targets::Targets;
use domain::delivery::sending::Ports as _;
use domain::delivery::{Invocation, Ports, Queue};
use domain::egress::EgressPolicy;
use domain::event_type::EventTypeNames;
use domain::ledger::{Claim, Settlement};
use domain::limits::{
    DUE_BUCKETS, LEASE_MS, QUEUE_DELAY_MAX_S, SWEEP_PAGE_ITEMS, SWEEP_PAGES_MAX, SWEEP_RELEASE_MAX,
};
use domain::message::QueueMessage;
use domain::sweep;
use futures_util::future::join_all;
use local::aws::Endpoint;
use local::clock::{Clock, TimeScale};
use local::template::{Settings, Stack};
use testkit::samples::pending_item;
use testkit::world::{Call, World};

use crate::Failure;
use crate::counted::Counted;
use crate::memory::Memory;

const MINUTE_MS: u64 = 60_000;
const UNBOUNDED: Invocation = Invocation { deadline: None };

/// Ticks in which nobody works what is woken.
const IDLE_TICKS: usize = 4;

/// Items written at once.
const AT_ONCE: usize = 16;

/// Sweeps so many due items in the world, tick by tick.
pub(crate) async fn in_the_world(items: usize) -> Result<(), Failure> {
    println!("{items} due items in the world, woken ones worked before the next tick:");
    let world = world_of(items);
    while !world.due().is_empty() {
        tick(&world).await;
        deliver(&world).await?;
    }
    println!("{items} due items in the world, and nobody works the woken ones:");
    let world = world_of(items);
    for _ in 0..IDLE_TICKS {
        tick(&world).await;
    }
    Ok(())
}

fn world_of(items: usize) -> World {
    let world = World::new(1);
    for (index, age_ms) in (0..items).zip((1..MINUTE_MS).cycle()) {
        world.put_pending(&format!("e{index}"), world.now().minus_ms(age_ms));
    }
    world
}

async fn tick(world: &World) {
    world.advance_ms(MINUTE_MS);
    let calls = || [Call::Due, Call::DueBreakers, Call::Mark].map(|call| world.calls(call));
    let before = calls();
    let resident = Memory::now();
    Memory::forget_peak();
    let swept = sweep::run(UNBOUNDED, SWEEP_RELEASE_MAX, world).await;
    let grown = Memory::peak().above(resident);
    let after = calls();
    let [pages, breakers, marks] = std::array::from_fn(|index| after[index] - before[index]);
    println!(
        "  {:>6} woken, {pages:>3} + {breakers} queries, {marks:>6} marks, {:>5} sends of ten, \
         memory at most {grown} more",
        swept.woken,
        swept.woken.div_ceil(10),
    );
}

/// All wake-ups are worked, and every target takes its delivery.
async fn deliver(world: &World) -> Result<(), Failure> {
    for message in world.receive(Queue::Retries, usize::MAX) {
        let QueueMessage::RetryV1(wakeup) = QueueMessage::parse(&message.body)? else {
            return Err("a wake-up is a wake-up".into());
        };
        let now = world.now();
        let claimed = world.claim(&wakeup, now, now.plus_ms(LEASE_MS)).await?;
        let Claim::Claimed(_, lease) = claimed else { return Err("a woken item is free".into()) };
        world.settle(&lease, &Settlement::Delivered, now).await?;
        world.delete(Queue::Retries, &message.id);
    }
    Ok(())
}

/// Sweeps so many due items with the real adapter, and counts the requests.
pub(crate) async fn at_the_endpoint(items: usize) -> Result<(), Failure> {
    println!("{items} due items on the local AWS endpoint, with the real adapter:");
    let clock = Clock::new(TimeScale::REAL);
    let aws = Endpoint::start(([127, 0, 0, 1], 0).into(), None, &clock).await?;
    let stack = Stack::parse(local::TEMPLATE, &Settings::new(aws.account().clone()))?;
    aws.provision(&stack).await?;
    let counted = Counted::start(aws.url()).await?;
    // The delivery function's variables hold the sweeper's.
    let delivery = stack.function("DeliveryFunction").ok_or("no delivery function")?;
    let mut environment = delivery.environment.clone();
    environment.extend(local::environment(&aws));
    environment.insert("AWS_ENDPOINT_URL".to_owned(), counted.url().to_owned());
    write(items, &environment).await?;
    let sweeper = SweepPorts::new(&environment)?;
    counted.take();
    for what in ["the first tick", "the next one"] {
        let swept = sweep::run(UNBOUNDED, SWEEP_RELEASE_MAX, &sweeper).await;
        println!("  {what}: {} woken, {:?}", swept.woken, counted.take());
    }
    let (buckets, page) = (usize::try_from(DUE_BUCKETS)?, usize::try_from(SWEEP_PAGE_ITEMS)?);
    println!(
        "  at most one query of the breakers and {buckets} + {} of the items; never more than {}",
        items / page,
        buckets * SWEEP_PAGES_MAX + 1,
    );
    drop((sweeper, counted));
    Ok(aws.stop().await?)
}

async fn write(items: usize, environment: &BTreeMap<String, String>) -> Result<(), Failure> {
    let targets = Targets::new(EgressPolicy::production())?;
    let ledger = DeliveryPorts::new(environment, EventTypeNames::default(), targets, 0)?;
    // Longer than a queue can delay: the sweeper is the one to wake it.
    let wait_ms = u64::from(QUEUE_DELAY_MAX_S) * 1_000 + 1;
    let written_at = ledger.now().minus_ms(wait_ms + MINUTE_MS);
    let all: Vec<_> =
        (0..items).map(|index| pending_item(&format!("e{index}"), written_at, wait_ms)).collect();
    for some in all.chunks(AT_ONCE) {
        for written in join_all(some.iter().map(|item| ledger.record(item))).await {
            written?;
        }
    }
    Ok(())
}
